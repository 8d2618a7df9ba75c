import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCatalogue, overlap } from '../../src/sp-api/operations.ts'
import { recognise } from '../../src/sp-api/recognise.ts'
import { fill, shippedCatalogue, shippedOperations } from '../support/catalogue.ts'
import { modelOperations } from '../support/models.ts'

// The model file a row's id prefix stands for: the two sides were written apart and meet here.
const MODELS: Readonly<Record<string, string>> = {
  'orders-v0': 'ordersV0',
  'mfn-v0': 'merchantFulfillmentV0',
  'shipment-invoicing-v0': 'shipmentInvoicingV0',
  'shipping-v1': 'shipping',
  'easy-ship-2022-03-23': 'easyShip_2022-03-23',
  'reports-2021-06-30': 'reports_2021-06-30',
  'df-orders-v1': 'vendorDirectFulfillmentOrdersV1',
  'df-orders-2021-12-28': 'vendorDirectFulfillmentOrders_2021-12-28',
  'df-shipping-v1': 'vendorDirectFulfillmentShippingV1',
  'df-shipping-2021-12-28': 'vendorDirectFulfillmentShipping_2021-12-28',
}
const REMOVED = 'reports_2020-09-04'

const restricted = modelOperations.filter((operation) => operation.restricted && operation.model !== REMOVED)
const others = modelOperations.filter((operation) => !restricted.includes(operation))

test('the catalogue holds 32 rows: the 31 of the guide that exist, and getShippingLabels of 2021-12-28', () => {
  assert.equal(shippedOperations.length, 32)
  assert.equal(new Set(shippedOperations.map(({ id }) => id)).size, 32)
  assert.equal(restricted.length, 32)
  assert.equal(others.length, 362) // 361, and getReportDocument of the removed Reports 2020-09-04
})

for (const operation of restricted) {
  test(`${operation.model} ${operation.method} ${operation.path} matches its own row`, () => {
    const found = recognise(shippedCatalogue, operation.method, fill(operation.path))
    assert.ok(found.kind === 'restricted')
    const [prefix = '', operationId] = found.operation.id.split('.')
    assert.equal(operationId, operation.operationId)
    assert.equal(MODELS[prefix], operation.model)
    assert.equal(found.operation.path, operation.path)
    assert.deepEqual(found.operation.takes, operation.restricted?.takes)
    assert.equal(found.operation.generic, operation.restricted?.path === 'generic-ok')
  })
}

test('none of the other operations of any model matches any row', () => {
  const matched = others.filter(({ method, path }) => recognise(shippedCatalogue, method, fill(path)).kind !== 'open')
  assert.deepEqual(matched, [])
})

test('another method on a restricted path is not restricted unless the models say so', () => {
  const known = new Set(restricted.map(({ method, path }) => `${method} ${path}`))
  for (const { path } of restricted) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) {
      const kind = recognise(shippedCatalogue, method, fill(path)).kind
      assert.equal(kind, known.has(`${method} ${path}`) ? 'restricted' : 'open', `${method} ${path}`)
    }
  }
})

test('Orders v0 but for getOrderRegulatedInfo carries the day Amazon removes it', () => {
  const dated = shippedOperations.filter(({ sunset }) => sunset === '2027-03-27').map(({ id }) => id)
  const orders = shippedOperations.filter(({ id }) => id.startsWith('orders-v0.') && !id.endsWith('RegulatedInfo'))
  assert.deepEqual(
    dated,
    orders.map(({ id }) => id),
  )
  assert.equal(dated.length, 6)
})

test('six operations are known to answer without an RDT; all others count as requiring one', () => {
  const optional = shippedOperations.filter(({ rdt }) => rdt === 'optional').map(({ id }) => id.split('.')[1])
  assert.deepEqual(optional.sort(), [
    'getOrder',
    'getOrderAddress',
    'getOrderBuyerInfo',
    'getOrderItems',
    'getOrderItemsBuyerInfo',
    'getOrders',
  ])
})

const row = (path: string) => ({ id: path, method: 'GET', path, takes: [], generic: true, rdt: 'required' as const })

test('a literal segment wins over a parameter, and a parameter is tried again where the literal leads nowhere', () => {
  const catalogue = createCatalogue([row('/a/{x}/c'), row('/a/b/d')])
  assert.equal(catalogue.match('GET', ['a', 'b', 'c'])?.id, '/a/{x}/c')
  assert.equal(catalogue.match('GET', ['a', 'b', 'd'])?.id, '/a/b/d')
  assert.equal(catalogue.match('GET', ['a', 'b'])?.id, undefined)
  assert.equal(catalogue.match('GET', ['a', '', 'c'])?.id, undefined)
  assert.equal(catalogue.match('POST', ['a', 'b', 'd'])?.id, undefined)
})

test('the steps of a match depend on the path alone, not on the number of rows', () => {
  const stepsWith = (rows: number): number => {
    const catalogue = createCatalogue(Array.from({ length: rows }, (_, i) => row(`/api${i}/{id}/part${i}`)))
    let reads = 0
    const segments = new Proxy(['api0', '1', 'part0'], {
      get: (target, key) => {
        reads += 1
        return Reflect.get(target, key)
      },
    })
    assert.ok(catalogue.match('GET', segments))
    return reads
  }
  assert.equal(stepsWith(1), stepsWith(5000))
})

test('templates overlap where one path could match both', () => {
  assert.ok(overlap('/a/{x}', '/a/b'))
  assert.ok(overlap('/a/{x}/{y}', '/a/{z}/b'))
  assert.ok(!overlap('/a/{x}', '/a/b/c'))
  assert.ok(!overlap('/a/{x}/c', '/a/b/d'))
})
