import assert from 'node:assert/strict'
import { test } from 'node:test'
import { many } from '../support/many.ts'
import { startPair, verdictOf } from '../support/pair.ts'

const ONE_BY_ONE = { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_MINT_MAX_RESOURCES: '1' }
const ADDRESS = '/orders/v0/orders/1/address'

test('fifty cold callers share one mint', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { mint: 200 } })
  const answers = await many(50, () => pair.call(ADDRESS, token))
  assert.deepEqual(new Set(answers.map(verdictOf)), new Set(['minted']))
  assert.equal(pair.mints().length, 1)
  assert.ok(pair.calls().every(({ pii }) => pii))
})

test('the first caller leaves while the mint is under way: the others are served, nothing goes out for the first', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { mint: 200 } })
  const abort = new AbortController()
  const first = pair.call(ADDRESS, token, { signal: abort.signal })
  const others = many(9, () => pair.call(ADDRESS, token))
  setTimeout(() => abort.abort(), 50)
  await assert.rejects(first)
  for (const answer of await others) assert.equal(answer.status, 200)
  assert.equal(pair.mints().length, 1)
  assert.equal(pair.calls().length, 9)
})

test("Amazon's default plan is kept to the letter: 13 cold resources, ten at once, then one a second, no 429", async (t) => {
  const pair = await startPair(t, { env: ONE_BY_ONE })
  const token = pair.simulator.accessToken()
  const answers = await many(13, (i) => pair.call(`/orders/v0/orders/${i}/address`, token))
  assert.ok(answers.every(({ status }) => status === 200))
  const mints = pair.mints()
  assert.deepEqual(
    mints.map(({ status }) => status),
    Array(13).fill(200),
  )
  const [first, tenth, last] = [mints[0]?.at ?? 0, mints[9]?.at ?? 0, mints[12]?.at ?? 0]
  assert.ok(last - tenth >= 2000 && tenth - first < 1000)
})

test("a busy hour in small: 60 resources at 25/s, the simulator's own bucket refuses none", async (t) => {
  const pair = await startPair(t, {
    env: { ...ONE_BY_ONE, SIDECAR_MINT_RATE_PER_SECOND: '25', SIDECAR_MINT_BURST: '5' },
  })
  pair.simulator.control({ mintRatePerSecond: 25, mintBurst: 5 })
  const token = pair.simulator.accessToken()
  const answers = await many(60, (i) => pair.call(`/mfn/v0/shipments/${i}`, token))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(pair.mints().length, 60)
  assert.deepEqual(
    pair.mints().filter(({ status }) => status === 429),
    [],
  )
})

test('sellers have a plan each: ten of each at once, nobody waits', async (t) => {
  const pair = await startPair(t, { env: { ...ONE_BY_ONE, SIDECAR_MINT_MAX_QUEUE: '0' } })
  const tokens = ['a', 'b', 'c'].map((seller) => pair.simulator.accessToken(seller))
  const answers = await many(30, (i) => pair.call(`/mfn/v0/shipments/${i}`, tokens[i % 3]))
  assert.ok(answers.every(({ status }) => status === 200))
})

test('a 429 of Amazon all the same, another replica drew on the plan: slower, and served within the wait', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_RATE_PER_SECOND: '20' } })
  pair.simulator.control({ fail: [{ on: 'mint', times: 2, as: 429 }] })
  const answer = await pair.call(ADDRESS, pair.simulator.accessToken())
  assert.equal(verdictOf(answer), 'minted')
  assert.deepEqual(
    pair.mints().map(({ status }) => status),
    [429, 429, 200],
  )
})

test('a token is not used once less than the margin is left, and its life is what Amazon says', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_EXPIRY_MARGIN_MS: '500' } })
  pair.simulator.control({ rdtSeconds: 1 })
  const token = pair.simulator.accessToken()
  const verdicts = [verdictOf(await pair.call(ADDRESS, token)), verdictOf(await pair.call(ADDRESS, token))]
  await new Promise((resolve) => setTimeout(resolve, 600))
  verdicts.push(verdictOf(await pair.call(ADDRESS, token)))
  assert.deepEqual(verdicts, ['minted', 'hit', 'minted'])
})

for (const expiresIn of ['missing', 'absurd', 'string'] as const) {
  test(`expiresIn ${expiresIn}: each token is used once`, async (t) => {
    const pair = await startPair(t)
    pair.simulator.control({ expiresIn })
    const token = pair.simulator.accessToken()
    for (let i = 0; i < 2; i += 1) assert.equal(verdictOf(await pair.call(ADDRESS, token)), 'minted')
    assert.equal(pair.mints().length, 2)
  })
}
