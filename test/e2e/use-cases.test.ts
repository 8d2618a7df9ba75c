/** The five use cases of Amazon's "Tokens API use case guide", by the names it gives them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentId, reportId } from '../../src/simulator/reports.ts'
import { many } from '../support/many.ts'
import { resourcesOf, startPair, verdictOf } from '../support/pair.ts'

const ORDERS = '/orders/v0/orders'

test('retrieve a bulk list of orders: getOrders and its NextToken pages, one mint', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const names: unknown[] = []
  const verdicts: unknown[] = []
  for (let query = 'MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2026-01-01'; query; ) {
    const answer = await pair.call(`${ORDERS}?${query}`, token)
    const { payload } = (await answer.json()) as {
      payload: { Orders: { ShippingAddress?: { Name: string } }[]; NextToken?: string }
    }
    names.push(...payload.Orders.map((order) => order.ShippingAddress?.Name))
    verdicts.push(verdictOf(answer))
    query = payload.NextToken ? `NextToken=${encodeURIComponent(payload.NextToken)}` : ''
  }
  assert.deepEqual(verdicts, ['minted', 'hit'])
  assert.ok(names.length > 2 && names.every((name) => typeof name === 'string'))
  assert.deepEqual(resourcesOf(pair.mints()), [[`GET ${ORDERS} [buyerInfo,shippingAddress]`]])
})

test('retrieve the order items in an order: one mint serves the items of all orders, pages too', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const first = await pair.call(`${ORDERS}/902-1/orderItems`, token)
  const { payload } = (await first.json()) as { payload: { NextToken: string } }
  const next = await pair.call(`${ORDERS}/902-1/orderItems?NextToken=${encodeURIComponent(payload.NextToken)}`, token)
  const others = await many(10, (i) => pair.call(`${ORDERS}/902-${i}/orderItems`, token))
  assert.deepEqual([first, next, ...others].map(verdictOf), ['minted', ...Array(11).fill('hit')])
  assert.ok(pair.calls().every(({ pii }) => pii))
  assert.deepEqual(resourcesOf(pair.mints()), [[`GET ${ORDERS}/{orderId}/orderItems [buyerInfo]`]])
})

test('retrieve personal data for multiple shipments: the generic path, one mint', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const answers = await many(20, (i) => pair.call(`/mfn/v0/shipments/${i}`, token))
  assert.ok(answers.every(({ status }) => status === 200) && pair.calls().every(({ pii }) => pii))
  assert.deepEqual(resourcesOf(pair.mints()), [['GET /mfn/v0/shipments/{shipmentId}']])
})

test("delegate: the delegator's sidecar mints for the delegatee, whose own passes the RDT untouched", async (t) => {
  const delegator = await startPair(t)
  const delegatee = await startPair(t, { endpoint: delegator.amazon })
  const target = 'amzn1.sellerapps.app.delegatee'
  const resource = { method: 'GET', path: `${ORDERS}/{orderId}/address` }
  const minted = await delegator.call('/tokens/2021-03-01/restrictedDataToken', delegator.simulator.accessToken(), {
    method: 'POST',
    body: JSON.stringify({ targetApplication: target, restrictedResources: [resource] }),
  })
  const { restrictedDataToken: rdt } = (await minted.json()) as { restrictedDataToken: string }
  const answer = await delegatee.call(`${ORDERS}/902-1/address`, rdt)
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'caller-rdt'])
  assert.deepEqual(
    delegator.calls().map(({ token, pii }) => [token, pii]),
    [['rdt', true]],
  )
  assert.deepEqual(
    delegator.mints().map(({ mint }) => mint),
    [{ restrictedResources: [resource], targetApplication: target }],
  )
})

test('restricted reports: the report, its document by a specific resource, and the file behind it', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const report = await pair.call(`/reports/2021-06-30/reports/${reportId(1)}`, token)
  const { reportDocumentId } = (await report.json()) as { reportDocumentId: string }
  assert.equal(reportDocumentId, documentId(1))
  const answer = await pair.call(`/reports/2021-06-30/documents/${reportDocumentId}`, token)
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'minted'])
  const { url } = (await answer.json()) as { url: string }
  assert.equal((await fetch(url)).status, 200)
  assert.deepEqual(resourcesOf(pair.mints()), [[`GET /reports/2021-06-30/documents/${documentId(1)}`]])
})
