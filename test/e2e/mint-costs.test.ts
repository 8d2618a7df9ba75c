/** docs/mints.md in miniature, so that its table cannot rot. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { measure, POLICIES, type Size } from '../bench/mint-costs.ts'

const SIZE: Size = { orders: 20, shipments: 6, documents: 6, rounds: 2 }
const RESTRICTED = (20 * 3 + 6 + 3) * 2
const PERSONAL = RESTRICTED
const RESOURCES = 20 * 3 + 6 + 3

/** Mints, at the least and at the most. */
const EXPECTED: readonly (readonly [number, number])[] = [
  [RESTRICTED + 6, Number.POSITIVE_INFINITY], // the unrestricted documents are asked for, too
  [RESOURCES + 3, RESOURCES + 3],
  [4, 16],
  [2, 6],
  [4, 14],
  [RESOURCES, RESOURCES],
]

for (const [i, policy] of POLICIES.entries()) {
  test(`what it costs in mints: ${policy.name}`, async () => {
    const { restricted, personal, mints, throttled } = await measure(policy, SIZE)
    const [least, most] = EXPECTED[i] ?? [0, 0]
    assert.equal(restricted, RESTRICTED)
    assert.equal(personal, PERSONAL)
    assert.ok(mints >= least && mints <= most, `${mints} mints, ${least} to ${most} expected`)
    if (policy.sidecar) assert.equal(throttled, 0)
  })
}

test('docs/mints.md holds a row for each policy', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../docs/mints.md'), 'utf8')
  for (const { name } of POLICIES) assert.ok(text.includes(`| ${name} |`), name)
})
