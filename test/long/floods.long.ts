/** Floods that go past every bound: what is remembered of the worthless fills its room, and no more; the honest keep theirs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { honestMeanwhile, ownMint, startFlooded, startFloodedStore, TOKENS_API, worthless } from '../support/floods.ts'
import { many, until } from '../support/many.ts'
import { noRedis } from '../support/redis.ts'

const MB = 2 ** 20
const mbOf = (bytes: number): number => Math.round((bytes / MB) * 10) / 10

test('32,000 worthless access tokens, more than there is room for, take nothing from the honest; others after them, and no more memory is held', async (t) => {
  const flooded = await startFlooded(t)
  const { honest, flood, mints, metric, vitals } = flooded
  await honest()
  assert.deepEqual(await honest(), [])
  const mintsBefore = await mints()
  const before = await vitals()
  const wave = async (from: number, calls: number): Promise<void> => {
    // Half of the first are refused a mint; the second tell of report documents.
    for (const [count, nth] of [
      [calls * 2, (n: number) => n],
      [calls, (n: number) => n * 6 + 2],
    ] as const)
      await honestMeanwhile(
        flooded,
        flood(count, (n) => worthless(nth(from + n))),
      )
  }
  const began = performance.now()
  await wave(0, 10_800) // there is room for 10,000 of either
  const seconds = Math.round((performance.now() - began) / 1000)
  const once = await vitals()
  await wave(1_000_000, 3000)
  const twice = await vitals()
  t.diagnostic(
    JSON.stringify({
      calls: [32_400, 9000],
      honestMints: (await mints()) - mintsBefore,
      liveMb: [before, once, twice].map(({ live }) => mbOf(live)),
      rssMb: [before, once, twice].map(({ rss }) => mbOf(rss)),
      descriptors: [before, once, twice].map(({ descriptors }) => descriptors),
      seconds,
    }),
  )
  assert.equal(await mints(), mintsBefore)
  assert.equal(await metric('rdt_token_evictions_total{reason="capacity"}'), 0)
  assert.ok(once.live - before.live < 64 * MB, 'what is remembered of 20,000 of them')
  assert.ok(twice.live - once.live < 4 * MB)
})

test('120,000 resources that are asked for once: the default cache keeps its bound, and a flush gives the memory back', async (t) => {
  const MINTS = 2400
  const { flood, token, metric, vitals, sidecar } = await startFlooded(t, {
    plan: { mintRatePerSecond: 1000, mintBurst: 1000 },
  })
  const headers = { 'content-type': 'application/json', 'user-agent': 'shop', 'x-amz-access-token': token(0) }
  const fifty = (n: number) => Array.from({ length: 50 }, (_, i) => `/orders/v0/orders/${n * 50 + i}/address`)
  const mint = (n: number) => ({ method: 'POST', target: TOKENS_API, body: ownMint(...fifty(n)), headers })
  await flood(10, mint)
  const flush = async (): Promise<void> => {
    await fetch(`${sidecar.admin}/flush`, { method: 'POST' })
  }
  await flush()
  const before = await vitals()
  let most = 0
  let over = false
  const watching = many(1, async () => {
    while (!over) most = Math.max(most, await metric('rdt_token_cache_entries'))
  })
  const outcomes = await flood(MINTS, (n) => mint(1000 + n), 16)
  over = true
  await watching
  const full = await vitals()
  await flush()
  const flushed = await vitals()
  const evicted = await metric('rdt_token_evictions_total{reason="capacity"}')
  const liveMb = [before, full, flushed].map(({ live }) => mbOf(live))
  t.diagnostic(JSON.stringify({ resources: MINTS * 50, most, evicted, liveMb }))
  assert.deepEqual([...outcomes], [['200 minted', MINTS]])
  assert.equal(most, 100_000)
  assert.ok(evicted >= 20_000)
  assert.ok(full.live - before.live < 150 * MB)
  assert.ok(flushed.live - before.live < 8 * MB)
})

test('the store is as it was, within seconds', { skip: noRedis }, async (t) => {
  const { redis, flooded, mintsBefore, flood, mints, honest } = await startFloodedStore(t)
  const size = async (): Promise<number> => Number(await redis.cli('DBSIZE'))
  const before = await size()
  await honestMeanwhile(flooded, flood(6000, worthless))
  const most = await size()
  const from = performance.now()
  await until(async () => (await size()) <= before, 60_000)
  t.diagnostic(JSON.stringify({ keys: [before, most, await size()], seconds: (performance.now() - from) / 1000 }))
  assert.ok(most > before + 500)
  assert.deepEqual(await honest(), [])
  assert.equal(await mints(), mintsBefore)
})
