/** Coalesced mints, refresh and the learned plan against the simulator, whose own bucket and log are the witness. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, many } from '../support/many.ts'
import { resourcesOf, startPair, verdictOf } from '../support/pair.ts'

const ORDERS = '/orders/v0/orders'
const SPECIFIC = { SIDECAR_RDT_SCOPE: 'specific' }
const statuses = (mints: readonly { status: number }[]) => [...new Set(mints.map(({ status }) => status))]

test('500 distinct orders at once, one RDT each, plan 1/10: at most 14 mints, no 429, everybody served', async (t) => {
  const pair = await startPair(t, { env: SPECIFIC })
  const token = pair.simulator.accessToken()
  const from = performance.now()
  const answers = await many(500, async (i) => {
    const answer = await pair.call(`${ORDERS}/${i}/address`, token)
    await answer.text()
    return answer
  })
  assert.ok(answers.every(({ status }) => status === 200))
  assert.ok(performance.now() - from < 10_000, 'one at a time would take over eight minutes')
  assert.ok(pair.mints().length <= 14, `${pair.mints().length} mints`)
  assert.deepEqual(statuses(pair.mints()), [200])
  assert.ok(pair.calls().every(({ pii }) => pii))
  const paths = resourcesOf(pair.mints()).flat()
  assert.equal(new Set(paths).size, 500)
  assert.equal(paths.length, 500, 'no resource was asked for twice')
})

test('mint.maxResources: 1 turns sharing off', async (t) => {
  const pair = await startPair(t, { env: { ...SPECIFIC, SIDECAR_MINT_MAX_RESOURCES: '1' } })
  const token = pair.simulator.accessToken()
  await many(6, (i) => pair.call(`${ORDERS}/${i}/address`, token))
  assert.deepEqual(
    resourcesOf(pair.mints()).map(({ length }) => length),
    [1, 1, 1, 1, 1, 1],
  )
})

test('several operations of one seller share a mint; each call sees what it asked for and no more', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const [order, less] = await Promise.all([
    pair.call(`${ORDERS}/1`, token),
    pair.call(`${ORDERS}/1`, token, { headers: { 'x-rdt-scope': 'specific', 'x-rdt-data-elements': 'buyerInfo' } }),
    pair.call(`${ORDERS}/1/address`, token),
    pair.call('/mfn/v0/shipments/1', token),
  ])
  type Order = { payload: { BuyerInfo?: object; ShippingAddress?: object } }
  const [all, some] = [(await order.json()) as Order, (await less.json()) as Order]
  assert.ok(all.payload.BuyerInfo && all.payload.ShippingAddress)
  assert.ok(some.payload.BuyerInfo && !some.payload.ShippingAddress)
  assert.equal(pair.mints().length, 2)
})

test('an RDT in use is renewed in the background: after the first nobody waits, over four lives', async (t) => {
  const pair = await startPair(t, {
    env: { SIDECAR_RDT_EXPIRY_MARGIN_MS: '100', SIDECAR_RDT_REFRESH_AFTER: '0.4' },
  })
  pair.simulator.control({ rdtSeconds: 1, latencyMs: { mint: 50 } })
  const token = pair.simulator.accessToken()
  const verdicts: unknown[] = []
  for (const from = performance.now(); performance.now() - from < 4000; await after(20)) {
    const answer = await pair.call(`${ORDERS}/1/address`, token)
    verdicts.push(verdictOf(answer))
    assert.equal(answer.status, 200)
  }
  assert.deepEqual([verdicts[0], ...new Set(verdicts.slice(1))], ['minted', 'hit'])
  await after(400) // the last call may have asked for a renewal
  const mints = pair.mints()
  assert.ok(mints.length >= 4 && mints.length <= 11, `${mints.length} mints`)
  await after(1500)
  assert.equal(pair.mints().length, mints.length, 'idle: not renewed')
})

test('a renewal that fails is felt at hard expiry only', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_EXPIRY_MARGIN_MS: '100', SIDECAR_RDT_REFRESH_AFTER: '0.3' } })
  pair.simulator.control({ rdtSeconds: 2 })
  const token = pair.simulator.accessToken()
  const from = performance.now()
  await pair.call(`${ORDERS}/1/address`, token)
  pair.simulator.control({ fail: [{ on: 'mint', times: 99, as: 503 }] })
  while (performance.now() - from < 1700) {
    assert.equal(verdictOf(await pair.call(`${ORDERS}/1/address`, token)), 'hit')
    await after(20)
  }
  assert.ok(pair.mints().some(({ status }) => status === 503))
  await after(300)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1/address`, token)), 'rejected;mint-unavailable')
})

test("x-amzn-RateLimit-Limit raises the seller's plan, and lowers it again, with no 429 on either way", async (t) => {
  const pair = await startPair(t, { env: { ...SPECIFIC, SIDECAR_MINT_MAX_RESOURCES: '1' } })
  const token = pair.simulator.accessToken()
  const callAll = (name: string, count: number) => many(count, (i) => pair.call(`${ORDERS}/${name}${i}/address`, token))
  pair.simulator.control({ mintRatePerSecond: 20 })
  await callAll('first', 1) // from whose answer the rate is learned
  const from = performance.now()
  await callAll('fast', 39)
  assert.ok(performance.now() - from < 8000, '30 beyond the burst would take half a minute at 1/s')
  await after(2000) // the bucket fills at 20/s
  pair.simulator.control({ mintRatePerSecond: 1 })
  const slowFrom = performance.now()
  await callAll('slow', 12)
  assert.ok(performance.now() - slowFrom > 1800, 'two beyond the burst take two seconds at 1/s')
  assert.equal(pair.mints().length, 52)
  assert.deepEqual(statuses(pair.mints()), [200])
})
