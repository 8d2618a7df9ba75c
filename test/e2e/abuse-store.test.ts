/** The same over a store: two replicas, one count of each plan, one memory. Worthless tokens have names of their own there too. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { ADDRESS, garbage, ORDER, ownMint, SCARCE } from '../support/abuse.ts'
import { folderFor, lwaToken } from '../support/cli.ts'
import { type Fleet, newKey, startFleet } from '../support/fleet.ts'
import { many } from '../support/many.ts'
import { startPair, verdictOf } from '../support/pair.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

/** Ten mints of one who has not minted yet, five at each replica. */
const honestBurst = (fleet: Fleet, who: { token?: string; seller?: string }) =>
  many(10, (i) => fleet.ask(i % 2, MINT_PATH, { ...ownMint(`/orders/v0/orders/honest-${i}/address`), ...who }))
const ALL_MINTED = Array.from({ length: 10 }, () => '200 minted')

test('garbage at two replicas: one refused mint a token between them, and an honest burst meanwhile lacks no permit', {
  skip: noRedis,
}, async (t) => {
  const redis = await startRedis(t)
  const fleet = await startFleet(t, { redis, env: SCARCE })
  const refused = async () => (await fleet.mints()).filter(({ token }) => token === 'unknown').length
  /** Each of 25 tokens at each of two replicas. */
  const storm = (target: string, init: RequestInit = {}) =>
    many(50, (i) => fleet.ask(i % 2, target, { ...init, token: garbage(i >> 1) }))
  const [first, honest] = await Promise.all([
    storm(ADDRESS),
    honestBurst(fleet, { token: await lwaToken(fleet.amazon, 'honest') }),
  ])
  assert.deepEqual(honest, ALL_MINTED)
  assert.equal(await refused(), 25)
  const all = [...first, ...(await storm(MINT_PATH, ownMint(ADDRESS))), ...(await storm(ORDER))]
  assert.deepEqual(new Set(all), new Set(['403 rejected;mint-refused']))
  assert.ok((await refused()) <= 50, 'remembered for ten seconds, which a busy machine may need')
  assert.equal((await fleet.mints()).filter(({ seller }) => seller === 'honest').length, 10)
})

test('what one replica has cached for a token is given to no other token at the other', {
  skip: noRedis,
}, async (t) => {
  const redis = await startRedis(t)
  const fleet = await startFleet(t, { redis })
  const token = await lwaToken(fleet.amazon, 'victim')
  const mint = ownMint(ADDRESS)
  assert.equal(await fleet.ask(0, MINT_PATH, { ...mint, token }), '200 minted')
  for (const worthless of [
    garbage(1),
    `${token}x`,
    token.slice(0, -1),
    JSON.stringify([token]),
    `Atz.sprdt|${token}`,
  ]) {
    const answer = await fleet.call(1, MINT_PATH, { ...mint, token: worthless })
    assert.equal(answer.status, 403)
    assert.doesNotMatch(await answer.text(), /Atz\.sprdt/)
  }
  assert.equal(await fleet.ask(1, MINT_PATH, { ...mint, token }), '200 hit', 'it was there')
})

test('a token that Amazon has refused since it was good gets nothing there that another replica has minted by it, then or later', {
  skip: noRedis,
}, async (t) => {
  const redis = await startRedis(t)
  const keyFile = path.join(folderFor(t), 'store-key')
  writeFileSync(keyFile, newKey(), { mode: 0o600 })
  const env = { SIDECAR_STORE_URL: redis.url, SIDECAR_STORE_TIMEOUT_MS: '3000', SIDECAR_STORE_KEY_FILE: keyFile }
  let advanced = 0
  const a = await startPair(t, { env })
  const b = await startPair(t, {
    env,
    endpoint: a.amazon,
    overrides: { now: () => performance.now() + 1 + advanced },
  })
  const token = a.simulator.accessToken('victim')
  const atB = (target: string) => b.call(MINT_PATH, token, ownMint(target))
  for (const target of [ADDRESS, ORDER]) assert.equal((await a.call(MINT_PATH, token, ownMint(target))).status, 200)
  assert.equal(verdictOf(await atB(ADDRESS)), 'hit')
  a.simulator.control({ revoke: 'access-tokens' })
  for (const target of [`${ORDER}/buyerInfo`, ADDRESS, ORDER]) assert.equal((await atB(target)).status, 403, target)
  advanced = 11_000 // what Amazon said is forgotten by then
  for (const target of [ORDER, ADDRESS]) {
    assert.equal((await atB(target)).status, 403, target)
    advanced += 11_000
  }
})

test('managed sellers: calls that prove nothing cost no question to Amazon or to the store, at either replica', {
  skip: noRedis,
}, async (t) => {
  const redis = await startRedis(t)
  const fleet = await startFleet(t, { redis, sellers: ['seller-a'], env: SCARCE })
  const names = async () => (await redis.dump()).length
  const before = await names()
  const headers = { 'x-rdt-caller-token': 'wrong' }
  const answers = await many(200, (i) => fleet.ask(i % 2, i % 4 < 2 ? ADDRESS : ORDER, { headers }))
  assert.deepEqual(new Set(answers), new Set(['403 rejected;untrusted-caller']))
  assert.deepEqual([(await fleet.log()).length, await names()], [0, before])
  assert.deepEqual(await honestBurst(fleet, { seller: 'seller-a' }), ALL_MINTED)
})

test('what garbage leaves in Redis ends within seconds', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t)
  const fleet = await startFleet(t, { redis })
  const before = new Set((await redis.dump()).map(({ key }) => key))
  await many(50, (i) => fleet.ask(i % 2, ADDRESS, { token: garbage(i) }))
  const left = (await redis.dump()).filter(({ key }) => !before.has(key))
  assert.ok(left.length >= 50)
  for (const { type, ttl } of left) assert.ok(ttl > 0 && ttl <= 20_000, `${type}: ${ttl} ms`)
})
