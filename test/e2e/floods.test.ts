/** Floods of what is worthless, and of what is asked for once: memory is bounded, and what honest callers have stays theirs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { honestMeanwhile, startFlooded, startFloodedStore, worthless } from '../support/floods.ts'
import { noRedis } from '../support/redis.ts'

const notLinux = process.platform === 'linux' ? false : 'reads /proc'
const MB = 2 ** 20

test('worthless access tokens take nothing from honest callers: RDTs, refusals and report documents stay known, no mint is asked for again', {
  skip: notLinux,
}, async (t) => {
  const CALLS = 4000
  const flooded = await startFlooded(t)
  const { honest, flood, mints, metric, vitals } = flooded
  await honest()
  assert.deepEqual(await honest(), [])
  const before = { mints: await mints(), entries: await metric('rdt_token_cache_entries'), ...(await vitals()) }
  const outcomes = await honestMeanwhile(flooded, flood(CALLS, worthless))
  assert.deepEqual(
    [...outcomes.keys()].filter((outcome) => !outcome.startsWith('403 ')),
    [],
  )
  const after = { mints: await mints(), entries: await metric('rdt_token_cache_entries'), ...(await vitals()) }
  t.diagnostic(JSON.stringify({ before, after }))
  assert.equal(after.mints, before.mints)
  assert.equal(after.entries, before.entries)
  assert.ok(after.live < before.live + 5 * MB + CALLS * 2048, 'what is remembered of each is small')
  assert.ok(after.descriptors < before.descriptors + 100)
})

test('resources that are asked for once leave the cache before those in use: it keeps its bound, and hot RDTs stay hits', async (t) => {
  const BOUND = 200
  const { ask, flood, token, metric } = await startFlooded(t, {
    plan: { mintRatePerSecond: 1000, mintBurst: 1000 },
    env: { SIDECAR_CACHE_MAX_ENTRIES: `${BOUND}` },
  })
  const specific = (seller: number, n: number) => ({
    target: `/orders/v0/orders/${n}/address`,
    headers: { 'user-agent': 'shop', 'x-amz-access-token': token(seller), 'x-rdt-scope': 'specific' },
  })
  const hot = Array.from({ length: 10 }, (_, n) => specific(0, n))
  for (const one of hot) assert.equal(await ask(one), '200 minted')
  let over = false
  const outcomes = flood(2000, (n) => specific(1, 100 + n), 24).finally(() => {
    over = true
  })
  let most = 0
  while (!over) {
    for (const one of hot) assert.equal(await ask(one), '200 hit')
    most = Math.max(most, await metric('rdt_token_cache_entries'))
  }
  assert.deepEqual([...(await outcomes)], [['200 minted', 2000]])
  const evicted = await metric('rdt_token_evictions_total{reason="capacity"}')
  t.diagnostic(JSON.stringify({ most, evicted }))
  assert.ok(most <= BOUND && most > BOUND / 2, String(most))
  assert.equal(evicted, 2010 - BOUND)
})

test('what worthless access tokens leave in the store ends by itself, and soon', {
  skip: noRedis || notLinux,
}, async (t) => {
  const { redis, flooded, mintsBefore, flood, mints } = await startFloodedStore(t)
  const before = new Set((await redis.dump()).map(({ key }) => key))
  await honestMeanwhile(flooded, flood(600, worthless))
  const left = (await redis.dump()).filter(({ key }) => !before.has(key))
  const lives = left.map(({ ttl }) => ttl)
  t.diagnostic(JSON.stringify({ left: left.length, longestLifeMs: Math.max(...lives) }))
  assert.ok(left.length > 100, 'it has seen them')
  assert.ok(lives.every((ttl) => ttl > 0 && ttl <= 60_000))
  assert.equal(await mints(), mintsBefore)
})
