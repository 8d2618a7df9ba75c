/** Whatever becomes of Redis: calls go on, and what is shared is shared again when it is back. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { after, many, until } from '../support/many.ts'
import { noRedis, type Redis, startRedis } from '../support/redis.ts'
import { startRoad } from '../support/road.ts'

const skip = noRedis
const ADDRESS = '/orders/v0/orders/902-1/address'
const PASSWORD = 'hush'

/** Passes everything on to `port`, later than it came where it is told to. */
const slowRoad = async (t: TestContext, port: number) => {
  let delayMs = 0
  const pass = async (from: Socket, to: Socket): Promise<void> => {
    for await (const chunk of from) {
      if (delayMs > 0) await after(delayMs)
      to.write(chunk)
    }
    to.destroy()
  }
  const own = await startRoad(t, port, (near, far) => {
    pass(near, far).catch(() => far.destroy())
    pass(far, near).catch(() => near.destroy())
  })
  return {
    port: own,
    /** Milliseconds that each packet takes from now on. */
    delay: (ms: number): void => {
      delayMs = ms
    },
  }
}

type Road = Awaited<ReturnType<typeof slowRoad>>
type Trouble = {
  readonly what: string
  readonly begin: (redis: Redis, road: Road) => unknown
  /** Left out where it passes by itself. */
  readonly end?: (redis: Redis, road: Road) => unknown
  /** Some of it still works, or it is over soon. */
  readonly mayPassUnnoticed?: true
}
const TROUBLES: readonly Trouble[] = [
  { what: 'stopped', begin: (redis) => redis.stop(), end: (redis) => redis.restart() },
  { what: 'frozen', begin: (redis) => redis.freeze(), end: (redis) => redis.thaw() },
  { what: 'restarted', begin: (redis) => redis.restart(), mayPassUnnoticed: true },
  { what: 'slow', begin: (_, road) => road.delay(700), end: (_, road) => road.delay(0) },
  { what: 'flushed', begin: (redis) => redis.flush(), mayPassUnnoticed: true },
  {
    what: 'full',
    begin: (redis) => redis.cli('CONFIG', 'SET', 'maxmemory', '1kb'),
    end: (redis) => redis.cli('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    what: 'behind another password',
    begin: (redis) => redis.changePassword('another'),
    end: (redis) => redis.changePassword(PASSWORD),
  },
  {
    what: 'a replica, of which nothing may be written',
    begin: (redis) => redis.cli('REPLICAOF', '127.0.0.1', 1),
    end: (redis) => redis.cli('REPLICAOF', 'NO', 'ONE'),
  },
]

/** Four callers at each replica, one call after the other; every tenth for an order that nobody has asked for yet. */
const startLoad = (t: TestContext, fleet: Fleet) => {
  let going = true
  const served = Array.from({ length: fleet.size() }, () => ({ calls: 0, orders: 0 }))
  const failures: string[] = []
  const caller = async (n: number): Promise<void> => {
    const i = n % fleet.size()
    const count = served[i] as { calls: number; orders: number }
    for (let k = n; going; k += 1) {
      const isNew = k % 10 === 0
      const target = isNew ? `/orders/v0/orders/902-${n}-${k}/address` : ADDRESS
      const answer = await fleet
        .ask(i, target, { headers: { 'x-rdt-scope': isNew ? 'specific' : 'generic' } })
        .catch(String)
      if (!answer.startsWith('200 ')) failures.push(`${i} ${target}: ${answer}`)
      count.calls += 1
      if (isNew) count.orders += 1
      await after(50)
    }
  }
  const callers = many(fleet.size() * 4, caller)
  const stop = async (): Promise<void> => {
    going = false
    await callers
  }
  t.after(stop)
  return {
    failures,
    stop,
    /** Every replica has served more calls since, for new orders too. */
    goesOn: async (): Promise<void> => {
      const before = served.map((count) => ({ ...count }))
      await until(() =>
        served.every((count, i) => {
          const { calls, orders } = before[i] as { calls: number; orders: number }
          return count.calls >= calls + 20 && count.orders >= orders + 3
        }),
      )
    },
  }
}

const unreachable = async (fleet: Fleet): Promise<number[]> =>
  many(fleet.size(), (i) => fleet.metric(i, 'rdt_store_unreachable'))
const untilAll = (fleet: Fleet, value: 0 | 1): Promise<void> =>
  until(async () => (await unreachable(fleet)).every((one) => one === value))

test('Redis stopped, frozen, restarted, slow, flushed, full, with another password, failed over, under load: no call fails, and it is used again', {
  skip,
}, async (t) => {
  const redis = await startRedis(t, { password: PASSWORD })
  const road = await slowRoad(t, redis.port)
  const env = {
    SIDECAR_STORE_URL: `redis://127.0.0.1:${road.port}`,
    SIDECAR_STORE_TIMEOUT_MS: '250',
    SIDECAR_MINT_RATE_PER_SECOND: '30',
    SIDECAR_RDT_EXPIRY_MARGIN_MS: '500',
  }
  const fleet = await startFleet(t, { replicas: 3, redis, env })
  await fleet.control({ mintRatePerSecond: 30, rdtSeconds: 6 })
  await until(async () => (await many(3, (i) => fleet.metric(i, 'rdt_store_replicas'))).every((count) => count === 3))
  const load = startLoad(t, fleet)
  for (const { what, begin, end, mayPassUnnoticed } of TROUBLES) {
    await load.goesOn()
    await begin(redis, road)
    if (!mayPassUnnoticed) await untilAll(fleet, 1)
    await load.goesOn()
    assert.deepEqual(await many(3, fleet.ready), [200, 200, 200], what)
    await end?.(redis, road)
    await untilAll(fleet, 0)
    assert.deepEqual(load.failures.slice(0, 5), [], what)
  }
  await load.goesOn()
  await load.stop()
  assert.deepEqual(load.failures.slice(0, 5), [])
  assert.deepEqual(await fleet.throttled(), [])
})

test('sidecars that start while Redis is away serve at once, and share when it is there', { skip }, async (t) => {
  const redis = await startRedis(t)
  await redis.stop()
  const fleet = await startFleet(t, { redis })
  assert.deepEqual(await many(2, fleet.ready), [200, 200])
  assert.deepEqual(await many(2, (i) => fleet.ask(i, ADDRESS)), ['200 minted', '200 minted'])
  assert.deepEqual(await unreachable(fleet), [1, 1])
  assert.deepEqual(await many(2, async (i) => (await storeOf(fleet, i)).state), ['alone', 'alone'])
  await redis.restart()
  await untilAll(fleet, 0)
  await until(async () => (await many(2, async (i) => (await storeOf(fleet, i)).replicas)).every((n) => n === 2))
  const before = (await fleet.mints()).length
  const answers = await many(2, (i) => fleet.ask(i, '/mfn/v0/shipments/1'))
  assert.ok(answers.every((answer) => answer.startsWith('200 ')))
  assert.equal((await fleet.mints()).length, before + 1)
})

const storeOf = async (fleet: Fleet, i: number) =>
  ((await fleet.status(i)) as { store: { state: string; replicas: number } }).store

test('a wrong password is mended in its file, without a restart', { skip }, async (t) => {
  const redis = await startRedis(t, { password: PASSWORD })
  const fleet = await startFleet(t, { redis, replicas: 1 })
  const passwordFile = fleet.fileOf('wrong-password', 'wrong')
  const wrong = await fleet.add({ SIDECAR_STORE_PASSWORD_FILE: passwordFile })
  assert.equal(await fleet.ask(0, ADDRESS), '200 minted')
  assert.equal(await fleet.ask(wrong, ADDRESS), '200 minted')
  assert.deepEqual(await unreachable(fleet), [0, 1])
  writeFileSync(passwordFile, `${PASSWORD}\n`)
  await untilAll(fleet, 0)
  const before = (await fleet.mints()).length
  for (const i of [0, wrong]) assert.match(await fleet.ask(i, '/mfn/v0/shipments/1'), /^200 /)
  assert.equal((await fleet.mints()).length, before + 1)
})
