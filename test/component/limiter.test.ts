import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLimiter, learnedRate, NOT_WANTED } from '../../src/rdt/limiter.ts'
import { after } from '../support/many.ts'

const now = () => performance.now()
const wanted = () => true
const make = (extra: Partial<Parameters<typeof createLimiter>[0]> = {}) =>
  createLimiter({ ratePerSecond: 50, burst: 5, now, random: () => 1, onFull: () => {}, ...extra })
const success = async () => ({ kind: 'success' })

/** Amazon's own bucket: continuous refill from the moment a request arrives. Counts what it would have refused. */
const amazonBucket = (ratePerSecond: number, burst: number) => {
  let level = burst
  let at = now()
  const bucket = {
    refused: 0,
    arrive: () => {
      level = Math.min(burst, level + ((now() - at) / 1000) * ratePerSecond)
      at = now()
      if (level < 1) bucket.refused += 1
      else level -= 1
    },
  }
  return bucket
}

test('the burst leaves at once', async () => {
  const limiter = make({ burst: 5 })
  let started = 0
  let open = () => {}
  const allStarted = new Promise<void>((resolve) => {
    open = resolve
  })
  const mint = async () => {
    started += 1
    if (started === 5) open()
    await allStarted // were they let through one after the other, this would never end
    return { kind: 'success' }
  }
  await Promise.all(Array.from({ length: 5 }, () => limiter.run(mint, wanted)))
})

test('after the burst, one by one at the rate', async () => {
  const limiter = make({ ratePerSecond: 50, burst: 2 })
  const from = now()
  const at: number[] = []
  const mint = async () => ({ kind: 'success', n: at.push(now() - from) })
  await Promise.all(Array.from({ length: 7 }, () => limiter.run(mint, wanted)))
  for (let i = 2; i < 7; i += 1) assert.ok((at[i] ?? 0) >= (i - 1) * 20 - 1, `mint ${i} at ${at[i]}`)
})

