import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentId } from '../../src/simulator/reports.ts'
import { fill, shippedOperations } from '../support/catalogue.ts'
import { startPair } from '../support/pair.ts'

// What a caller must send for the simulator to carry out each operation; anything else is a plain call.
const BODIES: Readonly<Record<string, object>> = {
  'mfn-v0.createShipment': { ShipmentRequestDetails: { AmazonOrderId: '902-1' }, ShippingServiceId: 'S' },
  'easy-ship-2022-03-23.createScheduledPackageBulk': {
    marketplaceId: 'A',
    orderScheduleDetailsList: [],
    labelFormat: 'PDF',
  },
  'df-shipping-2021-12-28.createShippingLabels': { sellingParty: { partyId: 'P' }, shipFromParty: { partyId: 'P' } },
}
const targetOf = (template: string): string =>
  template.includes('{reportDocumentId}') ? fill(template, documentId(1)) : fill(template, 'A1')

for (const operation of shippedOperations) {
  for (const scope of ['generic', 'specific'] as const) {
    test(`${operation.id}: personal data with scope ${scope}, one mint, the second call a hit`, async (t) => {
      const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: scope } })
      const token = pair.simulator.accessToken()
      const target = targetOf(operation.path)
      const body = BODIES[operation.id]
      const init = {
        method: operation.method,
        ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }

      const first = await pair.call(target, token, init)
      assert.equal(first.headers.get('x-rdt-verdict'), 'minted')
      assert.ok(first.ok, `${first.status} ${await first.clone().text()}`)
      const second = await pair.call(target, token, init)
      assert.equal(second.headers.get('x-rdt-verdict'), 'hit')
      assert.ok(second.ok)

      const calls = pair.calls()
      assert.deepEqual(
        calls.map(({ operation: id, token: kind, pii }) => [id, kind, pii]),
        [
          [operation.id, 'rdt', true],
          [operation.id, 'rdt', true],
        ],
      )
      const resource = {
        method: operation.method,
        path: scope === 'generic' && operation.generic ? operation.path : target,
        ...(operation.takes.length > 0 && {
          dataElements: ['buyerInfo', 'shippingAddress'].filter((element) =>
            operation.takes.some((taken) => taken === element),
          ),
        }),
      }
      assert.deepEqual(
        pair.mints().map(({ mint }) => mint),
        [{ restrictedResources: [resource] }],
      )
    })
  }
}

test('generic scope: one mint serves all resources of an operation; specific: one each', async (t) => {
  for (const [scope, mints] of [
    ['generic', 1],
    ['specific', 3],
  ] as const) {
    const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: scope } })
    const token = pair.simulator.accessToken()
    for (const order of ['1', '2', '3', '2'])
      assert.ok((await pair.call(`/orders/v0/orders/${order}/address`, token)).ok)
    assert.equal(pair.mints().length, mints)
  }
})

test('an unrestricted call is streamed with the token of the caller and mints nothing', async (t) => {
  const pair = await startPair(t)
  const answer = await pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken())
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('x-rdt-verdict'), 'not-restricted')
  assert.deepEqual(
    pair.calls().map(({ token }) => token),
    ['lwa'],
  )
  assert.equal(pair.mints().length, 0)
})

test('both pages of a NextToken list are served with one RDT', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const first = (await (await pair.call('/orders/v0/orders?MarketplaceIds=A', token)).json()) as {
    payload: { NextToken: string }
  }
  const second = await pair.call(`/orders/v0/orders?NextToken=${encodeURIComponent(first.payload.NextToken)}`, token)
  assert.equal(second.headers.get('x-rdt-verdict'), 'hit')
  assert.deepEqual(
    pair.calls().map(({ pii }) => pii),
    [true, true],
  )
})

