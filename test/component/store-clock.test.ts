/** The store's clock is put forward and back, under replicas whose own goes on. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { MintResult } from '../../src/rdt/desk.ts'
import { LOCK_MS } from '../../src/store/shared-rdts.ts'
import { many, until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { heldMint, minted, newKey, refusal, startReplica, textOf } from '../support/replicas.ts'
import { DAY_MS, HOUR_MS, noFaketime, startWallClock } from '../support/wall-clock.ts'

const noMint = (): Promise<MintResult> => Promise.reject(new Error('it was not to be minted'))
const mint = (token: string) => async () => minted(token)

const start = async (t: TestContext, count: number) => {
  const clock = startWallClock(t)
  const redis = await startRedis(t, { through: clock.through })
  const keys = [newKey()]
  const add = () => startReplica(t, redis, { keys })
  const [a, b, c] = await many(count, add)
  assert.ok(a)
  return { clock, redis, add, a, b: b ?? a, c: c ?? a }
}

describe('a store whose clock jumps', { skip: noRedis || noFaketime, concurrency: 4 }, () => {
  for (const ms of [-HOUR_MS / 2, -DAY_MS])
    test(`${ms / -60_000} minutes back: no RDT of before is taken for one that lives longer than it does; those of after are shared`, async (t) => {
      const { clock, a, b, c } = await start(t, 3)
      await a.once(mint('before'))
      clock.put(ms)
      assert.equal(textOf(await b.once(mint('after'))), 'minted after')
      const result = await c.once(noMint)
      assert.equal(textOf(result), 'elsewhere after')
      const { expiresAt = Number.NaN } = result.kind === 'minted' ? result.rdt : {}
      assert.ok(expiresAt - performance.now() <= HOUR_MS + 1000, `${expiresAt - performance.now()} ms`)
    })

  test('seconds back, as after a failover: an RDT is shared, and lives no longer than from its mint', async (t) => {
    const { clock, a, b } = await start(t, 2)
    await a.once(mint('1'))
    clock.put(-3000)
    const result = await b.once(noMint)
    const { expiresAt = Number.NaN } = result.kind === 'minted' ? result.rdt : {}
    assert.ok(expiresAt - performance.now() <= HOUR_MS + 1000, `${expiresAt - performance.now()} ms`)
  })

  test('a day back: a refusal of before is not one of after', async (t) => {
    const { clock, a, b } = await start(t, 2)
    await a.once(async () => refusal())
    clock.put(-DAY_MS)
    assert.equal(textOf(await b.once(mint('1'))), 'minted 1')
  })

  test('a day back: nobody waits for a replica that died while it minted', async (t) => {
    const { clock, redis, a, b } = await start(t, 2)
    const held = heldMint()
    const first = a.once(held.mint)
    await held.begun
    const [lock] = (await redis.dump()).filter(({ contents }) => /^\d+: /.test(contents))
    assert.ok(lock)
    held.answer({ kind: 'throttled', retryAfterS: 1 })
    await first
    await redis.cli('SET', lock.key, lock.contents, 'PX', LOCK_MS)
    clock.put(-DAY_MS)
    assert.ok(Number(await redis.cli('PTTL', lock.key)) > DAY_MS)
    assert.equal(textOf(await b.once(mint('1'))), 'minted 1')
  })

  for (const [what, ms] of [
    ['a day back', -DAY_MS],
    ['a day forward', DAY_MS],
  ] as const)
    test(`${what}: who mints keeps the others waiting; a flush reaches all; who is there is counted, who is gone is not`, async (t) => {
      const { clock, redis, add, a, b } = await start(t, 2)
      await until(() => [a, b].every(({ store }) => store.status().replicas === 2))
      const list = (await redis.dump()).find(({ type }) => type === 'zset')?.key ?? ''
      await redis.cli('ZADD', list, Date.now(), 'gone')
      await until(() => a.store.status().replicas === 3)
      clock.put(ms)
      await a.flush()
      await until(() => b.flushed.length === 1)
      const beats = [a, b].map((one) => one.beats())
      await until(() => [a, b].every((one, i) => one.beats() >= (beats[i] ?? 0) + 2))
      for (const one of [a, b]) one.pass(10_000) // by then it believes that there are fewer
      await until(() => [a, b].every(({ store }) => store.status().replicas === 2))
      const late = await add()
      await until(() => late.store.status().replicas === 3)
      const held = heldMint()
      const first = a.once(held.mint)
      await held.begun
      const second = b.once(noMint)
      await until(() => b.asked().includes('claim held'))
      held.answer(minted('1'))
      assert.deepEqual([textOf(await first), textOf(await second)], ['minted 1', 'elsewhere 1'])
      for (const { bugs, lost } of [a, b, late]) assert.deepEqual([bugs, lost], [[], []])
    })
})