test('property: whatever the latencies of network and Amazon, Amazon never sees more than the plan', async () => {
  const latency = fc.array(fc.tuple(fc.nat(15), fc.nat(15)), { minLength: 20, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(latency, fc.integer({ min: 1, max: 6 }), async (latencies, burst) => {
      const ratePerSecond = 100
      const limiter = make({ ratePerSecond, burst })
      const bucket = amazonBucket(ratePerSecond, burst)
      await Promise.all(
        latencies.map(([there, back]) =>
          limiter.run(async () => {
            await after(there)
            bucket.arrive()
            await after(back)
            return { kind: 'success' }
          }, wanted),
        ),
      )
      assert.equal(bucket.refused, 0)
    }),
    { numRuns: 8 },
  )
})

test('a mint that nobody wants when its turn comes does not run, and costs no permit', async () => {
  const limiter = make({ ratePerSecond: 5, burst: 1 })
  const from = now()
  await limiter.run(success, wanted)
  const unwanted = await Promise.all(Array.from({ length: 20 }, () => limiter.run(success, () => false)))
  assert.ok(unwanted.every((result) => result === NOT_WANTED))
  await limiter.run(success, wanted)
  assert.ok(now() - from < 1000, 'twenty permits would have taken four seconds')
})

test('a 429 empties the bucket and lengthens the wait; an answer shortens it again', async () => {
  const limiter = make({ ratePerSecond: 20, burst: 5 })
  const from = now()
  await limiter.run(async () => ({ kind: 'throttled' }), wanted)
  const at: number[] = []
  await Promise.all(
    Array.from({ length: 3 }, () => limiter.run(async () => ({ kind: 'success', at: at.push(now() - from) }), wanted)),
  )
  assert.ok((at[0] ?? 0) >= 104, `the four other permits are gone, and the wait is twice as long: ${at[0]}`)
  assert.ok((at[1] ?? 0) >= 159, `the next one a permit's time later: ${at[1]}`)
})

test('a 429 holds back the permits that are already on their way, longer each time', async () => {
  const limiter = make({ ratePerSecond: 20, burst: 3 })
  await limiter.run(success, wanted)
  const from = now()
  await limiter.run(async () => ({ kind: 'throttled' }), wanted)
  await limiter.run(async () => ({ kind: 'throttled' }), wanted)
  await limiter.run(success, wanted)
  assert.ok(now() - from >= 260, `pauses of 55 and 165 ms, then a permit's time: ${now() - from}`)
})

test('the wait after a 429 starts small again once Amazon has answered', async () => {
  const limiter = make({ ratePerSecond: 10, burst: 1 })
  const throttled = async () => ({ kind: 'throttled' })
  await limiter.run(throttled, wanted)
  await limiter.run(throttled, wanted)
  await limiter.run(success, wanted)
  await limiter.run(throttled, wanted)
  const from = now()
  await limiter.run(success, wanted)
  assert.ok(now() - from < 600, 'a third 429 in a row would cost 840 ms')
})

test('waiting callers with a lower priority number go first', async () => {
  const limiter = make({ ratePerSecond: 50, burst: 1 })
  const order: string[] = []
  const job = (name: string, priority?: number) =>
    limiter.run(async () => ({ kind: 'success', n: order.push(name) }), wanted, priority)
  await Promise.all([job('first'), job('newcomer'), job('later', 9), job('retry', 4)])
  assert.deepEqual(order, ['first', 'retry', 'newcomer', 'later'])
})

test('a wall clock that is put back, or forward, by an hour holds up no mint and lets none through early', async (t) => {
  const limiter = make({ ratePerSecond: 20, burst: 2 })
  const real = Date.now
  let offsetMs = 0
  t.mock.method(Date, 'now', () => real() + offsetMs)
  const from = now()
  for (const ms of [0, -3_600_000, 3_600_000, -86_400_000]) {
    offsetMs = ms
    await limiter.run(success, wanted)
  }
  const tookMs = now() - from
  assert.ok(tookMs >= 109, `two at once, two at 20 a second: ${tookMs}`)
  assert.ok(tookMs < 10_000, `${tookMs}`)
})

test('a mint that throws gives its permit back', async () => {
  const limiter = make({ burst: 1 })
  await assert.rejects(
    limiter.run(() => Promise.reject(new Error('bug')), wanted),
    /bug/,
  )
  assert.deepEqual(await limiter.run(success, wanted), { kind: 'success' })
})

test('a limiter is forgotten only when all its permits are back', async () => {
  let idleAt = 0
  const limiter = make({
    ratePerSecond: 50,
    burst: 3,
    onFull: () => {
      idleAt = now()
    },
  })
  const from = now()
  await Promise.all([limiter.run(success, wanted), limiter.run(success, wanted), limiter.run(success, wanted)])
  assert.equal(idleAt, 0)
  await after(150)
  assert.ok(idleAt - from >= 59, `three permits at 50 a second are back after 60 ms: ${idleAt - from}`)
})

test("Amazon's word for the plan raises the rate and lowers it again, never below what is configured", async () => {
  const limiter = make({ ratePerSecond: 20, burst: 1 })
  const saying = (ratePerSecond: number) => async () => ({ kind: 'success', ratePerSecond })
  const timeOf = async (count: number, mint: () => Promise<{ kind: string }>) => {
    const from = now()
    for (let i = 0; i < count; i += 1) await limiter.run(mint, wanted)
    return now() - from
  }
  await limiter.run(saying(200), wanted)
  assert.ok((await timeOf(10, saying(200))) < 300, 'ten at 20 a second would take 500 ms')
  await limiter.run(saying(1), wanted)
  const slow = await timeOf(5, saying(1))
  assert.ok(slow >= 240, `five at 20 a second again: ${slow}`)
})

test('the rate that is learned: a configured share of the default plan stays a share', () => {
  const cases: readonly (readonly [configured: number, told: number, inForce: number])[] = [
    [1, 1, 1],
    [1, 5, 5],
    [1, 0.5, 1],
    [0.25, 1, 0.25],
    [0.25, 4, 1],
    [2, 2, 2],
    [2, 1, 2],
    [2, 10, 10],
  ]
  for (const [configured, told, inForce] of cases) assert.equal(learnedRate(configured, told), inForce)
})

test('how long the nth mint from now waits', async () => {
  const limiter = make({ ratePerSecond: 10, burst: 2 })
  assert.deepEqual([1, 2, 3, 5].map(limiter.waitMs), [0, 0, 105, 315])
  await limiter.run(success, wanted)
  assert.deepEqual([1, 2].map(limiter.waitMs), [0, 105])
})
