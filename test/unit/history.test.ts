import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createHistory, MINUTES } from '../../src/telemetry/history.ts'

const MINUTE = 60_000
const NOT = { throttled: false }

const start = (at = 0) => {
  let time = at
  return {
    history: createHistory({ ratePerSecond: 1, now: () => time }),
    pass: (ms: number): void => {
      time += ms
    },
  }
}

test('a minute each, oldest first; before the start it is not known', () => {
  const { history, pass } = start()
  history.minted('a', NOT)
  pass(2 * MINUTE)
  history.minted('a', NOT)
  history.minted('a', { throttled: true })
  const { mints, throttled } = history.read()
  assert.equal(mints.length, MINUTES)
  assert.deepEqual(mints.slice(-4), [null, 1, 0, 2])
  assert.deepEqual(throttled.slice(-4), [null, 0, 0, 1])
})

test('after an hour a minute is forgotten, whatever was or was not written since', () => {
  const { history, pass } = start(7 * MINUTE)
  history.minted('a', NOT)
  pass(59 * MINUTE)
  assert.equal(history.read().mints[0], 1)
  pass(MINUTE)
  assert.ok(history.read().mints.every((mints) => mints === 0))
})

test('the busiest seller of a minute, and its plan as Amazon has said it is', () => {
  const { history, pass } = start()
  history.minted('a', NOT)
  history.minted('b', NOT, 2)
  history.minted('b', NOT, 2)
  assert.deepEqual(
    [history.read().mints, history.read().busiest, history.read().plan].map((column) => column.at(-1)),
    [3, 2, 120],
  )
  pass(MINUTE)
  history.minted('b', NOT) // what it made a minute before does not count
  history.minted('a', NOT)
  history.minted('a', NOT)
  const { busiest, plan } = history.read()
  assert.deepEqual(
    [busiest.slice(-2), plan.slice(-2)],
    [
      [2, 2],
      [120, 60],
    ],
  )
})

test('whoever waits over the end of a minute waits in the next one too', () => {
  const { history, pass } = start()
  history.waiting(5)
  history.waiting(3)
  pass(MINUTE)
  assert.deepEqual(history.read().mostWaiting.slice(-2), [5, 3]) // though nothing has happened in it
  history.waiting(0)
  assert.deepEqual(history.read().mostWaiting.slice(-2), [5, 3])
  pass(MINUTE)
  assert.deepEqual(history.read().mostWaiting.slice(-3), [5, 3, 0])
})

test('whoever waits while nothing else happens waits in each of the minutes', () => {
  const { history, pass } = start()
  pass(3 * MINUTE)
  history.waiting(2)
  pass(4 * MINUTE)
  assert.deepEqual(history.read().mostWaiting.slice(-8), [0, 0, 0, 2, 2, 2, 2, 2])
  history.waiting(0)
  pass(2 * MINUTE)
  assert.deepEqual(history.read().mostWaiting.slice(-10), [0, 0, 0, 2, 2, 2, 2, 2, 0, 0])
})

test('the waits of a minute together, in seconds', () => {
  const { history } = start()
  history.waited(1240)
  history.waited(900)
  assert.deepEqual(history.read().waitedSeconds.slice(-1), [2.1])
})

test('the longest wait of a minute, in seconds', () => {
  const { history, pass } = start()
  history.waited(1240)
  history.waited(900)
  pass(MINUTE)
  assert.deepEqual(history.read().longestWaitSeconds.slice(-2), [1.2, 0])
})

test('sellers that are told apart are bounded; mints are all counted', () => {
  const { history } = start()
  history.minted('honest', NOT)
  for (let i = 0; i < 5000; i += 1) history.minted(`worthless-${i}`, NOT)
  history.minted('honest', NOT)
  const { mints, busiest } = history.read()
  assert.deepEqual([mints.at(-1), busiest.at(-1)], [5002, 2])
  for (let i = 0; i < 3; i += 1) history.minted('worthless-4999', NOT)
  assert.equal(history.read().busiest.at(-1), 2) // it has no place of its own
})

test('whatever happens when: as many mints as there were in the last hour', () => {
  const steps = fc.array(fc.nat({ max: 5 * MINUTE }), { maxLength: 80 })
  fc.assert(
    fc.property(steps, (pauses) => {
      const { history, pass } = start()
      let time = 0
      const at: number[] = []
      for (const ms of pauses) {
        pass(ms)
        time += ms
        history.minted('a', NOT)
        at.push(Math.floor(time / MINUTE))
      }
      const last = Math.floor(time / MINUTE)
      const counted = history.read().mints.map((mints) => mints ?? 0)
      assert.deepEqual(
        counted,
        counted.map((_, i) => at.filter((minute) => minute === last - MINUTES + 1 + i).length),
      )
    }),
  )
})
