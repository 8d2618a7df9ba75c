import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { Redis as Client } from 'ioredis'
import { SCRIPTS } from '../../src/store/scripts.ts'
import { noRedis, startRedis } from '../support/redis.ts'

// The usage plan's bucket on a real Redis, by a clock that the test turns: every millisecond is exact, and none is waited for.

const BURST = 3
const INTERVAL_MS = 100
const LEASE_MS = 5000
const START_MS = 1_700_000_000_000

const CLOCK = 'test:clock'
const byOurClock = (lua: string): string => {
  const changed = lua.replace("redis.call('TIME')", `redis.call('LRANGE', '${CLOCK}', 0, 1)`)
  assert.notEqual(changed, lua)
  return changed
}

type Plan = { readonly burst?: number; readonly interval?: number; readonly lease?: number }
type Outcome = 'unused' | 'answered' | 'throttled'
type Taken = {
  readonly kind: string
  readonly told: string
  /** Milliseconds until it is full. */
  readonly rest: number
  /** When it was granted, or milliseconds to wait. */
  readonly number: number
}

const startBucket = async (t: TestContext) => {
  const { port } = await startRedis(t)
  const client = new Client({
    host: '127.0.0.1',
    port,
    scripts: { take: { lua: byOurClock(SCRIPTS.take) }, settle: { lua: byOurClock(SCRIPTS.settle) } },
  })
  t.after(() => client.disconnect())
  const run = client as unknown as Record<'take' | 'settle', (...args: unknown[]) => Promise<unknown>>
  let time = START_MS
  let leases = 0
  const setTime = async (): Promise<void> => {
    await client
      .multi()
      .del(CLOCK)
      .rpush(CLOCK, Math.floor(time / 1000), (time % 1000) * 1000)
      .exec()
  }
  await setTime()

  /** A plan by itself; `names`: one a key. */
  const open = (names: readonly string[] = ['bucket'], plan: Plan = {}) => {
    const { burst = BURST, interval = INTERVAL_MS, lease: leaseMs = LEASE_MS } = plan
    const by = { names, interval, fullInMs: 0, ownMs: 0 }
    const take = async (replica: string, { names, interval, fullInMs, ownMs }: typeof by) => {
      leases += 1
      const lease = `lease ${leases}`
      const answer = await run.take(names.length, ...names, burst, interval, replica, lease, leaseMs, fullInMs, ownMs)
      const [kind, told, rest, number] = answer as [string, string, number, string | number]
      return { kind, told, rest, number: Number(number), lease, names }
    }
    return {
      take: (replica = 'a', other: Partial<typeof by> = {}) => take(replica, { ...by, ...other }),
      /** What became of it: `granted`, or milliseconds to wait. */
      ask: async (replica = 'a'): Promise<string | number> => {
        const { kind, number } = await take(replica, by)
        return kind === 'granted' ? kind : number
      },
      /** As many as are granted at once. */
      takeAll: async (replica = 'a') => {
        const taken = []
        for (let one = await take(replica, by); one.kind === 'granted'; one = await take(replica, by)) taken.push(one)
        return taken
      },
      settle: (
        { lease, number, names }: Taken & { readonly lease: string; readonly names: readonly string[] },
        outcome: Outcome = 'answered',
        { told = '', random = 1, interval: other = interval } = {},
      ) => run.settle(names.length, ...names, burst, other, lease, number, outcome, told, random),
    }
  }
  return {
    ...open(),
    open,
    client,
    pass: async (ms: number): Promise<void> => {
      time += ms
      await setTime()
    },
    now: () => time,
    forgetAll: async (): Promise<void> => {
      await client.flushall()
      await setTime()
    },
  }
}
type Bucket = Awaited<ReturnType<typeof startBucket>>

/** Milliseconds until it is granted, asked each of them. */
const timeTo = async ({ ask, pass }: Bucket, replica?: string): Promise<number> => {
  for (let ms = 0; ; ms += 1) {
    if ((await ask(replica)) === 'granted') return ms
    await pass(1)
  }
}

