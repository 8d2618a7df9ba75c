/** The table of faults in docs/reliability.md: a row for each scenario, with what its test asserts. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { ALL, NAMES } from '../faults/scenarios.ts'
import { cellsOf } from '../faults/table.ts'

const page = readFileSync(path.join(import.meta.dirname, '../../docs/reliability.md'), 'utf8')

/** Without the times and counts, which are measured. */
const rowsUnder = (name: string): readonly string[] => {
  const [, section = ''] = page.split(`#### ${name}\n`)
  const [table = ''] = section.split(/^(?:####|`npm run fault-table`)/m)
  return table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.split(' | ').slice(0, 5).join(' | '))
}

for (const scenarios of ALL) {
  const name = NAMES[scenarios[0]?.hop ?? 'call']
  test(`docs/reliability.md tells of the faults of ${name} what their tests assert, and of no others`, () => {
    assert.ok(scenarios.length > 40)
    assert.deepEqual(
      rowsUnder(name),
      scenarios.map((scenario) => `| ${cellsOf(scenario).join(' | ')}`),
    )
  })
}