test('two sellers never share a token, and each sees its own people', async (t) => {
  const pair = await startPair(t)
  const answers = await Promise.all(
    ['seller-a', 'seller-b'].map((seller) =>
      pair.call('/orders/v0/orders/1/address', pair.simulator.accessToken(seller)),
    ),
  )
  const names = await Promise.all(answers.map((answer) => answer.text()))
  assert.notEqual(names[0], names[1])
  assert.deepEqual(
    pair
      .mints()
      .map(({ seller }) => seller)
      .sort(),
    ['seller-a', 'seller-b'],
  )
  for (const { token, seller } of pair.calls()) assert.ok(token === 'rdt' && seller)
})

test('two access tokens of one seller do not share either: the sidecar cannot know that they are one', async (t) => {
  const pair = await startPair(t)
  for (let i = 0; i < 2; i += 1) await pair.call('/orders/v0/orders/1/address', pair.simulator.accessToken('seller-a'))
  assert.equal(pair.mints().length, 2)
})

test("a caller's own RDT passes untouched and nothing is minted", async (t) => {
  const pair = await startPair(t)
  const minted = await fetch(`${pair.amazon}/tokens/2021-03-01/restrictedDataToken`, {
    method: 'POST',
    headers: { 'x-amz-access-token': pair.simulator.accessToken(), 'content-type': 'application/json' },
    body: JSON.stringify({ restrictedResources: [{ method: 'GET', path: '/orders/v0/orders/{orderId}/address' }] }),
  })
  const { restrictedDataToken } = (await minted.json()) as { restrictedDataToken: string }
  const answer = await pair.call('/orders/v0/orders/1/address', restrictedDataToken)
  assert.equal(answer.headers.get('x-rdt-verdict'), 'caller-rdt')
  assert.deepEqual(
    pair.calls().map(({ token, pii }) => [token, pii]),
    [['rdt', true]],
  )
  assert.equal(pair.mints().length, 1)
})

test('the steering headers change one call and never reach Amazon', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const steered = (headers: Record<string, string>) => pair.call('/orders/v0/orders/1', token, { headers })
  const verdicts = [
    await steered({ 'x-rdt-mode': 'skip' }),
    await steered({ 'x-rdt-scope': 'specific' }),
    await steered({ 'x-rdt-data-elements': 'none' }),
    await steered({
      'x-rdt-data-elements': 'buyerTaxInformation',
      'x-rdt-target-application': 'amzn1.sp.solution.delegatee',
    }),
  ].map((answer) => answer.headers.get('x-rdt-verdict'))
  assert.deepEqual(verdicts, ['skipped;header', 'minted', 'minted', 'minted'])
  assert.deepEqual(
    pair.mints().map(({ mint }) => mint),
    [
      {
        restrictedResources: [
          { method: 'GET', path: '/orders/v0/orders/1', dataElements: ['buyerInfo', 'shippingAddress'] },
        ],
      },
      { restrictedResources: [{ method: 'GET', path: '/orders/v0/orders/{orderId}', dataElements: [] }] },
      {
        restrictedResources: [
          { method: 'GET', path: '/orders/v0/orders/{orderId}', dataElements: ['buyerTaxInformation'] },
        ],
        targetApplication: 'amzn1.sp.solution.delegatee',
      },
    ],
  )
  assert.deepEqual(
    pair
      .calls()
      .map(({ token: kind, pii }) => [kind, pii])
      .slice(0, 3),
    [
      ['lwa', false],
      ['rdt', true],
      ['rdt', false],
    ],
  )
  for (const { headers } of pair.calls())
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('x-rdt')),
      [],
    )
})

test('on a sandbox endpoint nothing is minted unless configured', async (t) => {
  for (const [sandbox, verdict] of [
    ['false', 'skipped;sandbox'],
    ['true', 'minted'],
  ] as const) {
    const pair = await startPair(t, { sandbox: true, env: { SIDECAR_RDT_SANDBOX: sandbox } })
    const answer = await pair.call('/orders/v0/orders/1/address', pair.simulator.accessToken())
    assert.equal(answer.headers.get('x-rdt-verdict'), verdict)
    assert.equal(pair.mints().length, verdict === 'minted' ? 1 : 0)
  }
})