test('the burst at once; a permit comes back an interval after its mint was answered', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  const [first] = await bucket.takeAll()
  assert.ok(first)
  await bucket.pass(1000)
  assert.equal(await bucket.ask(), INTERVAL_MS, 'as long as none is answered none comes back')
  await bucket.settle(first)
  assert.equal(await bucket.ask(), INTERVAL_MS)
  await bucket.pass(INTERVAL_MS - 1)
  assert.equal(await bucket.ask(), 1)
  await bucket.pass(1)
  assert.equal(await bucket.ask(), 'granted')
  assert.equal(await bucket.ask(), INTERVAL_MS)
})

test('permits come back one by one, and never more than the burst', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  const taken = await bucket.takeAll()
  assert.equal(taken.length, BURST)
  for (const one of taken) await bucket.settle(one)
  for (let i = 0; i < BURST; i += 1) {
    assert.equal(await bucket.ask(), INTERVAL_MS)
    await bucket.pass(INTERVAL_MS)
    const one = await bucket.take()
    assert.equal(one.kind, 'granted')
    await bucket.settle(one, 'unused')
    await bucket.take().then((again) => bucket.settle(again)) // each one that is back is used again
  }
  await bucket.pass(100 * INTERVAL_MS)
  assert.equal((await bucket.takeAll()).length, BURST)
})

test('how long to wait is told by who is ahead', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  for (const one of await bucket.takeAll('z')) await bucket.settle(one)
  await bucket.pass(10)
  assert.deepEqual(
    [await bucket.ask('z'), await bucket.ask('a'), await bucket.ask('b'), await bucket.ask('a'), await bucket.ask('c')],
    [90, 190, 290, 190, 390],
    'z had asked, and was told to wait, when the bucket was empty',
  )
})

test('permits that nobody wanted cost nothing', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  for (let i = 0; i < 10; i += 1) {
    const one = await bucket.take()
    assert.equal(one.kind, 'granted')
    await bucket.settle(one, 'unused')
  }
  assert.equal((await bucket.takeAll()).length, BURST)
})

test('the permits of a replica that has died come back when the lease ends, and not before', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  await bucket.takeAll('dead')
  await bucket.pass(LEASE_MS - 1)
  assert.equal(await bucket.ask('a'), INTERVAL_MS)
  await bucket.pass(1)
  assert.equal(await bucket.ask('a'), INTERVAL_MS, 'as though they had been answered now')
  await bucket.pass(INTERVAL_MS - 1)
  assert.equal(await bucket.ask('a'), 1)
  await bucket.pass(1)
  assert.equal(await bucket.ask('a'), 'granted')
  await bucket.pass(INTERVAL_MS * BURST)
  assert.equal((await bucket.takeAll('a')).length, BURST - 1, 'one is in use')
})

test('whoever waits longest goes first, and a replica that is served goes to the end', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  for (let i = 0; i < BURST; i += 1) await bucket.settle(await bucket.take('z'))
  const served: string[] = []
  for (const replica of ['c', 'a', 'b']) {
    await bucket.pass(1)
    await bucket.ask(replica)
  }
  while (served.length < 9) {
    await bucket.pass(10)
    for (const replica of ['a', 'b', 'c']) {
      const one = await bucket.take(replica)
      if (one.kind !== 'granted') continue
      served.push(replica)
      await bucket.settle(one)
      await bucket.ask(replica) // it wants another one at once
    }
  }
  assert.deepEqual(served.join(''), 'cabcabcab')
})

