/** What Amazon refused is remembered: it is asked once, and every caller is told what to do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { many } from '../support/many.ts'
import { firstErrorOf, type Pair, resourcesOf, startPair, verdictOf } from '../support/pair.ts'

const ORDERS = '/orders/v0/orders'
const DENIED = { denyOperations: ['mfn-v0.getShipment'] }

const SITUATIONS: readonly (readonly [string, Record<string, string>, (pair: Pair) => string])[] = [
  [
    'a role that is missing',
    {},
    (pair) => {
      pair.simulator.control(DENIED)
      return pair.simulator.accessToken()
    },
  ],
  [
    'a role that is missing, an RDT each',
    { SIDECAR_RDT_SCOPE: 'specific' },
    (pair) => {
      pair.simulator.control(DENIED)
      return pair.simulator.accessToken()
    },
  ],
  ['an access token that Amazon does not know', { SIDECAR_RDT_SCOPE: 'specific' }, () => 'Atza|unknown'],
]
for (const [what, env, prepare] of SITUATIONS) {
  test(`200 calls that Amazon refuses cost two mints at most: ${what}`, async (t) => {
    const pair = await startPair(t, { env })
    const token = prepare(pair)
    const atOnce = await many(100, (i) => pair.call(`/mfn/v0/shipments/${i}`, token))
    for (let i = 100; i < 200; i += 1) atOnce.push(await pair.call(`/mfn/v0/shipments/${i}`, token))
    assert.deepEqual(new Set(atOnce.map(verdictOf)), new Set(['rejected;mint-refused']))
    assert.ok(pair.mints().length <= 2, `${pair.mints().length} mints`)
    assert.deepEqual(pair.calls(), [])
  })
}

test('a new credential is asked for at once', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control(DENIED)
  assert.equal((await pair.call('/mfn/v0/shipments/1', pair.simulator.accessToken())).status, 400)
  pair.simulator.control({ denyOperations: [] })
  assert.equal((await pair.call('/mfn/v0/shipments/1', pair.simulator.accessToken())).status, 200)
})

test('a refused call in a burst takes nobody with it', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_BATCH_WINDOW_MS: '50' } })
  pair.simulator.control(DENIED)
  const token = pair.simulator.accessToken()
  const paths = [
    `${ORDERS}/1`,
    `${ORDERS}/1/address`,
    `${ORDERS}/1/orderItems`,
    '/mfn/v0/shipments/1',
    `${ORDERS}/1/buyerInfo`,
  ]
  const answers = await Promise.all(paths.map((path) => pair.call(path, token)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 400, 200],
  )
  assert.ok(pair.mints().length <= 5, `${pair.mints().length} mints`)
  const before = pair.mints().length
  for (const path of paths) await pair.call(path, token)
  assert.equal(pair.mints().length, before, 'all of it is known now')
})

const ADVICE: readonly (readonly [string, (pair: Pair) => Promise<Response>, RegExp])[] = [
  [
    'a data element without its role',
    (pair) => {
      pair.simulator.control({ denyElements: ['shippingAddress'] })
      return pair.call(`${ORDERS}/1`, pair.simulator.accessToken())
    },
    /GET \/orders\/v0\/orders\/\{orderId\} with data elements \[buyerInfo, shippingAddress\].*onRefusedElements: drop/,
  ],
  [
    'an operation without its role',
    (pair) => {
      pair.simulator.control(DENIED)
      return pair.call('/mfn/v0/shipments/1', pair.simulator.accessToken())
    },
    /GET \/mfn\/v0\/shipments\/\{shipmentId\}\. The application lacks the role/,
  ],
  [
    'a vendor path',
    (pair) => {
      pair.simulator.control({ denyOperations: ['df-orders-v1.getOrders'] })
      return pair.call('/vendor/directFulfillment/orders/v1/purchaseOrders', pair.simulator.accessToken())
    },
    /It is a vendor path/,
  ],
  ['a stale access token', (pair) => pair.call(`${ORDERS}/1`, 'Atza|gone'), /send a fresh one/],
  [
    'a 403 without a word',
    (pair) => {
      pair.simulator.control({ fail: [{ on: 'mint', times: 1, as: 403 }] })
      return pair.call(`${ORDERS}/1`, pair.simulator.accessToken())
    },
    /of this region, and of an application with the role/,
  ],
]
for (const [what, call, advice] of ADVICE) {
  test(`the refusal says which resource and what to do, the second time too: ${what}`, async (t) => {
    const pair = await startPair(t)
    const first = await call(pair)
    assert.equal(first.headers.get('x-rdt-error'), 'mint-refused')
    assert.ok(first.headers.get('x-amzn-requestid'))
    assert.match((await firstErrorOf(first)).details, advice)
  })
}

test('rdt.onRefusedElements: drop asks again without them, says so, and does not ask a third time', async (t) => {
  const pair = await startPair(t, {
    env: {
      SIDECAR_RDT_ON_REFUSED_ELEMENTS: 'drop',
      SIDECAR_RDT_DATA_ELEMENTS: '[buyerInfo, shippingAddress, buyerTaxInformation]',
    },
  })
  pair.simulator.control({ denyElements: ['shippingAddress', 'buyerTaxInformation'] })
  const token = pair.simulator.accessToken()
  const first = await pair.call(`${ORDERS}/1`, token)
  const order = (await first.json()) as { payload: { BuyerInfo?: object; ShippingAddress?: object } }
  assert.equal(verdictOf(first), 'minted;dropped-shippingAddress,buyerTaxInformation')
  assert.ok(order.payload.BuyerInfo && !order.payload.ShippingAddress)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/2`, token)), 'hit;dropped-shippingAddress,buyerTaxInformation')
  assert.deepEqual(resourcesOf(pair.mints()), [
    [`GET ${ORDERS}/{orderId} [buyerInfo,shippingAddress,buyerTaxInformation]`],
    [`GET ${ORDERS}/{orderId} [buyerInfo]`],
  ])
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1/orderItems`, token)), 'minted', 'nothing to drop there')
})

test('an RDT with dropped elements that Amazon no longer takes is replaced like any other', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_REFUSED_ELEMENTS: 'drop' } })
  pair.simulator.control({ denyElements: ['shippingAddress'] })
  const token = pair.simulator.accessToken()
  await pair.call(`${ORDERS}/1`, token)
  pair.simulator.control({ revoke: 'rdts' })
  const answer = await pair.call(`${ORDERS}/1`, token)
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'replayed;dropped-shippingAddress'])
  assert.equal(pair.mints().length, 3)
})

test('drop does not help where no element is named', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_REFUSED_ELEMENTS: 'drop' } })
  pair.simulator.control({ denyOperations: ['orders-v0.getOrder'] })
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1`, pair.simulator.accessToken())), 'rejected;mint-refused')
  assert.equal(pair.mints().length, 1)
})

test('a Tokens API that is down: bounded retries, then one probe now and then for all of them', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ fail: [{ on: 'mint', times: 999, as: 503 }] })
  const token = pair.simulator.accessToken()
  for (let round = 0; round < 10; round += 1) {
    const answers = await many(20, (i) => pair.call(`${ORDERS}/${i}/address`, token))
    assert.ok(answers.every((answer) => answer.headers.get('x-rdt-error') === 'mint-unavailable'))
    assert.ok(answers.every((answer) => Number(answer.headers.get('retry-after')) >= 1))
  }
  assert.ok(pair.mints().length <= 8, `${pair.mints().length} mints for 200 calls`)
})
