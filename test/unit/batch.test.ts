import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { divide, familyOf, pickBatch } from '../../src/rdt/batch.ts'
import type { Need } from '../../src/rdt/need.ts'
import { type Refused, reachOf, refusedElements } from '../../src/rdt/refusal.ts'

type Wish = { readonly id: number; readonly need: Need }

const ELEMENTS = ['buyerInfo', 'shippingAddress'] as const
const wishes: fc.Arbitrary<readonly Wish[]> = fc
  .array(
    fc.record({
      operation: fc.constantFrom('a', 'b', 'c'),
      path: fc.constantFrom('/{x}', '/1', '/2', '/3', '/4', '/5'),
      elements: fc.option(fc.subarray([...ELEMENTS]), { nil: undefined }),
      target: fc.constantFrom(undefined, 'amzn1.a'),
      exact: fc.constantFrom(false, false, false, true),
      unsure: fc.constantFrom(false, false, true),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((all) =>
    all.map(({ operation, path, elements, target, exact, unsure }, id) => ({
      id,
      need: {
        operation,
        resources: [{ method: 'GET', path: `/${operation}${path}`, ...(elements && { dataElements: elements }) }],
        targetApplication: target,
        exact,
        unsure,
      },
    })),
  )
const refusal = (status: number, message: string, details = ''): Refused => ({
  kind: 'refused',
  status,
  code: 'InvalidInput',
  message,
  details,
  answer: { headers: {}, body: '' },
})
const elementsOf = ({ need }: Wish) => [...(need.resources[0]?.dataElements ?? ['none'])].sort().join()

test('property: a batch is the first wish and others of its kind, never more than allowed, never one resource two ways', () => {
  fc.assert(
    fc.property(wishes, fc.integer({ min: 1, max: 10 }), (all, max) => {
      const batch = pickBatch(all, max)
      assert.ok(batch.length >= 1 && batch.length <= max)
      assert.equal(batch[0], all[0])
      if (batch.length > 1) assert.ok(batch.every(({ need }) => !need.exact))
      const [first] = batch
      for (const { need } of batch) {
        assert.equal(need.targetApplication, first?.need.targetApplication)
        assert.equal(need.unsure, first?.need.unsure)
      }
      const ways = Map.groupBy(batch, ({ need }) => need.operation)
      for (const group of ways.values()) assert.equal(new Set(group.map(elementsOf)).size, 1)
    }),
  )
})

test('property: whoever fits is taken, in their order', () => {
  fc.assert(
    fc.property(wishes, (all) => {
      const batch = pickBatch(all, 100)
      const ids = batch.map(({ id }) => id)
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      )
      const left = all.filter((one) => !batch.includes(one))
      const fits = ({ need }: Wish) =>
        !need.exact &&
        !batch[0]?.need.exact &&
        need.targetApplication === batch[0]?.need.targetApplication &&
        need.unsure === batch[0]?.need.unsure
      for (const one of left.filter(fits)) {
        assert.ok(
          batch.some((other) => other.need.operation === one.need.operation && elementsOf(other) !== elementsOf(one)),
        )
      }
    }),
  )
})

const REFUSALS = [
  refusal(400, 'Application does not have access to one or more requested data elements: [shippingAddress]'),
  refusal(400, 'Application do not have access to some or all requested resource'),
  refusal(400, 'Invalid or unsupported document ID found'),
  refusal(403, 'Access to requested resource is denied.'),
]

test('property: dividing loses nobody, gets smaller, and ends where all are alike', () => {
  fc.assert(
    fc.property(wishes, fc.constantFrom(...REFUSALS), (all, answer) => {
      const parts = divide(all, answer)
      if (!parts) {
        const operation = reachOf(answer) === 'operation'
        assert.equal(
          new Set(
            all.map(({ need }) =>
              operation ? familyOf(need) : JSON.stringify([need.resources, need.targetApplication]),
            ),
          ).size,
          1,
        )
        return
      }
      const [left, right] = parts
      assert.ok(left.length > 0 && right.length > 0)
      assert.deepEqual(
        [...left, ...right].map(({ id }) => id).sort((a, b) => a - b),
        all.map(({ id }) => id),
      )
    }),
  )
})

test('elements that Amazon names set apart those who ask for them', () => {
  const [named] = REFUSALS
  const wish = (id: number, ...dataElements: ('buyerInfo' | 'shippingAddress')[]): Wish => ({
    id,
    need: { operation: `op${id}`, resources: [{ method: 'GET', path: `/${id}`, dataElements }] },
  })
  const parts = named && divide([wish(1, 'buyerInfo'), wish(2, 'buyerInfo', 'shippingAddress'), wish(3)], named)
  assert.deepEqual(
    parts?.map((part) => part.map(({ id }) => id)),
    [[1, 3], [2]],
  )
})

test('whom a refusal concerns', () => {
  const reach = (status: number, message: string, details?: string) => reachOf(refusal(status, message, details))
  assert.equal(
    reach(403, 'Access to requested resource is denied.', 'The access token you provided has expired.'),
    'credential',
  )
  assert.equal(reach(403, 'x', 'The access token you provided is revoked, malformed or invalid.'), 'credential')
  assert.equal(reach(401, 'Unauthorized'), 'credential')
  assert.equal(reach(403, 'Access to requested resource is denied.'), 'operation')
  assert.equal(reach(400, 'Could not match input arguments'), 'resource')
  assert.equal(reach(400, 'Invalid or unsupported document ID found'), 'resource')
  assert.equal(reach(400, 'Empty target resource arguement found'), 'resource')
  assert.equal(reach(404, 'Not found'), 'resource')
})

test('the elements that a 400 names', () => {
  const named = (message: string, status = 400) => refusedElements(refusal(status, message))
  const text = 'Application does not have access to one or more requested data elements: '
  assert.deepEqual(named(`${text}[shippingAddress, buyerInfo]`), ['buyerInfo', 'shippingAddress'])
  assert.deepEqual(named(`${text}[somethingNew]`), [])
  assert.deepEqual(named('Application do not have access to some or all requested resource'), [])
  assert.deepEqual(named(`${text}[buyerInfo]`, 403), [])
})
