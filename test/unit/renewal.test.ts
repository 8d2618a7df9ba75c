import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffMs, patienceMs, refreshAtOf } from '../../src/rdt/renewal.ts'

const MINUTE = 60_000

test("an hour's RDT with the defaults: due between 48:00 and 53:30, ready 59:00 at the latest", () => {
  const policy = { refreshAfter: 0.8, expiryMarginMs: MINUTE }
  const due = (random: number) => refreshAtOf(policy, 1000, 1000 + 60 * MINUTE, random) - 1000
  assert.deepEqual([due(0), due(1)], [48 * MINUTE, 53.5 * MINUTE])
  assert.equal(patienceMs(59 * MINUTE - due(1)), 82_500)
})

test('1 turns it off; a life that the margin uses up is never renewed', () => {
  assert.equal(refreshAtOf({ refreshAfter: 1, expiryMarginMs: 0 }, 0, 3_600_000, 0.5), Number.POSITIVE_INFINITY)
  assert.equal(refreshAtOf({ refreshAfter: 1, expiryMarginMs: MINUTE }, 0, 3_600_000, 0.5), Number.POSITIVE_INFINITY)
  assert.equal(refreshAtOf({ refreshAfter: 0.8, expiryMarginMs: MINUTE }, 0, MINUTE, 0), Number.POSITIVE_INFINITY)
})

test('a wide margin or a short life does not turn it off: the share is then one of the usable life', () => {
  assert.equal(refreshAtOf({ refreshAfter: 0.8, expiryMarginMs: MINUTE }, 0, 90_000, 0), 24_000)
  assert.equal(refreshAtOf({ refreshAfter: 0.8, expiryMarginMs: 15 * MINUTE }, 0, 60 * MINUTE, 0), 36 * MINUTE)
})

test('property: never before its share is over, and with half of the rest or more to go', () => {
  const share = fc.double({ min: 0.01, max: 0.99, noNaN: true })
  const cases = fc.tuple(
    share,
    fc.integer({ min: 1, max: 7200 }),
    fc.nat(600),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  fc.assert(
    fc.property(cases, ([refreshAfter, lifeS, marginS, random]) => {
      const at = refreshAtOf({ refreshAfter, expiryMarginMs: marginS * 1000 }, 5, 5 + lifeS * 1000, random) - 5
      const usable = (lifeS - marginS) * 1000
      if (usable <= 0) return void assert.equal(at, Number.POSITIVE_INFINITY)
      const due = lifeS * 1000 * refreshAfter < usable ? lifeS * 1000 * refreshAfter : usable * refreshAfter
      assert.ok(at >= due - 1e-6 && at <= due + (usable - due) / 2 + 1e-6)
    }),
  )
})

test('after failures it waits longer each time, a minute at most', () => {
  assert.deepEqual(
    [1, 2, 3, 9].map((failures) => backoffMs(failures, 1)),
    [2000, 4000, 8000, 60_000],
  )
  assert.equal(backoffMs(1, 0), 1000)
})