test('property: nobody is passed twice in a row while another waits', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  let runs = 0
  const polls = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(40)), { minLength: 60, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(polls, async (all) => {
      runs += 1
      const plan = bucket.open([`fair ${runs}`], { burst: 1 })
      const passedBy = new Map<string, string[]>() // who waits → who was served meanwhile
      for (const [replica, ms] of all) {
        await bucket.pass(ms)
        const one = await plan.take(replica)
        if (one.kind !== 'granted') {
          passedBy.set(replica, passedBy.get(replica) ?? [])
          continue
        }
        await plan.settle(one)
        passedBy.delete(replica)
        for (const [waiting, served] of passedBy) {
          assert.ok(!served.includes(replica), `${replica} was served twice while ${waiting} waited`)
          served.push(replica)
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('who waited and is gone is passed after three seconds, not before', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  const lone = bucket.open(['lone'], { burst: 1 })
  const used = await lone.take('gone')
  await lone.ask('gone')
  await lone.settle(used)
  await bucket.pass(2000)
  assert.notEqual(await lone.ask('a'), 'granted', 'the permit is there, for the one who waited for it')
  await bucket.pass(1000)
  assert.notEqual(await lone.ask('a'), 'granted')
  assert.ok((await bucket.client.hkeys('lone')).includes('w:gone'))
  await bucket.pass(1)
  assert.equal(await lone.ask('a'), 'granted')
  assert.deepEqual(
    (await bucket.client.hkeys('lone')).filter((field) => field.startsWith('w:')),
    [],
  )
})

test('what Amazon last named reaches all who ask, served or not, as it rises and falls', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const [first, second, third] = await bucket.takeAll('a')
  assert.ok(first && second && third)
  assert.equal(first.told, '')
  await bucket.settle(first, 'answered', { told: '5' })
  assert.equal((await bucket.take('b')).told, '5')
  await bucket.settle(second)
  assert.equal((await bucket.take('b')).told, '5', 'an answer without it tells nothing else')
  await bucket.settle(third, 'answered', { told: '0.5' })
  await bucket.pass(1000)
  const granted = await bucket.take('b')
  assert.deepEqual([granted.kind, granted.told], ['granted', '0.5'])
})

test('another rate is the rate of the permits that are on their way back, too', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  for (const one of await bucket.takeAll()) await bucket.settle(one)
  await bucket.pass(50)
  assert.equal((await bucket.take('a', { interval: 10 })).number, 5)
  assert.equal((await bucket.take('a', { interval: 200 })).number, 100)
  await bucket.pass(100)
  assert.equal((await bucket.take('a', { interval: 10 })).kind, 'granted')
})

test('a 429 empties the bucket; each one more in a row makes all wait twice as long, an answer ends that', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const [first, ...others] = await Promise.all([bucket.take('a'), bucket.take('a')])
  await bucket.settle(first, 'throttled', { random: 0 })
  assert.equal(await bucket.ask(), INTERVAL_MS, 'the third permit is gone')
  for (const one of others) await bucket.settle(one)

  const lone = bucket.open(['lone'], { burst: 1 })
  const waits: (string | number)[] = []
  for (const outcome of ['throttled', 'throttled', 'throttled', 'throttled', 'throttled', 'answered', 'throttled']) {
    const one = await lone.take()
    assert.equal(one.kind, 'granted')
    await bucket.pass(1)
    await lone.settle(one, outcome as Outcome)
    const wait = await lone.ask()
    waits.push(wait)
    await bucket.pass(Number(wait))
  }
  assert.deepEqual(waits, [200, 400, 800, 1600, 1600, 100, 200])
})

test('how much longer is drawn by lot', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  for (const [random, wait] of [
    [0, 100],
    [0.25, 125],
    [1, 200],
  ] as const) {
    const lone = bucket.open([`lot ${random}`], { burst: 1 })
    await lone.settle(await lone.take(), 'throttled', { random })
    assert.equal(await lone.ask(), wait)
  }
})

test('a 429 counts the permits in use: they come back after it', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  const [first, second] = [await bucket.take('a'), await bucket.take('a')]
  await bucket.pass(1)
  await bucket.settle(first, 'throttled')
  assert.equal(await bucket.ask(), 2 * INTERVAL_MS, 'of the first, of the third, and an interval to be careful')
  await bucket.settle(second)
  await bucket.pass(2 * INTERVAL_MS)
  assert.deepEqual([await bucket.ask(), await bucket.ask()], ['granted', INTERVAL_MS])
})

