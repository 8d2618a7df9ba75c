/**
 * Long days: everything that callers, operators and Amazon do, for minutes (SOAK_MINUTES: as long as wanted), in front of an Amazon whose
 * hour is six seconds. What the process holds is looked at again and again, once all its garbage is gone: it must not grow.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startLanes } from '../support/lanes.ts'
import { figuresOf, type Look } from '../support/looks.ts'
import { after } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { type Soaked, startSoaked } from '../support/soak.ts'

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 1.5)
const LOOKS = 30
const RESETS = 2

/** What operators do, and Amazon, now and then. Returns how many calls may fail by it. */
const incident = async ({ reload, control }: Soaked, second: number): Promise<number> => {
  if (second % 3 === 0) reload(second / 3)
  if (second % 10 === 5) await control({ revoke: 'rdts' })
  if (second % 10 === 7) await control({ fail: [{ on: 'mint', times: 2, as: 500 }] })
  if (second % 10 !== 9) return 0
  await control({ fail: [{ on: 'call', times: RESETS, as: 'reset' }] })
  return RESETS
}

const soak = async (soaked: Soaked, minutes: number) => {
  let over = false
  const lanes = startLanes(soaked, () => over)
  const startedAt = performance.now()
  const soFar = (): number => (performance.now() - startedAt) / 60_000
  const looks: Look[] = []
  let mayFail = 0
  for (let second = 0; soFar() < minutes; second += 1) {
    mayFail += await incident(soaked, second)
    if (soFar() >= (looks.length * minutes) / LOOKS)
      looks.push({ minutes: soFar(), calls: lanes.calls(), ...(await soaked.look()) })
    await after(1000)
  }
  over = true
  await lanes.ended
  return { looks, mayFail, ...lanes }
}

const judge = async (t: TestContext, soaked: Soaked, minutes: number): Promise<void> => {
  const { looks, mayFail, unexpected, outcomes, calls } = await soak(soaked, minutes)
  const counted = await soaked.counts()
  const code = await soaked.stop()
  const figures = figuresOf(looks)
  t.diagnostic(JSON.stringify({ calls: calls(), ...figures, ...counted, failedAsMeant: unexpected.length }))
  t.diagnostic(JSON.stringify(outcomes()))
  assert.deepEqual([code, soaked.complaints()], [0, []])
  assert.deepEqual(
    unexpected.filter((one) => !one.includes('502 ')),
    [],
  )
  assert.ok(unexpected.length <= mayFail, 'a reset is felt by one call')
  assert.equal(counted.throttled, 0)
  assert.ok(
    counted.replaysCured > 0 && counted.replaysFailed <= unexpected.length && counted.aborts > 0 && counted.reloads > 3,
  )
  assertFlat(figures, soaked)
}

const assertFlat = (figures: ReturnType<typeof figuresOf>, { cacheBound }: Soaked): void => {
  const { liveGrownMb, rssMb, descriptors, handles, lagMs, cacheEntries } = figures
  const grown = ([early = 0, late = 0]: readonly number[]): number => late - early
  assert.ok(liveGrownMb < 2, `live: ${liveGrownMb} MB`)
  assert.ok(grown(rssMb) < 24, `resident: ${rssMb} MB`)
  assert.ok(grown(descriptors) < 40, `descriptors: ${descriptors}`)
  assert.ok(grown(handles) < 40, `handles: ${handles}`)
  assert.ok(grown(lagMs) < 100, `lag: ${lagMs} ms`)
  assert.ok(Math.max(...cacheEntries) <= cacheBound)
}

test('days of everything: nothing grows, no call fails but those meant to, nothing complains', async (t) => {
  await judge(t, await startSoaked(t), MINUTES)
})

test('and with a store', { skip: noRedis }, async (t) => {
  await judge(t, await startSoaked(t, await startRedis(t)), MINUTES / 2)
})
