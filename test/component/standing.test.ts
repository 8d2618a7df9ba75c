/** For how long RDTs are used that a caller's own access token was granted: it lives an hour itself, and may end before. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Credential } from '../../src/rdt/credential.ts'
import { after, until } from '../support/many.ts'
import { startMinting as build, type Options, rdtOf, refused, token, type Wire } from '../support/minting.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { minted, newKey, now, startReplica, textOf } from '../support/replicas.ts'

const MINUTE = 60_000
// a busy machine is no Tokens API in trouble
const startMinting = (wire: Wire, options: Options = {}) =>
  build(wire, { maxWaitMs: 30_000, timeoutMs: 30_000, ...options })
const ended = () => refused('Access denied', 403, 'The access token you provided has expired.')
const seller: Credential = {
  id: 'seller',
  managed: { account: () => ['', ''], get: () => ({ kind: 'token', token: 'Atza|s' }), rejected: () => false },
}

test('nothing is used later than an hour after the first that the token was granted; a success starts the hour anew', async () => {
  const made = startMinting(async (n) => token(n))
  await made.get('/first')
  made.advance(50 * MINUTE)
  await made.get('/late')
  made.advance(9 * MINUTE)
  assert.equal(rdtOf(await made.get('/late')), 'hit Atz.sprdt|2')
  made.advance(2 * MINUTE)
  assert.equal(rdtOf(await made.get('/late')), 'minted Atz.sprdt|3')
  made.advance(58 * MINUTE)
  assert.equal(rdtOf(await made.get('/late')), 'hit Atz.sprdt|3')
})

test('a managed seller’s are used as long as they live', async () => {
  const made = startMinting(async (n) => token(n))
  await made.get('/first', { credential: seller })
  made.advance(50 * MINUTE)
  await made.get('/late', { credential: seller })
  made.advance(50 * MINUTE)
  assert.equal(rdtOf(await made.get('/late', { credential: seller })), 'hit Atz.sprdt|2')
})

test('where the hour is almost over a renewal is one mint, not one a call', async () => {
  const made = startMinting(async (n) => token(n), { refreshAfter: 0.1 })
  await made.get('/first')
  made.advance(59 * MINUTE)
  await made.get('/late')
  assert.equal(made.calls(), 2)
  made.advance(0.5 * MINUTE)
  for (let i = 0; i < 50; i += 1) assert.equal(rdtOf(await made.get('/late')), 'hit Atz.sprdt|2')
  made.advance(MINUTE)
  for (let i = 0; i < 50; i += 1) await made.get('/late')
  assert.equal(made.calls(), 3)
  made.advance(7 * MINUTE) // due
  for (let i = 0; i < 50; i += 1) assert.equal(rdtOf(await made.get('/late')), 'hit Atz.sprdt|3')
  made.advance(20 * MINUTE) // patience is over
  await made.get('/other')
  await until(() => made.calls() === 5)
  await after(50)
  for (let i = 0; i < 50; i += 1) assert.match(rdtOf(await made.get('/late')), /^hit/)
  assert.equal(made.calls(), 5)
})

test('a mint that Amazon refuses for the token’s sake ends all that the token was granted, and nothing of others’', async () => {
  let over = false
  const made = startMinting(async (n) => (over ? ended() : token(n)))
  for (const path of ['/a', '/b']) await made.get(path)
  await made.get('/a', { credential: 'other' })
  over = true
  assert.equal((await made.get('/c')).kind, 'refused')
  assert.deepEqual(made.evictions, ['rejected', 'rejected'])
  assert.equal((await made.get('/a')).kind, 'refused')
  assert.equal(rdtOf(await made.get('/a', { credential: 'other' })), 'hit Atz.sprdt|3')
  assert.equal(made.calls(), 4)
})

test('so does a renewal; and a token that Amazon takes again after all is as good as before', async () => {
  let over = false
  const made = startMinting(async (n) => (over ? ended() : token(n)), { refreshAfter: 0.1, marginMs: 0 })
  for (const path of ['/a', '/b']) await made.get(path)
  made.advance(10 * MINUTE)
  over = true
  assert.match(rdtOf(await made.get('/a')), /^hit/)
  await until(() => made.evictions.length === 2, 20_000)
  assert.equal((await made.get('/b')).kind, 'refused')
  over = false
  made.advance(11_000)
  assert.match(rdtOf(await made.get('/b')), /^minted/)
  assert.match(rdtOf(await made.get('/b')), /^hit/)
  assert.deepEqual(made.bugs, [])
})

test('a refusal for another reason, one that is not in Amazon’s words, or of a managed seller’s token ends nothing', async () => {
  for (const [answer, credential] of [
    [() => refused('Access to requested resource is denied.', 403), 'c1'],
    [() => new Response('<html>a proxy on the way</html>', { status: 401 }), 'c1'],
    [ended, seller],
  ] as const) {
    const made = startMinting(async (n) => (n === 1 ? token(n) : answer()))
    await made.get('/a', { credential })
    assert.equal((await made.get('/b', { credential, need: { operation: 'else' } })).kind, 'refused')
    assert.equal(rdtOf(await made.get('/a', { credential })), 'hit Atz.sprdt|1')
    assert.deepEqual(made.evictions, [])
  }
})

describe('over a store', { skip: noRedis }, () => {
  test('an RDT is used no longer by those who take it over than by whom it was granted to, and its life is told as it is', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b] = [await startReplica(t, redis, { keys }), await startReplica(t, redis, { keys })]
    const until = now() + 2000
    await a.once(async () => minted('1'), { granted: () => until })
    const taken = await b.once(async () => minted('too soon'))
    assert.ok(taken.kind === 'minted' && taken.elsewhere && taken.rdt.expiresAt)
    assert.ok(Math.abs((taken.elsewhere.usableUntil ?? 0) - until) < 1000)
    assert.ok(taken.rdt.expiresAt > now() + 3_500_000)
    await after(until - now() + 1000)
    assert.equal(textOf(await b.once(async () => minted('2'))), 'minted 2')
  })

  test('whose token Amazon has refused since it was good is given nothing of what others have until Amazon grants something', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b] = [await startReplica(t, redis, { keys }), await startReplica(t, redis, { keys })]
    await a.once(async () => minted('1'))
    const lost = { lost: () => true }
    assert.equal(textOf(await b.once(async () => minted('2'), lost)), 'minted 2')
    assert.equal(textOf(await a.once(async () => minted('3'))), 'elsewhere 2')
  })
})
