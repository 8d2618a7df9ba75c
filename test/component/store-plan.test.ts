import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import type { Permit, SharedPlan } from '../../src/rdt/fleet.ts'
import { createLimiter } from '../../src/rdt/limiter.ts'
import { createSealer } from '../../src/store/sealer.ts'
import { createSharedPlan, type SharedPlanOptions } from '../../src/store/shared-plan.ts'
import { after, many, until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { caller, newKey, now, ORIGIN, seller, startReplica } from '../support/replicas.ts'

const keys = [newKey()]
const whose = { origin: ORIGIN, credential: caller() }
const answered = { throttled: false, told: undefined }
const drawing = (burst: number, intervalMs: number) => ({ burst, intervalMs: () => intervalMs, onRate: () => {} })
const success = async () => ({ kind: 'success' })
const wanted = () => true

/** A permit, and what was asked with it is answered. */
const used = async (plan: SharedPlan, burst: number): Promise<'shared' | 'own'> => {
  const permit = await plan.permit(drawing(burst, 60_000))
  permit.answered(answered)
  return permit.shared ? 'shared' : 'own'
}

/** How many can be used at once. */
const usedUp = async (plan: SharedPlan, burst: number): Promise<number> => {
  let count = 0
  let ended = false
  const useAll = async () => {
    for (; !ended; count += 1) await used(plan, burst)
  }
  void useAll()
  await until(() => plan.waitMs(1) > 0)
  ended = true
  return count
}

/** Of a replica that has never seen the store, by a clock that the test turns. */
const alone = (t: TestContext, share: () => number, options: Partial<SharedPlanOptions> = {}) => {
  let time = 1000
  const taken: Permit[] = []
  t.after(() => {
    for (const permit of taken) permit.answered(answered)
    time = Number.MAX_SAFE_INTEGER // who still waits gets a permit: nobody keeps the process alive
    taken.push = (permit) => Number(permit.unused())
  })
  const plan = createSharedPlan({
    ask: async () => undefined,
    sealer: () => createSealer(keys),
    replica: 'a',
    ...whose,
    leaseMs: 1000,
    share,
    now: () => time,
    random: () => 1,
    ...options,
  })
  return {
    plan,
    pass: (ms: number) => {
      time += ms
    },
    answerAll: () => {
      for (const permit of taken.splice(0)) permit.answered(answered)
    },
    /** Takes permits of a plan of burst 10, one each 100 ms, until there is none; resolves to how many there were. */
    drain: async (): Promise<number> => {
      for (let count = 0; ; count += 1) {
        let is = false
        void plan.permit(drawing(10, 100)).then((permit) => {
          is = true
          taken.push(permit)
        })
        await new Promise(setImmediate)
        if (!is) return count
      }
    },
  }
}

describe('the usage plan that replicas share', { skip: noRedis, concurrency: 4 }, () => {
  for (const [share, burst, waitMs] of [
    [1, 10, 100],
    [0.5, 5, 200],
    [0.25, 2, 400],
    [0.01, 1, 10_000],
  ] as const)
    test(`alone, with a share of ${share}: ${burst} at once, then one each ${waitMs} ms`, async (t) => {
      const { plan, drain, pass } = alone(t, () => share)
      assert.equal(await drain(), burst)
      assert.deepEqual([plan.waitMs(1), plan.waitMs(3)], [waitMs, 3 * waitMs])
      pass(waitMs / 4)
      assert.equal(plan.waitMs(1), (waitMs * 3) / 4)
    })

  test('alone, permits come back one by one, from the answers on', async (t) => {
    const { plan, drain, pass, answerAll } = alone(t, () => 0.5)
    for (let i = 0; i < 5; i += 1) {
      const permit = await plan.permit(drawing(10, 100))
      pass(1000)
      permit.answered(answered)
    }
    assert.equal(await drain(), 4, 'the last one has been answered now')
    assert.equal(plan.waitMs(1), 200)
    answerAll()
    pass(3 * 200)
    await until(() => plan.waitMs(1) === 0)
  })

  test('alone, a permit that nobody wanted costs nothing, and one that is back is one', async (t) => {
    const { plan, drain, pass } = alone(t, () => 0.2)
    for (let i = 0; i < 5; i += 1) (await plan.permit(drawing(10, 100))).unused()
    const permit = await plan.permit(drawing(10, 100))
    assert.equal(permit.shared, false)
    permit.answered(answered)
    pass(500)
    assert.equal(await drain(), 2)
  })

  test('the whole plan for one who has never seen others, a share for each of those last seen', async (t) => {
    const redis = await startRedis(t)
    const first = await startReplica(t, redis, { keys })
    assert.equal(first.store.status().replicas, 1)
    const others = [await startReplica(t, redis, { keys }), await startReplica(t, redis, { keys, share: 0.8 })]
    const all = [first, ...others]
    await until(() => all.every(({ store }) => store.status().replicas === 3))
    await redis.kill()
    await until(() => all.every(({ lost }) => lost.length === 1))
    assert.deepEqual(
      all.map(({ lost }) => lost[0]?.share),
      [1 / 3, 1 / 3, 0.8],
    )
    const nobody = await startReplica(t, redis, { keys })
    assert.equal(nobody.lost[0]?.share, 1)
    const plan = first.store.planOf(whose)
    for (let i = 0; i < 3; i += 1) assert.equal(await used(plan, 10), 'own')
    void plan.permit(drawing(10, 60_000))
    await until(() => plan.waitMs(1) > 0)
    assert.ok(plan.waitMs(1) > 170_000 && plan.waitMs(1) <= 180_000, `${plan.waitMs(1)}`)
  })

  test('its own share of a seller’s plan is one, however often the seller’s desk is forgotten', async (t) => {
    const redis = await startRedis(t)
    await redis.kill()
    const { store } = await startReplica(t, redis, { keys, share: 0.2 })
    assert.equal(await used(store.planOf(whose), 10), 'own')
    assert.equal(await used(store.planOf({ ...whose, credential: caller() }), 10), 'own')
    void store.planOf(whose).permit(drawing(10, 60_000))
    await until(() => store.planOf(whose).waitMs(1) > 0)
    for (const other of [
      { ...whose, credential: caller('Atza|2') },
      { ...whose, origin: 'https://eu' },
    ]) {
      await store.planOf(other).permit(drawing(10, 60_000))
      assert.equal(store.planOf(other).waitMs(1), 0)
    }
  })

  test('who waits for its own share takes a shared permit soon after the store is back', async (t) => {
    const redis = await startRedis(t)
    await redis.kill()
    const { store } = await startReplica(t, redis, { keys, share: 0.1 })
    const plan = store.planOf(whose)
    assert.equal(await used(plan, 2), 'own')
    const waiting = plan.permit(drawing(2, 60_000))
    await until(() => plan.waitMs(1) > 0)
    assert.ok(plan.waitMs(1) > 500_000)
    await redis.restart()
    assert.equal((await waiting).shared, true)
    assert.equal(plan.waitMs(1), 0)
  })

  test('its own share begins as full as the plan of all was', async (t) => {
    const redis = await startRedis(t)
    const { store, lost } = await startReplica(t, redis, { keys })
    const plan = store.planOf(whose)
    for (let i = 0; i < 3; i += 1) assert.equal(await used(plan, 3), 'shared')
    await redis.kill()
    await until(() => lost.length > 0)
    const own = await usedUp(plan, 3)
    assert.equal(own, 0)
  })

  test('what it takes of its own comes on top of what is on its way back to all', async (t) => {
    const redis = await startRedis(t)
    const { store, lost } = await startReplica(t, redis, { keys })
    const plan = store.planOf(whose)
    for (let i = 0; i < 2; i += 1) assert.equal(await used(plan, 5), 'shared')
    await redis.kill()
    await until(() => lost.length > 0)
    assert.equal(await usedUp(plan, 5), 3)
  })

  test('of those who wait at one replica one asks the store', async (t) => {
    const { store, asked } = await startReplica(t, await startRedis(t), { keys })
    const plan = store.planOf(whose)
    await used(plan, 1)
    for (let i = 0; i < 10; i += 1) void plan.permit(drawing(1, 60_000))
    await until(() => asked().includes('quota queued'))
    await after(50)
    assert.equal(asked().filter((one) => one === 'quota queued').length, 1)
  })

  test('a 429 of one is all others’, and leaves the local queue alone', async (t) => {
    const redis = await startRedis(t)
    const [a, b] = await many(2, () => startReplica(t, redis, { keys }))
    assert.ok(a && b)
    const { permit } = a.store.planOf(whose)
    const shared = { permit, waitMs: () => 0 }
    const limiter = createLimiter({ ratePerSecond: 0.01, burst: 3, now, random: () => 1, shared, onFull: () => {} })
    await limiter.run(async () => ({ kind: 'throttled' }), wanted)
    assert.equal(limiter.waitMs(2), 0)
    await until(() => a.asked().includes('quota settled'))
    void b.store.planOf(whose).permit(drawing(3, 100_000))
    await until(() => b.asked().includes('quota queued'))
  })

  test('a bucket that was lost begins as full as it was, less what was taken meanwhile', async (t) => {
    const redis = await startRedis(t)
    const { store, lost, counts } = await startReplica(t, redis, { keys, share: 0.25 })
    const plan = store.planOf(whose)
    for (let i = 0; i < 2; i += 1) assert.equal(await used(plan, 12), 'shared')
    await redis.kill()
    await until(() => lost.length > 0)
    assert.equal(await used(plan, 12), 'own')
    await redis.restart()
    await until(() => counts.found > 0)
    assert.equal(await usedUp(plan, 12), 9, 'of the twelve two had been taken, and one')
  })

  test('a permit that comes too late is given back', async (t) => {
    const redis = await startRedis(t)
    const { store, asked } = await startReplica(t, redis, { keys, timeoutMs: 50 })
    const plan = store.planOf(whose)
    redis.freeze()
    assert.equal(await used(plan, 3), 'own')
    redis.thaw()
    await until(() => asked().includes('quota settled'))
    const [bucket] = (await redis.dump()).filter(({ contents }) => contents.includes('full'))
    assert.ok(bucket && !/^l:/m.test(bucket.contents), bucket?.contents)
  })

  test('a rate that others have heard of reaches who waits', async (t) => {
    const redis = await startRedis(t)
    const [a, b] = await many(2, () => startReplica(t, redis, { keys }))
    assert.ok(a && b)
    const first = await a.store.planOf(whose).permit(drawing(1, 300))
    const rates: number[] = []
    const waiting = b.store.planOf(whose).permit({ ...drawing(1, 300), onRate: (rate) => void rates.push(rate) })
    await until(() => b.asked().includes('quota queued'))
    first.answered({ throttled: false, told: 7 })
    await until(() => rates.length > 0)
    assert.equal(rates[0], 7)
    ;(await waiting).unused()
  })

  test('one plan for all replicas: of the same credential, endpoint and account alone', async (t) => {
    const redis = await startRedis(t)
    const [a, b] = [await startReplica(t, redis, { keys }), await startReplica(t, redis, { keys })]
    const same = [
      [whose, { ...whose, credential: { id: 'as the other replica has it', token: 'Atza|1' } }],
      [
        { ...whose, credential: seller('one') },
        { ...whose, credential: seller('two') },
      ],
    ] as const
    for (const [mine, yours] of same) {
      const used = await a.store.planOf(mine).permit(drawing(1, 60_000))
      const waiting = b.store.planOf(yours).permit(drawing(1, 60_000))
      await until(() => b.store.planOf(yours).waitMs(1) > 50_000)
      const between = b.store.planOf(yours).waitMs(3) - b.store.planOf(yours).waitMs(1)
      assert.ok(Math.abs(between - 120_000) < 100, `${between}`)
      used.unused()
      ;(await waiting).unused()
    }
    await a.store.planOf(whose).permit(drawing(1, 60_000))
    for (const other of [
      { ...whose, credential: caller('Atza|2') },
      { ...whose, origin: 'https://eu' },
      { ...whose, credential: seller('three', ['client', 'Atzr|2']) },
      { ...whose, credential: seller('four', ['other client', 'Atzr|1']) },
    ])
      assert.ok((await b.store.planOf(other).permit(drawing(1, 60_000))).shared)
  })

  test('permits of a replica that has died are another’s when their lease has ended', async (t) => {
    const redis = await startRedis(t)
    const from = now()
    const [dead, alive] = [
      await startReplica(t, redis, { keys, mintMs: 200 }),
      await startReplica(t, redis, { keys, mintMs: 200 }),
    ]
    await dead.store.planOf(whose).permit(drawing(1, 50))
    const permit = await alive.store.planOf(whose).permit(drawing(1, 50))
    assert.ok(permit.shared)
    const tookMs = now() - from
    assert.ok(tookMs >= 1250, `a mint's 200 ms, a second to spare, and an interval: ${tookMs}`)
  })

  test('a replica has one place in the line, however many wait in it', async (t) => {
    const redis = await startRedis(t)
    const replicas = [await startReplica(t, redis, { keys }), await startReplica(t, redis, { keys })]
    const served: number[] = []
    const limiters = replicas.map(({ store }) =>
      createLimiter({
        ratePerSecond: 20,
        burst: 1,
        now,
        random: () => 1,
        shared: store.planOf(whose),
        onFull: () => {},
      }),
    )
    const mint = (i: number) => async () => ({ kind: 'success', n: served.push(i) })
    await Promise.all([
      ...Array.from({ length: 24 }, () => limiters[0]?.run(mint(0), wanted)),
      after(30).then(() => many(4, async () => limiters[1]?.run(mint(1), wanted))),
    ])
    const text = served.join('')
    assert.ok(text.lastIndexOf('1') < 20, `the four were served in turn, not after all the others: ${text}`)
  })

  test('property: replicas with limiters of their own never ask Amazon for more than the plan together', async (t) => {
    const redis = await startRedis(t)
    const replicas = await many(3, () => startReplica(t, redis, { keys }))
    const latency = fc.array(fc.tuple(fc.nat(2), fc.nat(15), fc.nat(15)), { minLength: 24, maxLength: 24 })
    let runs = 0
    await fc.assert(
      fc.asyncProperty(latency, fc.integer({ min: 1, max: 4 }), async (all, burst) => {
        runs += 1
        const ratePerSecond = 100
        const credential = caller(`Atza|${runs}`)
        const limiters = replicas.map(({ store }) => {
          const shared = store.planOf({ origin: ORIGIN, credential })
          return createLimiter({ ratePerSecond, burst, now, random: () => 1, shared, onFull: () => {} })
        })
        let level = burst
        let at = now()
        let refused = 0
        const arrive = () => {
          level = Math.min(burst, level + ((now() - at) / 1000) * ratePerSecond)
          at = now()
          if (level < 1) refused += 1
          else level -= 1
        }
        await Promise.all(
          all.map(([replica, there, back]) =>
            limiters[replica]?.run(async () => {
              await after(there)
              arrive()
              await after(back)
              return { kind: 'success' }
            }, wanted),
          ),
        )
        assert.equal(refused, 0)
      }),
      { numRuns: 6 },
    )
    for (const { lost, asked } of replicas) {
      await until(() => asked().includes('quota granted') && asked().includes('quota settled'))
      assert.equal(lost.length, 0)
    }
  })

  test('what Amazon named to one replica is the rate of all, up and down', async (t) => {
    const redis = await startRedis(t)
    const replicas = await many(2, () => startReplica(t, redis, { keys }))
    const [a, b] = replicas.map(({ store, asked }) => {
      const shared = store.planOf(whose)
      const limiter = createLimiter({ ratePerSecond: 2, burst: 3, now, random: () => 1, shared, onFull: () => {} })
      const settled = () => asked().filter((one) => one === 'quota settled').length
      return {
        intervalMs: limiter.intervalMs,
        run: async (answer: { kind: string; ratePerSecond?: number }): Promise<void> => {
          const before = settled()
          await limiter.run(async () => answer, wanted)
          await until(() => settled() > before)
        },
      }
    })
    assert.ok(a && b)
    for (const [ratePerSecond, intervalMs] of [
      [40, 30],
      [1, 505],
    ] as const) {
      await a.run({ kind: 'success', ratePerSecond })
      assert.equal(a.intervalMs(), intervalMs)
      await b.run({ kind: 'success' })
      assert.equal(b.intervalMs(), intervalMs)
    }
  })

  test('alone, a 429 empties the replica’s own bucket', async (t) => {
    const { plan } = alone(t, () => 1)
    const limiter = createLimiter({ ratePerSecond: 20, burst: 3, now, random: () => 1, shared: plan, onFull: () => {} })
    await limiter.run(async () => ({ kind: 'throttled' }), wanted)
    assert.ok(limiter.waitMs(1) >= 55, `${limiter.waitMs(1)}`)
  })

  test('a mint that nobody wants when it has its permit gives it back, to all', async (t) => {
    const redis = await startRedis(t)
    const [a, b] = await many(2, () => startReplica(t, redis, { keys }))
    assert.ok(a && b)
    const limiter = createLimiter({
      ratePerSecond: 0.01,
      burst: 1,
      now,
      random: () => 1,
      shared: a.store.planOf(whose),
      onFull: () => {},
    })
    await limiter.run(success, () => false)
    assert.ok((await b.store.planOf(whose).permit(drawing(1, 100_000))).shared)
    await until(() => a.asked().length > 1) // it may hear later of it than the other
    assert.deepEqual(a.asked(), ['quota granted', 'quota settled'])
  })

  test('how long a caller would wait is what the store said last, where that is longer than its own line', async () => {
    const shared = { permit: () => Promise.reject(new Error('not asked for')), waitMs: (nth: number) => sharedMs * nth }
    let sharedMs = 0
    const limiter = createLimiter({ ratePerSecond: 10, burst: 2, now, random: () => 1, shared, onFull: () => {} })
    assert.deepEqual([1, 2, 3].map(limiter.waitMs), [0, 0, 105])
    sharedMs = 50
    assert.deepEqual([1, 2, 3].map(limiter.waitMs), [50, 100, 150])
  })
})

test('a plan that is kept for an hour keeps nothing of who drew on it', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { plan } = alone(t, () => 1, { ask: async () => ['granted', '', 0, 1] as never })
  const draw = async () => {
    const limiters = drawing(10, 100)
    const permit = await plan.permit(limiters)
    permit.answered(answered)
    return new WeakRef(limiters.intervalMs)
  }
  const drawn = await draw()
  await until(() => {
    collect()
    return drawn.deref() === undefined
  })
  assert.equal(plan.waitMs(1), 0)
})
