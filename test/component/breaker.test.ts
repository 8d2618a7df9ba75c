import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBreaker } from '../../src/rdt/breaker.ts'

const start = (longestPauseMs?: number) => {
  let time = 1000
  const breaker = createBreaker({ now: () => time, random: () => 1, ...(longestPauseMs && { longestPauseMs }) })
  return {
    breaker,
    pass: (ms: number) => {
      time += ms
    },
    fail: (times: number) => {
      for (let i = 0; i < times; i += 1) breaker.failed()
    },
  }
}

test('five failures in a row open it for a second; fewer, or an answer between, do not', () => {
  const { breaker, fail, pass } = start()
  fail(4)
  breaker.answered()
  fail(4)
  assert.equal(breaker.openForMs(), 0)
  assert.ok(breaker.admits())
  fail(1)
  assert.equal(breaker.openForMs(), 1000)
  assert.ok(!breaker.admits())
  pass(999)
  assert.ok(!breaker.admits())
  pass(1)
  assert.ok(breaker.admits())
})

test('one probe a pause, each pause twice as long, half a minute at most', () => {
  const { breaker, fail, pass } = start()
  fail(5)
  const pauses: number[] = []
  for (let i = 0; i < 7; i += 1) {
    pass(breaker.openForMs())
    assert.ok(breaker.admits())
    assert.ok(!breaker.admits(), 'a second one has to wait')
    fail(1)
    pauses.push(breaker.openForMs())
  }
  assert.deepEqual(pauses, [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test('an answer closes it, and the next trouble starts small again', () => {
  const { breaker, fail, pass } = start()
  fail(5)
  for (let i = 0; i < 3; i += 1) {
    pass(breaker.openForMs())
    assert.ok(breaker.admits())
    fail(1)
  }
  breaker.answered()
  assert.equal(breaker.openForMs(), 0)
  assert.ok(breaker.admits() && breaker.admits())
  fail(5)
  assert.equal(breaker.openForMs(), 1000)
})

test('failures of mints that were on their way when it opened do not lengthen the pause', () => {
  const { breaker, fail } = start()
  fail(40)
  assert.equal(breaker.openForMs(), 1000)
})

test('its pauses are as long as is said, at the most', () => {
  const { breaker, fail, pass } = start(1500)
  fail(5)
  assert.equal(breaker.openForMs(), 1000)
  for (let i = 0; i < 2; i += 1) {
    pass(breaker.openForMs())
    assert.ok(breaker.admits())
    assert.equal(breaker.openForMs(), 1500)
  }
})
