import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago, count, counted, duration, share } from '../../src/admin/page/words.js'

test('a share is rounded, but to all of them only where it is all of them, to none only where it is none', () => {
  assert.deepEqual([null, 0, 1, 0.5, 1 / 3, 0.99999, 0.9996, 0.00001].map(share), [
    '–',
    '0 %',
    '100 %',
    '50 %',
    '33.3 %',
    '99.99 %',
    '99.96 %',
    '< 0.1 %',
  ])
})

test('durations are told by their largest unit', () => {
  assert.deepEqual([0, 1, 59, 60, 3599, 3600, 86_399, 86_400, 200_000].map(duration), [
    'a moment',
    '1 second',
    '59 seconds',
    '1 minute',
    '59 minutes',
    '1 hour',
    '23 hours',
    '1 day',
    '2 days',
  ])
  assert.deepEqual([0, 4, 5, 61].map(ago), ['just now', 'just now', '5 seconds ago', '1 minute ago'])
})

test('numbers have their thousands apart, and their noun in its number', () => {
  assert.equal(count(1234567), '1,234,567')
  assert.deepEqual(
    [0, 1, 2].map((n) => counted(n, 'call')),
    ['0 calls', '1 call', '2 calls'],
  )
})