test('a 429 makes nobody wait less', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  const first = await bucket.take('a')
  await bucket.take('a', { ownMs: 1000 })
  await bucket.pass(1)
  await bucket.settle(first, 'throttled', { random: 0 })
  const { rest } = await bucket.take('a')
  assert.ok(rest > 1000, `${rest}`)
})

test('a 429 for a request that had left before the last one came tells nothing new, nor does its answer', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const [first, second, third] = await bucket.takeAll()
  assert.ok(first && second && third)
  await bucket.settle(first, 'throttled') // in the very millisecond in which they left
  await bucket.settle(second, 'throttled')
  await bucket.settle(third, 'answered')
  const wait = INTERVAL_MS * 2
  assert.equal(await bucket.ask(), wait, 'of one 429')
  await bucket.pass(wait)
  const next = await bucket.take()
  await bucket.pass(1)
  await bucket.settle(next, 'throttled')
  const [row] = await bucket.client.hmget('bucket', 'row')
  assert.equal(row, '2', 'the answer in between was to a question of before')
})

test('the store flushed in between: what was in use is used all the same, what nobody wanted is not', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const [first, second, unused] = await bucket.takeAll()
  assert.ok(first && second && unused)
  await bucket.forgetAll()
  await bucket.settle(first)
  await bucket.settle(second)
  await bucket.settle(unused, 'unused')
  assert.equal((await bucket.takeAll()).length, BURST - 2)
  assert.equal(await bucket.ask(), INTERVAL_MS)
})

test('a bucket that was lost begins as full as who has drawn on it heard last; one that is there does not care', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const lost = await bucket.take('a', { fullInMs: 2 * INTERVAL_MS })
  assert.deepEqual([lost.kind, lost.rest], ['granted', 3 * INTERVAL_MS])
  const next = await bucket.take('a', { fullInMs: 1000 * INTERVAL_MS })
  assert.deepEqual([next.kind, next.number], ['queued', INTERVAL_MS])
})

test('what a replica took while it was alone is taken from what all have, once', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  const [one, two] = [await bucket.take('a', { ownMs: 150 }), await bucket.take('a')]
  assert.deepEqual([one.kind, one.rest], ['granted', 250])
  assert.deepEqual([two.kind, two.number], ['queued', 50])
})

test('how long it takes to be full is told: by what is on its way back, and what is in use', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const rests = []
  const [first] = [await bucket.take()]
  await bucket.settle(first)
  await bucket.pass(10)
  for (let i = 0; i < BURST; i += 1) rests.push((await bucket.take()).rest)
  assert.deepEqual(rests, [190, 290, 290], 'with what is granted now, if something is')
})

test('a 429 by a clock that was ahead does not hide those that come', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  await bucket.client.hset('bucket', 'bad', bucket.now() + 86_400_000)
  await bucket.settle(await bucket.take(), 'unused')
  await bucket.pass(1)
  await bucket.settle(await bucket.take(), 'throttled')
  assert.equal((await bucket.takeAll()).length, 0)
})

test('a clock that has jumped heals', { skip: noRedis }, async (t) => {
  const bucket = await startBucket(t)
  await bucket.settle(await bucket.take())
  await bucket.client.hset('bucket', 'full', bucket.now() + 86_400_000)
  assert.equal(await bucket.ask(), (16 + 1) * INTERVAL_MS, 'the longest wait there is after a 429, and a permit')
  assert.equal(await timeTo(bucket), (16 + 1) * INTERVAL_MS)
})

