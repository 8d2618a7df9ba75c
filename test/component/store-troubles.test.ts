/** A store that says what is not so: of replicas, of lives, of databases. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MintResult } from '../../src/rdt/desk.ts'
import { lifeOf } from '../../src/rdt/refusals.ts'
import { many, until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { minted, newKey, orderFor, refusal, startReplica, textOf } from '../support/replicas.ts'

const noMint = (): Promise<MintResult> => Promise.reject(new Error('it was not to be minted'))

describe('a store that is not to be believed', { skip: noRedis, concurrency: 4 }, () => {
  test('one that comes back empty, and goes again, twice: each of three replicas takes a third of the plan', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const replicas = await many(3, () => startReplica(t, redis, { keys }))
    const counted = () => replicas.map(({ store }) => store.status().replicas)
    await until(() => counted().every((count) => count === 3))
    for (let round = 1; round <= 2; round += 1) {
      const beats = replicas.map((one) => one.beats())
      await redis.restart()
      await until(() => replicas.some((one, i) => one.beats() > (beats[i] ?? 0)))
      assert.deepEqual(counted(), [3, 3, 3], 'who beats first is alone there, and knows of the others')
      await redis.kill()
      await until(() => replicas.every(({ store }) => store.status().state === 'alone'))
      for (const one of replicas) one.pass(10_000) // by then it would believe what it was told for so long
    }
    const shares = replicas.flatMap(({ lost }) => lost.map(({ share }) => share))
    assert.deepEqual(new Set(shares), new Set([1 / 3]))
  })

  test('a database that is not there: alone, with a code; nothing is put into database 0 in its place', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b] = await many(2, () => startReplica(t, redis, { keys, url: { db: 99 } }))
    assert.ok(a && b)
    const clients = async () =>
      Number(/total_connections_received:(\d+)/.exec(String(await redis.cli('INFO', 'stats')))?.[1])
    const before = await clients()
    let calls = 0
    await until(async () => {
      for (const one of [a, b]) {
        calls += 1
        assert.equal(textOf(await one.once(async () => minted(`${calls}`))), `minted ${calls}`)
        assert.equal(one.store.status().state, 'alone')
      }
      return (await clients()) > before + calls / 2 + 6 // ours, and six of theirs
    })
    for (const { lost, counts } of [a, b]) assert.deepEqual([lost.map(({ code }) => code), counts.found], [['ERR'], 0])
    assert.equal(await redis.cli('DBSIZE'), 0)
  })

  test('a refusal that somebody has prolonged is not remembered longer than Amazon’s no is', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b] = await many(2, () => startReplica(t, redis, { keys }))
    assert.ok(a && b)
    const no = refusal(403, 'Access denied')
    await a.once(async () => no)
    const names = (await redis.dump()).filter(({ type }) => type === 'string').map(({ key }) => key)
    assert.equal(names.length, 1)
    for (const name of names) await redis.cli('PEXPIRE', name, 3_600_000)
    const remember = t.mock.method(b.refusals, 'remember')
    assert.equal(textOf(await b.once(noMint)), 'refused')
    const [, , lifeMs = Number.NaN] = remember.mock.calls[0]?.arguments ?? []
    assert.ok(lifeMs > 0 && lifeMs <= lifeOf(no), `${lifeMs} ms`)
  })

  test('a refusal of which the store says that it never ends is none', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b] = await many(2, () => startReplica(t, redis, { keys }))
    assert.ok(a && b)
    await a.once(async () => refusal())
    for (const { key, type } of await redis.dump()) if (type === 'string') await redis.cli('PERSIST', key)
    assert.equal(textOf(await b.once(async () => minted('1'))), 'minted 1')
    assert.equal(b.refusals.of(orderFor('/orders/1')), undefined)
  })
})
