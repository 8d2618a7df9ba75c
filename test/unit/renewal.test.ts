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

test('1 turns it off, and so does a life too short for it', () => {
  assert.equal(refreshAtOf({ refreshAfter: 1, expiryMarginMs: 0 }, 0, 3_600_000, 0.5), Number.POSITIVE_INFINITY)
  assert.equal(refreshAtOf({ refreshAfter: 0.8, expiryMarginMs: MINUTE }, 0, 90_000, 0), Number.POSITIVE_INFINITY)
})

test('property: never before its share of the life is over, and with half of the rest or more to go', () => {
  const cases = fc.tuple(
    fc.double({ min: 0.01, max: 1, noNaN: true }),
    fc.nat(7200),
    fc.nat(600),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  fc.assert(
    fc.property(cases, ([refreshAfter, lifeS, marginS, random]) => {
      const at = refreshAtOf({ refreshAfter, expiryMarginMs: marginS * 1000 }, 5, 5 + lifeS * 1000, random) - 5
      if (at === Number.POSITIVE_INFINITY) return
      const due = lifeS * 1000 * refreshAfter
      assert.ok(at >= due - 1e-6 && at <= due + ((lifeS - marginS) * 1000 - due) / 2 + 1e-6)
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