test('a clock that was put back a day: the permits of who has died are free, and who waits keeps its place', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  assert.equal((await bucket.takeAll('dead')).length, BURST)
  await bucket.ask('waits')
  await bucket.pass(-86_400_000)
  const waits = []
  for (const replica of ['waits', 'newcomer', 'another', 'waits']) {
    waits.push(Number(await bucket.ask(replica)))
    await bucket.pass(1)
  }
  const [first = 0, second = 0, third = 0, again = 0] = waits
  assert.ok(again < first && first < second && second < third, `${waits}`)
  assert.ok((await timeTo(bucket, 'waits')) <= (16 + 1) * INTERVAL_MS)
})

test('a bucket that nobody draws on is forgotten: when its permits are back, or an hour after Amazon told of it', {
  skip: noRedis,
}, async (t) => {
  const { open, client } = await startBucket(t)
  const lifeOf = async (name: string) => Math.ceil((await client.pttl(name)) / 10_000) * 10 // seconds, rounded up
  const worthless = open(['worthless'], { lease: 5000 })
  const one = await worthless.take()
  assert.equal(await lifeOf('worthless'), 20, 'the lease, and ten seconds')
  await worthless.settle(one)
  assert.equal(await lifeOf('worthless'), 20, 'not less than before: another lease may be out')
  const slow = open(['slow'], { interval: 60_000 })
  await slow.settle(await slow.take())
  assert.equal(await lifeOf('slow'), 70, 'until its permit is back')
  const told = open(['told'])
  await told.settle(await told.take(), 'answered', { told: '1' })
  const throttled = open(['throttled'])
  await throttled.settle(await throttled.take(), 'throttled')
  for (const [name, plan] of Object.entries({ told, throttled })) {
    assert.equal(await lifeOf(name), 3600, name)
    await client.persist(name)
    await plan.settle(await plan.take(), 'unused')
    assert.equal(await lifeOf(name), 3600, `${name}, used again`)
  }
})

/** Amazon's bucket: continuous refill from the moment at which a request arrives. How many would find it empty. */
const refusedBy = (arrivals: readonly number[], burst: number, interval: number): number => {
  let level = burst
  let at = 0
  let refused = 0
  for (const arrival of arrivals.toSorted((one, other) => one - other)) {
    level = Math.min(burst, level + (arrival - at) / interval)
    at = arrival
    if (level < 1 - 1e-6) refused += 1
    else level -= 1
  }
  return refused
}

type Step =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'take'; readonly replica: number }
  /** `arrival`: where it lies between grant and settling, from 0 to 1. */
  | { readonly kind: 'settle'; readonly which: number; readonly outcome: Outcome; readonly arrival: number }
const place = fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(30), fc.nat(250)) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), replica: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(20),
      outcome: fc.oneof(
        { weight: 20, arbitrary: fc.constant('answered' as const) },
        { weight: 2, arbitrary: fc.constant('unused' as const) },
        { weight: 1, arbitrary: fc.constant('throttled' as const) },
      ),
      arrival: place,
    }),
  },
)

const LIFE_MS = 700
/** Runs the steps; resolves to the moments at which requests reached Amazon. Who is not settled in time has died, its request sent. */
const play = async (bucket: Bucket, steps: readonly Step[], burst: number, namesOf: readonly (readonly string[])[]) => {
  const plan = bucket.open([], { burst, lease: LIFE_MS })
  type Flying = Awaited<ReturnType<typeof plan.take>>
  const flying: Flying[] = []
  const arrivals: number[] = []
  const bury = (arrival: number) => {
    for (const dead of flying.filter(({ number }) => bucket.now() >= number + LIFE_MS)) {
      flying.splice(flying.indexOf(dead), 1)
      arrivals.push(dead.number + LIFE_MS * arrival)
    }
  }
  for (const one of steps) {
    if (one.kind === 'pass') {
      await bucket.pass(one.ms)
      bury((one.ms % 10) / 9)
    } else if (one.kind === 'take') {
      const taken = await plan.take(`replica ${one.replica}`, { names: namesOf[one.replica % namesOf.length] ?? [] })
      if (taken.kind === 'granted') flying.push(taken)
    } else {
      const [settled] = flying.splice(one.which % Math.max(1, flying.length), 1)
      if (!settled) continue
      if (one.outcome !== 'unused') arrivals.push(settled.number + (bucket.now() - settled.number) * one.arrival)
      await plan.settle(settled, one.outcome)
    }
  }
  for (const one of flying) arrivals.push(one.number)
  return { plan, arrivals }
}

