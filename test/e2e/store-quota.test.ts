/** One usage plan for all replicas; the simulator's bucket is the witness. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Call, type Fleet, startFleet } from '../support/fleet.ts'
import { after, many, until } from '../support/many.ts'
import { resourcesOf } from '../support/pair.ts'
import { noRedis, startRedis } from '../support/redis.ts'

const TOKENS = '/tokens/2021-03-01/restrictedDataToken'
const orderOf = (name: string): string => `/orders/v0/orders/${name}/address`
const SPECIFIC: Call = { headers: { 'x-rdt-scope': 'specific' } }
const ONE_EACH = { SIDECAR_MINT_MAX_RESOURCES: '1', SIDECAR_MINT_MAX_WAIT_MS: '60000' }

/** So many calls to replica `i` at once, an RDT each. */
const askFor = (fleet: Fleet, i: number, name: string, count: number): Promise<string[]> =>
  many(count, (n) => fleet.ask(i, orderOf(`${name}-${n}`), SPECIFIC))

/** The same as mints that the caller makes itself. */
const mintFor = (fleet: Fleet, i: number, name: string, count: number): Promise<string[]> =>
  many(count, (n) => {
    const restrictedResources = [{ method: 'GET', path: orderOf(`${name}-${n}`) }]
    return fleet.ask(i, TOKENS, { method: 'POST', body: JSON.stringify({ restrictedResources }) })
  })

/** Whose the mints were, in the order in which they reached Amazon; by the names that were asked for. */
const namesIn = (mints: Parameters<typeof resourcesOf>[0]): string[] =>
  resourcesOf(mints).map(([resource = '']) => /orders\/(\w+)-/.exec(resource)?.[1] ?? '')

const QUEUED = 'rdt_store_operations_total{operation="quota",outcome="queued"}'

// They wait more than they work.
describe('the usage plan of a fleet', { skip: noRedis, concurrency: 4 }, () => {
  test('the plan is never exceeded, and who needs little does not wait for who needs much', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { replicas: 4, redis, env: { ...ONE_EACH, SIDECAR_MINT_RATE_PER_SECOND: '4' } })
    await fleet.control({ mintRatePerSecond: 4 })
    const much = askFor(fleet, 0, 'much', 40)
    await until(async () => (await fleet.mints()).length >= 10)
    const little = [askFor(fleet, 1, 'a', 4), askFor(fleet, 2, 'b', 4), mintFor(fleet, 3, 'c', 4)]
    const answers = (await Promise.all([much, ...little])).flat()
    assert.deepEqual(new Set(answers), new Set(['200 minted']))
    const mints = await fleet.mints()
    assert.deepEqual(new Set(mints.map(({ status }) => status)), new Set([200]))
    const names = namesIn(mints)
    assert.equal(names.length, 52)
    const lastOfLittle = names.findLastIndex((name) => name !== 'much')
    assert.ok(lastOfLittle < 40, `in turn: ${names}`)
    const first = names.findIndex((name) => name !== 'much')
    assert.ok(names.slice(first, lastOfLittle).includes('much'), `nor the other way round: ${names}`)
  })

  test('Redis dies while the plan is in full use: the shares that are taken from then on do not exceed it', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis, env: { ...ONE_EACH, SIDECAR_MINT_RATE_PER_SECOND: '4' } })
    await fleet.control({ mintRatePerSecond: 4 })
    await until(async () => (await many(2, (i) => fleet.metric(i, 'rdt_store_replicas'))).every((n) => n === 2))
    const asked = [askFor(fleet, 0, 'a', 18), askFor(fleet, 1, 'b', 18)]
    await until(async () => (await fleet.mints()).length >= 16)
    await redis.kill()
    assert.deepEqual(new Set((await Promise.all(asked)).flat()), new Set(['200 minted']))
    const mints = await fleet.mints()
    assert.equal(mints.length, 36)
    assert.deepEqual(new Set(mints.map(({ status }) => status)), new Set([200]))
  })

  test('permits of a replica that is killed come back', async (t) => {
    const redis = await startRedis(t)
    const env = { ...ONE_EACH, SIDECAR_MINT_BURST: '2', SIDECAR_MINT_TIMEOUT_MS: '5000' }
    const fleet = await startFleet(t, { redis, env })
    await askFor(fleet, 0, 'first', 1) // Amazon grants the operation: now several at once are asked for
    await fleet.control({ fail: [{ on: 'mint', times: 2, as: 'hang' }] })
    const lost = askFor(fleet, 0, 'lost', 2).catch(() => 'lost')
    await until(async () => (await fleet.mints()).length === 3)
    const waiting = askFor(fleet, 1, 'kept', 2)
    await until(async () => (await fleet.metric(1, QUEUED)) > 0)
    await fleet.kill(0)
    assert.equal(await lost, 'lost')
    assert.deepEqual(await waiting, ['200 minted', '200 minted'])
    assert.deepEqual(namesIn(await fleet.mints()), ['first', 'lost', 'lost', 'kept', 'kept'])
  })

  test('a rate that Amazon names to one replica is the rate of all, upwards and downwards', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis, env: ONE_EACH })
    await fleet.control({ mintRatePerSecond: 20 })
    await askFor(fleet, 0, 'first', 1)
    const fast = await Promise.all([askFor(fleet, 0, 'fast', 5), askFor(fleet, 1, 'quick', 45)])
    assert.deepEqual(new Set(fast.flat()), new Set(['200 minted']))
    const [first, ...others] = await fleet.mints()
    assert.ok((others.at(-1)?.at ?? 0) - (first?.at ?? 0) < 25_000, 'at 1/s it would take forty seconds')
    await after(2000) // the bucket fills at 20/s
    await fleet.control({ mintRatePerSecond: 1 })
    await askFor(fleet, 0, 'slow', 8)
    await askFor(fleet, 1, 'sluggish', 6)
    const mints = await fleet.mints()
    assert.equal(mints.length, 65)
    assert.deepEqual(new Set(mints.map(({ status }) => status)), new Set([200]))
  })
})
