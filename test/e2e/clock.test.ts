/** The wall clock of a sidecar jumps, or its monotonic clock stands still, while Amazon's goes on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { after, many, until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { DAY_MS, HOUR_MS, noFaketime, startWallClock, type WallClock } from '../support/wall-clock.ts'

const ADDRESS = '/orders/v0/orders/902-1/address'
const OPEN = '/sellers/v1/marketplaceParticipations'
const JUMPS = [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 0]
const SHORT = { SIDECAR_RDT_EXPIRY_MARGIN_MS: '500', SIDECAR_RDT_REFRESH_AFTER: '0.6' }
const RDT_S = 4
/** No renewal comes sooner after the one before it. */
const RENEWAL_MS = RDT_S * 1000 * 0.6

const jumpAll = async (clocks: readonly WallClock[], everyMs: number): Promise<void> => {
  for (const jump of JUMPS) {
    for (const [i, clock] of clocks.entries()) clock.put(i % 2 ? -jump : jump)
    await after(everyMs)
  }
}

/** What came of calls, one after the other from each of several callers, while `work` went on. */
const callsDuring = async (work: () => Promise<void>, call: (n: number) => Promise<string>): Promise<Set<string>> => {
  const answers = new Set<string>()
  let going = true
  const callers = many(4, async (n) => {
    for (; going; await after(25)) answers.add(await call(n))
  })
  await work()
  going = false
  await callers
  return answers
}

/** Nobody has asked for it before. */
const askForNewOrder = async (fleet: Fleet) => {
  orders += 1
  const from = performance.now()
  const init = { headers: { 'x-rdt-scope': 'specific' } }
  const { status, headers } = await fleet.call(0, `/orders/v0/orders/902-${orders}/address`, init)
  return {
    answer: `${status} ${headers.get('x-rdt-error')}`,
    retryAfter: Number(headers.get('retry-after')),
    tookMs: performance.now() - from,
  }
}
let orders = 0

const mintsOf = async (fleet: Fleet, seller: string) => (await fleet.mints()).filter((mint) => mint.seller === seller)
const distances = (entries: readonly { readonly at: number }[]): readonly number[] =>
  entries.slice(1).map(({ at }, i) => at - (entries[i]?.at ?? 0))

/** Nobody came to Amazon with a token that had ended. */
const assertNoneOutlived = async (fleet: Fleet): Promise<void> => {
  const bad = (await fleet.log()).filter(({ status, token }) => status !== 200 || token === 'expired')
  assert.deepEqual(
    bad.map(({ kind, status, token }) => `${kind} ${status} ${token}`),
    [],
  )
}

