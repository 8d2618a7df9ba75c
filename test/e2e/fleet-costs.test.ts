/** The table of docs/store.md in miniature, so that it cannot rot. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  type Cost,
  FLEET,
  measure,
  type Scenario,
  type Size,
  type Store,
  scenariosOf,
  startRedis,
  storesOf,
  tableIn,
} from '../bench/fleet-costs.ts'
import type { Running } from '../bench/processes.ts'
import { pageWith } from '../bench/report.ts'
import { needs } from '../support/tools.ts'

process.env['BENCH_MAIN'] = 'src/main.ts' // another test builds dist/ meanwhile

const skip = needs('redis-server')
const SIZE: Size = { many: 2, some: 2, orders: 4, apartMs: 10, ratePerSecond: 20 }
const ONE_EACH = 0
const ROUTES = 7

let redis: Running | undefined
before(async () => {
  if (!skip) redis = await startRedis()
})
after(() => redis?.stop())

/** However long store and Amazon take on a loaded machine, they are waited for. */
const SLOW = { SIDECAR_STORE_TIMEOUT_MS: '5000', SIDECAR_MINT_TIMEOUT_MS: '60000' }

const measured = async (scenario: Scenario, store: Store): Promise<Cost> => {
  const env = { ...scenario.env, ...SLOW }
  const cost = await measure({ ...scenario, env }, store, redis?.port ?? 0, SIZE)
  const calls = scenario.replicas * scenario.targets(0).length
  assert.deepEqual([cost.calls, cost.failed, cost.restricted, cost.personal], [calls, 0, calls, calls])
  assert.ok(Number.isFinite(cost.medianS) && cost.medianS <= cost.tookS)
  return cost
}
const grantedOf = ({ mints, throttled }: Cost): number => mints - throttled

for (const [i, scenario] of scenariosOf(SIZE).entries()) {
  test(`a cold start with a store: ${scenario.name}`, { skip }, async () => {
    const { mints, throttled } = await measured(scenario, 'shared')
    const resources = new Set(Array.from({ length: scenario.replicas }, (_, one) => scenario.targets(one)).flat()).size
    const most = scenario.env?.['SIDECAR_RDT_SCOPE'] === 'specific' ? resources : ROUTES
    assert.equal(throttled, 0)
    assert.ok(mints >= 1 && mints <= most, `${mints} mints, at most ${most} expected`)
    if (i === ONE_EACH) assert.equal(mints, ROUTES)
  })
}

test('a cold start without one, and with one out of reach: each replica mints for itself', { skip }, async () => {
  const [each, , together] = scenariosOf(SIZE)
  assert.ok(each && together)
  const none = await measured(each, 'none')
  assert.equal(grantedOf(none), each.replicas * ROUTES)
  const lost = await measured(together, 'out of reach')
  assert.ok(grantedOf(lost) >= together.replicas)
})

test('docs/store.md holds a row for each scenario and store', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../docs/store.md'), 'utf8')
  for (const scenario of scenariosOf(FLEET))
    for (const store of storesOf(scenario)) assert.ok(page.includes(`\n| ${scenario.name} | ${store} |`), scenario.name)
})

test('the table goes between the markers of the page, as often as it is written', () => {
  const tally = { restricted: 3, personal: 3, mints: 2, throttled: 1, refused: 0 }
  const cost: Cost = { ...tally, calls: 3, failed: 0, tookS: 1.26, medianS: 0.5 }
  const [scenario] = scenariosOf(FLEET)
  assert.ok(scenario)
  const table = tableIn([[scenario, 'none', cost]])
  assert.ok(table.endsWith(`| ${scenario.name} | none | 2 | 1 | 3 | 0 | 0.5 s | 1.3 s |`), table)
  const [begin, end] = ['<!-- fleet-costs: begin -->\n', '<!-- fleet-costs: end -->\n']
  const once = pageWith(`A\n${begin}old\n${end}B\n`, 'fleet-costs', table)
  assert.equal(once, `A\n${begin}${table}\n${end}B\n`)
  assert.equal(pageWith(once, 'fleet-costs', table), once)
  assert.throws(() => pageWith('A\n', 'fleet-costs', table), /has no/)
})
