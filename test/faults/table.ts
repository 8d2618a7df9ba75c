/**
 * The faults of docs/reliability.md, tried and told: `npm run fault-table` writes the table, a row for each fault at each hop, in some
 * minutes. What a row says of the outcome is what its test asserts; the time is what was measured here.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import path from 'node:path'
import { machineOf, pageWith, tableOf } from '../bench/report.ts'
import { createLife } from '../support/life.ts'
import { boundMs, boundWords, SHORT_MS } from './bounds.ts'
import { assertKept } from './promises.ts'
import { ALL, NAMES, type Recovery, type Scenario, SERVED, timesPosted } from './scenarios.ts'
import { runTrial, type Trial } from './trial.ts'

const AGAIN: Readonly<Record<Recovery, string>> = {
  next: 'the next call',
  'retry-after': 'after Retry-After',
  attempt: 'when the attempt under way is over',
  refusal: 'ten seconds later',
}

/** The cells that a test holds in step with the scenarios. */
export const cellsOf = (scenario: Scenario): readonly string[] => [
  scenario.fault,
  scenario.gets.replace(/^(\d+) ([a-z-]+)$/, '$1 `$2`'),
  boundWords(scenario),
  scenario.gets === SERVED ? '–' : AGAIN[scenario.recovers],
  String(timesPosted(scenario)),
]

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

const measuredCells = (scenario: Scenario, { during, asked, attempts }: Trial): readonly string[] => {
  const bound = boundMs(scenario)
  return [
    bound === undefined ? 'until the caller left' : seconds(Math.max(...during.map(({ tookMs }) => tookMs))),
    ...(scenario.hop === 'call' ? [] : [String(Math.max(asked, attempts))]),
  ]
}

export type Row = readonly [Scenario, Trial]

export const tableIn = (rows: readonly Row[]): string => {
  const own = rows[0]?.[0].hop === 'call' ? [] : ['requests']
  return tableOf(
    [
      ...['fault', 'the caller gets', 'within', 'served again'].map((name) => ({ name, align: 'left' as const })),
      ...['POSTs that arrived', 'measured', ...own].map((name) => ({ name })),
    ],
    rows.map(([scenario, trial]) => [...cellsOf(scenario), ...measuredCells(scenario, trial)]),
  )
}

const tried = async (scenario: Scenario): Promise<Row> => {
  const life = createLife()
  try {
    const trial = await runTrial(life, scenario)
    assertKept(scenario, trial)
    process.stderr.write(`${NAMES[scenario.hop]}: ${scenario.fault}\n`)
    return [scenario, trial]
  } finally {
    await life.end()
  }
}

/** Some at once, in their order. */
const inLanes = async (scenarios: readonly Scenario[], lanes = 4): Promise<readonly Row[]> => {
  const rows: Row[] = []
  const next = scenarios.entries()
  const lane = async (): Promise<void> => {
    for (const [i, scenario] of next) rows[i] = await tried(scenario)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return rows
}

const main = async (): Promise<void> => {
  const sections: string[] = []
  for (const scenarios of ALL) {
    const rows = await inLanes(scenarios)
    sections.push(`#### ${NAMES[scenarios[0]?.hop ?? 'call']}`, tableIn(rows))
  }
  const load = loadavg().map((one) => one.toFixed(1))
  const machine = `${machineOf(new Date(), { Node: process.versions.node })} Load average at the end ${load.join(', ')}.`
  const how = `\`npm run fault-table\` writes these tables. The timeout that is to bound the wait is ${SHORT_MS} ms, all others 20 s; \`measured\` is the slowest of the callers. ${machine}`
  const file = path.join(import.meta.dirname, '../../docs/reliability.md')
  writeFileSync(file, pageWith(readFileSync(file, 'utf8'), 'faults', [...sections, how].join('\n\n')))
}

if (import.meta.main) await main()