// They wait more than they work.
describe('clocks that jump', { skip: noFaketime, concurrency: 7 }, () => {
  test('an hour and a day, forward and back: what lives stays in use, what ends is renewed in time and no sooner, RDTs and access tokens', async (t) => {
    const clock = startWallClock(t)
    const fleet = await startFleet(t, { replicas: 1, sellers: ['long', 'short'], env: { ...clock.env, ...SHORT } })
    assert.equal(await fleet.ask(0, ADDRESS, { seller: 'long' }), '200 minted')
    await fleet.control({ rdtSeconds: RDT_S, accessTokenSeconds: RDT_S + 1 })
    assert.equal(await fleet.ask(0, ADDRESS, { seller: 'short' }), '200 minted')
    const answers = await callsDuring(
      () => jumpAll([clock], 1500),
      async (n) => {
        const seller = n % 2 ? 'long' : 'short'
        return `${seller} ${await fleet.ask(0, ADDRESS, { seller })}`
      },
    )
    answers.delete('short 200 minted') // on a machine so busy that a renewal came late
    assert.deepEqual([...answers].sort(), ['long 200 hit', 'short 200 hit'])
    await assertNoneOutlived(fleet)
    const lwa = (await fleet.log()).filter(({ kind }) => kind === 'lwa')
    for (const entries of [await mintsOf(fleet, 'short'), lwa.filter(({ seller }) => seller === 'short')]) {
      assert.ok(entries.length > 1, 'it was renewed')
      assert.ok(Math.min(...distances(entries)) > RENEWAL_MS - 200, `${distances(entries)}`)
    }
    assert.equal((await mintsOf(fleet, 'long')).length, 1)
    assert.equal(lwa.filter(({ seller }) => seller === 'long').length, 1)
  })

  test('mints that wait for the usage plan leave in their time, none is lost, and Amazon’s plan is kept', async (t) => {
    const clock = startWallClock(t)
    const plan = { SIDECAR_MINT_RATE_PER_SECOND: '4', SIDECAR_MINT_BURST: '4', SIDECAR_MINT_MAX_RESOURCES: '1' }
    const env = { ...clock.env, ...plan, SIDECAR_MINT_MAX_WAIT_MS: '60000' }
    const fleet = await startFleet(t, { replicas: 1, env })
    await fleet.control({ mintRatePerSecond: 4, mintBurst: 4 })
    const from = performance.now()
    const jumping = jumpAll([clock], 700)
    const headers = { 'x-rdt-scope': 'specific' }
    const answers = await many(20, (n) => fleet.ask(0, `/orders/v0/orders/902-${n}/address`, { headers }))
    assert.ok(performance.now() - from < 20_000, 'four at once, and four a second')
    assert.deepEqual(new Set(answers), new Set(['200 minted']))
    assert.equal((await fleet.mints()).length, 20)
    assert.deepEqual(await fleet.throttled(), [])
    await jumping
  })

  test('who has to wait too long for the usage plan is told so in its time, with seconds to wait', async (t) => {
    const clock = startWallClock(t)
    const plan = { SIDECAR_MINT_RATE_PER_SECOND: '0.5', SIDECAR_MINT_BURST: '2', SIDECAR_MINT_MAX_RESOURCES: '1' }
    const fleet = await startFleet(t, { replicas: 1, env: { ...clock.env, ...plan, SIDECAR_MINT_MAX_WAIT_MS: '1500' } })
    const seen = new Set<string>()
    for (const jump of JUMPS) {
      clock.put(jump)
      const calls = await many(4, () => askForNewOrder(fleet))
      for (const { answer, retryAfter, tookMs } of calls) {
        seen.add(answer)
        assert.ok(
          answer === '200 null' || (retryAfter >= 1 && retryAfter <= 10),
          `${answer}, Retry-After: ${retryAfter}`,
        )
        assert.ok(tookMs < 10_000, `${answer} after ${tookMs} ms`)
      }
    }
    assert.deepEqual([...seen].sort(), ['200 null', '429 mint-throttled'])
  })

  test('a breaker that is open is neither closed early, nor kept open', async (t) => {
    const clock = startWallClock(t)
    const plan = { SIDECAR_MINT_RATE_PER_SECOND: '100', SIDECAR_MINT_BURST: '100' }
    const fleet = await startFleet(t, { replicas: 1, env: { ...clock.env, ...plan } })
    await fleet.control({ mintRatePerSecond: 100, mintBurst: 100, fail: [{ on: 'mint', times: 1000, as: 500 }] })
    const from = performance.now()
    for (let n = 1; n <= 30; n += 1) {
      clock.put(n * HOUR_MS)
      const { answer, retryAfter } = await askForNewOrder(fleet)
      assert.equal(answer, '503 mint-unavailable')
      assert.ok(retryAfter >= 1 && retryAfter <= 31, `Retry-After: ${retryAfter}`)
    }
    const probes = Math.log2((performance.now() - from) / 750 + 1)
    const asked = (await fleet.mints()).length
    assert.ok(asked <= 7 + probes, `${asked} mints`)
    await fleet.control({ fail: [] })
    clock.put(-DAY_MS)
    await until(async () => (await askForNewOrder(fleet)).answer === '200 null', 60_000)
  })

  test('the log and the times in metrics follow the wall clock', async (t) => {
    const clock = startWallClock(t)
    const fleet = await startFleet(t, { replicas: 1, env: clock.env })
    for (const jump of JUMPS) {
      clock.put(jump)
      await fleet.flush(0)
      await fleet.ask(0, ADDRESS)
      const last = fleet.out(0).trimEnd().split('\n').at(-1) ?? ''
      const minted = await fleet.metric(0, 'rdt_mint_last_success_timestamp_seconds')
      for (const at of [Date.parse(JSON.parse(last).time), minted * 1000])
        assert.ok(Math.abs(at - clock.now()) < 60_000, `${new Date(at).toISOString()} after a jump of ${jump}`)
    }
  })

  test('two replicas whose clocks are days apart, and jump, share a store as if they were not', {
    skip: noRedis,
  }, async (t) => {
    const clocks = [startWallClock(t), startWallClock(t)]
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { replicas: 0, redis, env: SHORT })
    for (const clock of clocks) await fleet.add(clock.env)
    await fleet.control({ rdtSeconds: RDT_S })
    const answers = await callsDuring(
      () => jumpAll(clocks, 1500),
      (n) => fleet.ask(n % 2, ADDRESS),
    )
    answers.delete('200 minted')
    assert.deepEqual([...answers], ['200 hit'])
    await assertNoneOutlived(fleet)
    const mints = await fleet.mints()
    assert.ok(mints.length > 1, 'it was renewed')
    assert.ok(Math.min(...distances(mints)) > RENEWAL_MS - 200, `${distances(mints)}`)
    for (const i of [0, 1]) {
      assert.equal(await fleet.metric(i, 'rdt_store_unreachable'), 0)
      assert.equal(await fleet.metric(i, 'rdt_store_unreadable_total'), 0)
      assert.equal(await fleet.metric(i, 'rdt_store_replicas'), 2)
    }
    const holds = () => many(2, (i) => fleet.metric(i, 'rdt_token_cache_entries'))
    await fleet.flush(0)
    await until(async () => (await holds()).every((count) => count === 0))
  })

  test('suspended, with its clock of lifetimes: what has ended at Amazon meanwhile is replaced when Amazon says so, and calls are answered', async (t) => {
    const clock = startWallClock(t, { monotonic: true })
    const margin = { SIDECAR_RDT_EXPIRY_MARGIN_MS: '500', SIDECAR_RDT_REFRESH_AFTER: '1' }
    const fleet = await startFleet(t, {
      replicas: 1,
      sellers: ['seller-a', 'seller-b'],
      env: { ...clock.env, ...margin },
    })
    await fleet.control({ accessTokenSeconds: 14, rdtSeconds: 3.5 })
    for (const seller of ['seller-a', 'seller-b']) assert.match(await fleet.ask(0, OPEN, { seller }), /^200 /)
    const from = performance.now()
    await after(10_200) // an access token that is younger, and refused, is not to blame
    assert.equal(await fleet.ask(0, ADDRESS, { seller: 'seller-a' }), '200 minted')
    assert.equal(await fleet.ask(0, ADDRESS, { seller: 'seller-a' }), '200 hit')

    const stoppedAt = performance.now()
    fleet.signal(0, 'SIGSTOP')
    const woken = fleet.ask(0, ADDRESS, { seller: 'seller-a' }) // it comes while nobody is there
    await after(from + 14_500 - stoppedAt)
    clock.put(stoppedAt - performance.now())
    fleet.signal(0, 'SIGCONT')

    assert.equal(await woken, '200 replayed')
    assert.equal(await fleet.ask(0, OPEN, { seller: 'seller-b' }), '200 replayed')
    assert.equal(await fleet.ask(0, ADDRESS, { seller: 'seller-a' }), '200 hit')
    const log = await fleet.log()
    const told = log.filter(({ token }) => token === 'expired').map(({ kind, status }) => `${kind} ${status}`)
    assert.deepEqual(told, ['call 403', 'mint 403', 'call 403'], 'each of the three was offered once')
    assert.equal(log.filter(({ kind }) => kind === 'lwa').length, 4)
  })
})
