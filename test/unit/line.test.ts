import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLine, type Waiting } from '../../src/rdt/line.ts'

type Place = Waiting & { readonly name: string }

const NOBODY = new Set<string>()
const ALONE = { inCompany: false, mostUnsure: 50 }

const start = ({ maxResources = 50, windowMs = 5, maxDistanceMs = 1000 } = {}) => {
  let time = 1000
  let told = 0
  const onChange = (by: number): void => {
    told += by
  }
  const line = createLine<Place>({
    maxResources,
    windowMs,
    maxDistanceMs: () => maxDistanceMs,
    onChange,
    now: () => time,
  })
  const join = (name: string, extra: Partial<Place> = {}): Place => {
    const resources = [{ method: 'GET', path: `/${name}` }]
    const place = {
      name,
      family: name,
      since: time,
      waiters: () => 1,
      wanted: () => true,
      leaveBy: undefined,
      need: { operation: name, resources },
      ...extra,
    }
    line.join(place)
    return place
  }
  return {
    join,
    renewal: (name: string, leaveBy: number) => join(name, { waiters: () => 0, leaveBy }),
    pass: (ms: number) => {
      time += ms
    },
    due: (held: ReadonlySet<string> = NOBODY) => line.dueInMs(held),
    take: (how = ALONE, held: ReadonlySet<string> = NOBODY) => line.take(held, how).map(({ name }) => name),
    line,
    /** How many wait, by what was told of it. */
    told: () => told,
  }
}

test('the first leaves after the window, whoever else comes', () => {
  const { join, pass, due, take } = start()
  assert.equal(due(), undefined)
  join('a')
  assert.equal(due(), 5)
  pass(3)
  join('b')
  assert.equal(due(), 2)
  pass(2)
  assert.equal(due(), 0)
  assert.deepEqual(take(), ['a', 'b'])
  assert.equal(due(), undefined)
})

test('a full mint leaves at once', () => {
  const { join, due, take } = start({ maxResources: 2 })
  join('a')
  join('b')
  join('c')
  assert.equal(due(), 0)
  assert.deepEqual(take(), ['a', 'b'])
  assert.equal(due(), 5)
})

test('while a crowd is there, mints with room keep three times the distance of the one before, up to the most', () => {
  const { join, pass, due, take } = start({ maxDistanceMs: 100 })
  const distances: (number | undefined)[] = []
  for (let i = 0; i < 5; i += 1) {
    join(`${i}a`)
    join(`${i}b`)
    distances.push(due())
    pass(due() ?? 0)
    take()
  }
  assert.deepEqual(distances, [5, 15, 45, 100, 100])
})

test('who flies beside others is a crowd too, and a full mint is none', () => {
  const { join, due, take } = start({ maxResources: 2 })
  join('a')
  take({ ...ALONE, inCompany: true })
  join('b')
  assert.equal(due(), 15)
  join('c')
  take({ ...ALONE, inCompany: true })
  join('d')
  assert.equal(due(), 15)
})

test('the distance shrinks again with each one that leaves alone, and is over at the latest when it has passed', () => {
  const { join, pass, due, take } = start()
  for (const name of ['a', 'b']) {
    join(name)
    join(`${name}${name}`)
    take()
  }
  join('c')
  assert.equal(due(), 45)
  pass(1000)
  assert.equal(due(), 0)
  take()
  join('d')
  assert.equal(due(), 15)
  take()
  join('e')
  assert.equal(due(), 5)
})

test('a renewal has until its time; with somebody waiting for it, it is a caller', () => {
  const { renewal, line, due, take } = start()
  renewal('old', 2000)
  assert.equal(due(), 1000)
  assert.deepEqual([line.callers(), line.length()], [0, 1])
  assert.deepEqual(take(), ['old'])
  let waiters = 0
  const joined = start()
  joined.join('old', { waiters: () => waiters, leaveBy: 2000 })
  joined.pass(100)
  waiters = 1
  assert.equal(joined.due(), 0)
  assert.equal(joined.line.callers(), 1)
})

test('callers have the seats before renewals, which take those that are free', () => {
  const { join, renewal, take } = start({ maxResources: 3 })
  renewal('r1', 2000)
  renewal('r2', 2000)
  join('a')
  join('b')
  assert.deepEqual(take(), ['a', 'b', 'r1'])
  renewal('r3', 2000)
  join('c')
  join('d')
  join('e')
  assert.deepEqual(take(), ['c', 'd', 'e'])
})

test('what must go alone goes at once, past those who still wait for company', () => {
  const { join, due, take } = start()
  join('a')
  join('own', { need: { resources: [{ method: 'GET', path: '/own' }], exact: true } })
  join('b')
  assert.equal(due(), 0)
  assert.deepEqual(take(), ['own'])
  assert.equal(due(), 5)
  assert.deepEqual(take(), ['a', 'b'])
})

test('of unsure outcome no more than told', () => {
  const { join, take } = start()
  for (const name of ['a', 'b', 'c'])
    join(name, { need: { operation: 'doc', resources: [{ method: 'GET', path: `/${name}` }], unsure: true } })
  assert.deepEqual(take({ ...ALONE, mostUnsure: 2 }), ['a', 'b'])
})

test('families that are held wait, the others go', () => {
  const { join, due, take } = start()
  join('held')
  assert.equal(due(new Set(['held'])), undefined)
  join('free')
  assert.equal(due(new Set(['held'])), 5)
  assert.deepEqual(take(ALONE, new Set(['held'])), ['free'])
  assert.deepEqual(take(), ['held'])
})

test('whom nobody waits for any more is due at once, to be let go', () => {
  const { join, due, line } = start()
  join('gone', { waiters: () => 0 })
  assert.equal(due(), 0)
  assert.deepEqual(line.remove(() => true).length, 1)
  assert.equal(line.length(), 0)
  join('renewal of what is gone', { waiters: () => 0, wanted: () => false, leaveBy: 900_000 })
  assert.equal(due(), 0)
})

test('whoever joins, leaves or is let go is told: what was told adds up to who waits', () => {
  const { join, take, line, told } = start({ maxResources: 2 })
  for (const name of ['a', 'b', 'c', 'd']) join(name)
  assert.equal(told(), 4)
  take()
  assert.equal(told(), line.length())
  line.remove(({ name }) => name === 'd')
  assert.equal(told(), 1)
  line.remove(() => false)
  take()
  take()
  assert.deepEqual([told(), line.length()], [0, 0])
})
