import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBreaker, createBreakers } from '../../src/rdt/breaker.ts'

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

test('of many, each is for whoever failed, and is there as long as its trouble', () => {
  let time = 1000
  const breakerOf = createBreakers({ now: () => time, random: () => 1 })
  const [one, other] = [breakerOf('one'), breakerOf('other')]
  for (let i = 0; i < 5; i += 1) one.failed()
  assert.deepEqual([one.openForMs(), one.admits(), breakerOf('one').openForMs()], [1000, false, 1000])
  assert.deepEqual([other.openForMs(), other.admits()], [0, true])
  other.answered()
  assert.equal(one.openForMs(), 1000)
  time += 1000
  assert.deepEqual([one.admits(), one.admits()], [true, false], 'a probe')
  one.answered()
  assert.deepEqual([one.admits(), one.admits()], [true, true])
})

test('those who fail are forgotten after a while, and so many and no more are kept', () => {
  let time = 1000
  const breakerOf = createBreakers({ now: () => time, random: () => 1 })
  const first = breakerOf('first')
  for (let i = 0; i < 4; i += 1) first.failed()
  time += 300_001
  first.failed()
  assert.equal(first.openForMs(), 0)
  for (let i = 0; i < 4; i += 1) first.failed()
  assert.equal(first.openForMs(), 1000)
  for (let i = 0; i < 10_000; i += 1) breakerOf(`${i}`).failed()
  assert.equal(first.openForMs(), 0)
})
