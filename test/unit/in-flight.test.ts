import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createInFlight } from '../../src/proxy/in-flight.ts'

test('what was added and not taken out is there, in whatever order they leave', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (steps) => {
      const inFlight = createInFlight<number>()
      const leave = new Map<number, () => void>()
      for (const [i, step] of steps.entries()) {
        const [item, ended] = [...leave][step % Math.max(2, leave.size)] ?? []
        if (item === undefined) leave.set(i, inFlight.add(i))
        else {
          ended?.()
          leave.delete(item)
        }
        assert.deepEqual([...inFlight.all()].sort(), [...leave.keys()].sort())
        assert.equal(inFlight.size(), leave.size)
      }
    }),
  )
})
