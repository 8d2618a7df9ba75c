import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createExpiringMap, type Removal } from '../../src/expiring-map.ts'

const now = () => 1

test('room for ten million entries takes no memory before they come', () => {
  const held = () => (({ heapUsed, arrayBuffers }) => heapUsed + arrayBuffers)(process.memoryUsage())
  const before = held()
  const map = createExpiringMap<object>({ maxEntries: 10_000_000, now })
  const taken = held() - before
  map.set('a', {})
  assert.equal(map.size(), 1)
  assert.ok(taken < 2 ** 20, `${taken} bytes`)
})

test('where there is no room, the entry used least recently goes, and that is told', () => {
  const removals: Removal[] = []
  const map = createExpiringMap<object>({ maxEntries: 2, now, onRemoval: (reason) => removals.push(reason) })
  map.set('a', {})
  map.set('b', {}, 1000)
  map.get('a')
  map.set('c', {})
  assert.deepEqual([...map.keys()].sort(), ['a', 'c'])
  assert.deepEqual(removals, ['capacity'])
})

test('an entry that is replaced or deleted leaves its room to another', () => {
  const removals: Removal[] = []
  const map = createExpiringMap<object>({ maxEntries: 2, now, onRemoval: (reason) => removals.push(reason) })
  for (const key of ['a', 'a', 'b', 'b']) map.set(key, {})
  map.delete('a')
  map.set('c', {})
  assert.deepEqual([...map.keys()].sort(), ['b', 'c'])
  map.clear()
  for (const key of ['d', 'e']) map.set(key, {}, 1000)
  assert.deepEqual([...map.keys()].sort(), ['d', 'e'])
  assert.deepEqual(removals, [])
})