test('property: whatever replicas do, and however long requests are on their way, none finds Amazon’s bucket empty', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  let runs = 0
  let granted = 0
  const steps = fc.array(step, { minLength: 40, maxLength: 120 })
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (all, burst) => {
      runs += 1
      const names = [`plan ${runs}`]
      const { plan, arrivals } = await play(bucket, all, burst, [names])
      assert.equal(refusedBy(arrivals, burst, INTERVAL_MS), 0)
      granted += arrivals.length
      // and none is lost: in the end all are there again
      await bucket.pass(LIFE_MS)
      const last = await plan.take('last', { names }) // sees that their leases have ended
      if (last.kind === 'granted') await plan.settle(last, 'unused')
      await bucket.pass(3001 + (burst + 16) * INTERVAL_MS)
      for (let i = 0; i < burst; i += 1) assert.equal((await plan.take('last', { names })).kind, 'granted')
      assert.equal((await plan.take('last', { names })).kind, 'queued')
    }),
    { numRuns: 150 },
  )
  assert.ok(granted > 800, `the plan was drawn on: ${granted}`)
})

for (const [when, keys] of [
  ['one key, while others have it beside a new one', [['a'], ['b', 'a'], ['b', 'a']]],
  ['two keys, while others have the new one alone', [['b'], ['b', 'a'], ['b']]],
] as const)
  test(`property: replicas with ${when}, stay within the plan together`, { skip: noRedis }, async (t) => {
    const bucket = await startBucket(t)
    let runs = 0
    const steps = fc.array(step, { minLength: 40, maxLength: 120 })
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (all, burst) => {
        runs += 1
        const names = keys.map((some) => some.map((key) => `${key} ${runs}`))
        const { arrivals } = await play(bucket, all, burst, names)
        assert.equal(refusedBy(arrivals, burst, INTERVAL_MS), 0)
      }),
      { numRuns: 40 },
    )
  })

test('with two keys the fuller one counts for nothing, and what Amazon named is heard by either', {
  skip: noRedis,
}, async (t) => {
  const bucket = await startBucket(t)
  const names = ['new', 'old']
  const [old] = [bucket.open(['old'], { burst: 1 })]
  const both = bucket.open(names, { burst: 1 })
  const fresh = bucket.open(['new'], { burst: 1 })
  const used = await old.take('a')
  assert.equal(await both.ask('b'), INTERVAL_MS)
  const turned = bucket.open(['old', 'new'], { burst: 1 })
  assert.equal(await turned.ask('b'), INTERVAL_MS, 'in either order')
  const two = ['longer', 'shorter'].map((name) => bucket.open([name], { burst: 1 }))
  for (const [i, plan] of two.entries()) await plan.settle(await plan.take(), i === 0 ? 'throttled' : 'answered')
  for (const order of [
    ['longer', 'shorter'],
    ['shorter', 'longer'],
  ])
    assert.equal(await bucket.open(order, { burst: 1 }).ask(), 2 * INTERVAL_MS)
  assert.equal(await fresh.ask('c'), INTERVAL_MS, 'b waits there, too, where a permit is to be had')
  await old.settle(used, 'answered', { told: '7' })
  await bucket.pass(INTERVAL_MS)
  const taken = await both.take('b')
  assert.deepEqual([taken.kind, taken.told], ['granted', '7'])
  await both.settle(taken, 'answered', { told: '8' })
  for (const one of [old, fresh]) {
    const { kind, told } = await one.take('c')
    assert.deepEqual([kind, told], ['queued', '8'])
  }
})
