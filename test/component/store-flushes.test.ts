/** Flushes that overtake, or meet, what is on its way to the store or back. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import type { MintResult } from '../../src/rdt/desk.ts'
import { until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { minted, newKey, orderFor, refusal, startReplica, textOf } from '../support/replicas.ts'
import { startRoad } from '../support/road.ts'

const PATIENT_MS = 5000 // a frozen store is one in time
const orders = orderFor('/orders/1')
const mint = (token: string) => async () => minted(token)
const refuse = async () => refusal()
/** What was asked by now is on its way to the store. */
const sent = () => new Promise(setImmediate)
const noMint = (): Promise<MintResult> => Promise.reject(new Error('it was not to be minted'))

const start = async (t: TestContext) => {
  const redis = await startRedis(t)
  const keys = [newKey()]
  const add = (port = redis.port) => startReplica(t, { port }, { keys, timeoutMs: PATIENT_MS })
  const a = await add()
  return { redis, add, a, b: await add() }
}

/** Passes everything on to `port`; answers wait while they are held back, and then come in one. */
const heldRoad = async (t: TestContext, port: number) => {
  let held: Buffer[] | undefined
  let home: Socket | undefined
  const own = await startRoad(t, port, (near, far) => {
    home = near
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => (held ? held.push(chunk) : near.write(chunk)))
  })
  return {
    port: own,
    hold: (): void => {
      held = []
    },
    /** Answers that wait. */
    held: (): string => Buffer.concat(held ?? []).toString('latin1'),
    release: (): void => {
      home?.write(Buffer.concat(held ?? []))
      held = undefined
    },
  }
}

describe('flushes of a store that is shared', { skip: noRedis, concurrency: 4 }, () => {
  test('a flush while a claim is on its way: the RDT of before is not given to anybody', async (t) => {
    const { redis, a, b } = await start(t)
    await a.once(mint('of before'))
    redis.freeze()
    const claimed = b.once(mint('of after'))
    await sent()
    b.store.flush(undefined)
    redis.thaw()
    assert.equal(textOf(await claimed), 'minted of after')
    assert.deepEqual(b.asked().slice(0, 1), ['claim hit'], 'it was on its way')
  })

  test('a flush while a claim is on its way: the refusal of before is neither given nor remembered', async (t) => {
    const { redis, a, b } = await start(t)
    await a.once(refuse)
    redis.freeze()
    const claimed = b.once(mint('of after'))
    await sent()
    b.store.flush('orders')
    redis.thaw()
    assert.equal(textOf(await claimed), 'minted of after')
    assert.equal(b.refusals.of(orders), undefined)
    assert.deepEqual(b.asked().slice(0, 1), ['claim hit'], 'it was on its way')
  })

  test('the answer to a claim and word of another replica’s flush come in one: the RDT of before is not given', async (t) => {
    const { redis, add, a } = await start(t)
    await a.once(mint('of before'))
    const road = await heldRoad(t, redis.port)
    const b = await add(road.port)
    road.hold()
    const claimed = b.once(mint('of after'))
    await until(() => road.held().includes('value'))
    a.store.flush(undefined)
    await until(() => a.asked().includes('flush ok'))
    const before = road.held().length
    await until(() => road.held().slice(before).includes('any')) // a beat's answer names the flushes
    road.release()
    assert.equal(textOf(await claimed), 'minted of after')
    assert.deepEqual(b.flushed, [undefined])
  })

  test('who asked before the credential came to speak for somebody else is answered, and nothing of that is remembered', async (t) => {
    const { a, b } = await start(t)
    await a.once(refuse)
    assert.equal(textOf(await b.once(noMint, { stale: () => true })), 'refused')
    assert.equal(b.refusals.of(orders), undefined)
    assert.equal(textOf(await b.once(noMint)), 'refused')
    assert.deepEqual(b.refusals.of(orders), refusal())
  })

  test('what is minted in the very millisecond of a flush counts: nobody mints it once more', async (t) => {
    const { a, b } = await start(t)
    const again: number[] = []
    for (let round = 0; round < 100; round += 1) {
      a.store.flush(undefined)
      await a.once(mint(`of round ${round}`))
      if (textOf(await b.once(mint('once more'))) !== `elsewhere of round ${round}`) again.push(round)
    }
    assert.deepEqual(again, [])
  })
})
