/** What a caller with worthless tokens spends: one refused request to Amazon a token, and nothing that is somebody else's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDRESS, assertHonestBurst, garbage, ORDER, ownMint, SCARCE } from '../support/abuse.ts'
import { many } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type Pair, startPair, verdictOf } from '../support/pair.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const DOCUMENT = '/reports/2021-06-30/documents/amzn1.spdoc.1.4.na.5f0c2a10-7d3e-4b6a-9c41-000000000001'

/** Everything that a token can be tried with: `i` makes each resource another one. */
const attempts = (pair: Pair, token: string, i: number): readonly Promise<Response>[] => [
  pair.call(ADDRESS, token),
  pair.call(`${ORDER}${i}`, token, { headers: { 'x-rdt-scope': 'specific' } }),
  pair.call(`/strange/${i}`, token, { headers: { 'x-rdt-mode': 'force' } }),
  pair.call(ADDRESS, token, { headers: { 'x-rdt-target-application': `amzn1.application.${i}` } }),
  pair.call(DOCUMENT, token, { headers: { 'x-rdt-report-type': 'GET_VAT_TRANSACTION_DATA' } }),
  pair.call(MINT_PATH, token, ownMint(`/orders/v0/orders/${i}/address`)),
  pair.call(MINT_PATH, token, ownMint(`/a/${i}`, `/b/${i}`)),
]

const KINDS = {
  garbage: (_: Pair, i: number) => garbage(i),
  revoked: ({ simulator }: Pair, i: number) => {
    const token = simulator.accessToken(`victim-${i}`)
    simulator.control({ revoke: 'access-tokens' })
    return token
  },
  expired: ({ simulator }: Pair, i: number) => {
    simulator.control({ accessTokenSeconds: 0.001 })
    const token = simulator.accessToken(`victim-${i}`)
    simulator.control({ accessTokenSeconds: 3600 })
    return token
  },
} as const

for (const [kind, tokenOf] of Object.entries(KINDS)) {
  test(`${kind} tokens: one refused mint each, whatever is asked with them, and then no more; an honest burst meanwhile does not wait`, async (t) => {
    const pair = await startPair(t, { env: SCARCE })
    const tokens = Array.from({ length: 20 }, (_, i) => tokenOf(pair, i))
    await Promise.all(tokens.map((token) => pair.call(ADDRESS, token)))
    assert.equal(pair.mints().length, 20)
    const storm = tokens.flatMap((token, i) => attempts(pair, token, i))
    await assertHonestBurst(pair)
    const answers = await Promise.all(storm)
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([403]))
    const mints = pair.mints().filter(({ seller }) => seller !== 'honest')
    assert.equal(mints.length, 20, 'what is refused is remembered')
    assert.ok(mints.every(({ status, token }) => status === 403 && token !== 'lwa'))
    assert.equal(await metric(pair, 'rdt_mint_queue_length'), 0)
  })
}

test('a garbage token that asks for a hundred things at once costs no more requests than a plan has permits', async (t) => {
  const pair = await startPair(t, { env: SCARCE })
  const token = garbage('one')
  const answers = await many(100, (i) => pair.call(MINT_PATH, token, ownMint(`/orders/v0/orders/${i}/address`)))
  assert.ok(answers.every(({ status }) => status === 403))
  assert.ok(pair.mints().length <= 10, `${pair.mints().length} mints`)
  await assertHonestBurst(pair)
})

test('a garbage token with bodies that are not read costs no more either, in a line of its own', async (t) => {
  const pair = await startPair(t, { env: SCARCE })
  const mint = { method: 'POST', body: '{"restrictedResources":[],"more":1}' }
  const storm = many(60, () => pair.call(MINT_PATH, garbage('one'), mint))
  await assertHonestBurst(pair)
  const statuses = (await storm).map(({ status }) => status)
  assert.deepEqual(new Set(statuses), new Set([403, 429]))
  const own = pair.mints().filter(({ seller }) => seller === undefined)
  assert.equal(own.length, 10)
})

test('another seller’s good token spends that seller’s plan: nothing of it is anybody else’s', async (t) => {
  const pair = await startPair(t, { env: SCARCE })
  const token = pair.simulator.accessToken('greedy')
  const storm = many(60, (i) => pair.call(MINT_PATH, token, ownMint(`/orders/v0/orders/${i}/address`)))
  await assertHonestBurst(pair)
  const statuses = (await storm).map(({ status }) => status).toSorted()
  assert.deepEqual(
    statuses,
    Array.from({ length: 60 }, (_, i) => (i < 10 ? 200 : 429)),
    'it waits for itself',
  )
  assert.ok(pair.mints().every(({ seller }) => seller === 'greedy' || seller === 'honest'))
})

test('what looks like an RDT is minted for nobody, on any route', async (t) => {
  const pair = await startPair(t, { env: SCARCE })
  const storm = Array.from({ length: 20 }, (_, i) => attempts(pair, `Atz.sprdt|garbage-${i}`, i)).flat()
  await assertHonestBurst(pair)
  const answers = await Promise.all(storm)
  assert.deepEqual(new Set(answers.map(verdictOf)), new Set(['caller-rdt']))
  assert.ok(answers.every(({ status }) => status >= 400))
  const others = pair.mints().filter(({ seller }) => seller !== 'honest')
  assert.equal(others.length, 40, 'its own two posts to the Tokens API a token, passed on as they came')
  assert.ok(others.every(({ status }) => status === 403))
})
