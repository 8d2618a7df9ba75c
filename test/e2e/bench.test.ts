/** `npm run bench` in miniature, so that it cannot rot. Nothing is timed here: a loaded machine must not matter. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SECTIONS, versions } from '../bench/bench.ts'
import { CONTENDERS } from '../bench/contenders.ts'
import { whyNot } from '../bench/processes.ts'
import { documentOf, machineOf } from '../bench/report.ts'
import { needs } from '../support/tools.ts'

process.env['BENCH_MAIN'] = 'src/main.ts' // another test builds dist/ meanwhile

const cellsOf = (line: string): readonly string[] => line.slice(2, -2).split(' | ')

/** Head and rows of each table of a section. */
const tablesIn = (markdown: string) =>
  [...markdown.matchAll(/(?:^\|.*\|$\n?){2,}/gm)].map(([text]) => {
    const [head = '', rule = '', ...rows] = text.trimEnd().split('\n')
    return { head: cellsOf(head), right: rule.slice(1, -1).split('|'), rows: rows.map(cellsOf) }
  })

/** A number, with unit or spread after it where there is one, below zero where noise is larger than a difference; `–` where a row has none. */
const FIGURE = /^(?!.*NaN)(–|[≤≥]? ?-?\d[\d,]*(\.\d+)?( ?[^\d\s|(][^\d|(]*)?( \(-?[\d.,]+–-?[\d.,]+\))?)$/

for (const { name, run } of SECTIONS) {
  test(`the section ${name} of the benchmark runs, every answer a whole 200, and its tables are full`, {
    skip: whyNot() ?? false,
  }, async () => {
    const { title, markdown } = await run('miniature') // rejects at any other answer
    assert.ok(title)
    const tables = tablesIn(markdown)
    assert.ok(tables.length > 0, 'no table')
    for (const { head, right, rows } of tables) {
      assert.ok(rows.length > 0, `no rows under ${head.join()}`)
      for (const row of rows) {
        assert.equal(row.length, head.length, row.join())
        for (const [i, cell] of row.entries()) if (right[i] === '--:') assert.match(cell, FIGURE, row.join())
      }
    }
  })
}

test('nginx and Go are compared too', { skip: whyNot() ?? needs('nginx', 'go') }, () => {
  assert.deepEqual(
    CONTENDERS.flatMap(({ missing }) => missing ?? []),
    [],
  )
})

test('the document says what was measured, on what and when', () => {
  const text = documentOf(machineOf(new Date('2026-11-24'), versions()), [{ title: 'A', markdown: '| b |' }])
  assert.match(
    text,
    /^Measured 2026-11-24 on \d+ × .+, \d+ GiB, Linux .+\. Node \d.+, express 5\..+http-proxy-middleware 4\./m,
  )
  assert.match(text, /\n\n## A\n\n\| b \|\n$/)
})
