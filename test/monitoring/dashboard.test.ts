import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startManaged } from '../support/managed.ts'
import { startPair } from '../support/pair.ts'
import { alerts } from './alerts.ts'
import { dashboard, type Panel, panelQueries, type Query, runbookQueries } from './dashboard.ts'

const { panels } = dashboard
const charts = panels.filter(({ type }) => type !== 'row')
const everywhere: readonly Query[] = [
  ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
  ...panelQueries,
  ...runbookQueries,
]

test('every panel says what it shows and in which unit', () => {
  for (const { title, description, fieldConfig, datasource, targets = [] } of charts) {
    assert.ok(title && description?.endsWith('.'), title)
    assert.ok(fieldConfig?.defaults.unit, title)
    assert.equal(datasource?.uid, `\${datasource}`, title)
    assert.ok(targets.length > 0, title)
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
  }
})

test('panels do not overlap, and fill each line from edge to edge at one height', () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  let y = 0
  for (const [top, line] of Map.groupBy(panels, ({ gridPos }) => gridPos.y)) {
    assert.equal(top, y, line[0]?.title)
    y += heightOf(line)
  }
})

/** Of panels in a line, which must touch. */
const heightOf = (line: readonly Panel[]): number => {
  let x = 0
  for (const { gridPos, title } of line) {
    assert.deepEqual([gridPos.x, gridPos.h], [x, line[0]?.gridPos.h], title)
    x += gridPos.w
  }
  assert.equal(x, 24, line[0]?.title)
  return line[0]?.gridPos.h ?? 0
}

test('a dashboard of any data source, namespace, job and pod, at an address of its own', () => {
  assert.equal(dashboard.uid, 'rdt-sidecar')
  assert.ok(dashboard.schemaVersion >= 39 && dashboard.tags.length > 0)
  assert.deepEqual(
    dashboard.templating.list.map(({ name, type }) => [name, type]),
    [
      ['datasource', 'datasource'],
      ['namespace', 'query'],
      ['job', 'query'],
      ['pod', 'query'],
    ],
  )
  for (const { where, expr } of panelQueries) {
    for (const [, selector = ''] of expr.matchAll(/\{([^}]*)\}/g))
      assert.match(selector, /^namespace=~"\$namespace",job=~"\$job",pod=~"\$pod"/, where)
    for (const [, window = ''] of expr.matchAll(/\}\[([^\]]+)\]/g))
      assert.match(window, /^(\$__rate_interval|\$__range|1d)$/, where)
  }
})

type Family = { readonly name: string; readonly type: string }

/** Every metric of a sidecar that has just started, with the names of its series. */
const families = (text: string): readonly Family[] =>
  [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({ name, type }))
const seriesOf = ({ name, type }: Family): readonly string[] =>
  type === 'histogram' || type === 'summary' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name]

const namesIn = ({ expr }: Query): readonly string[] => expr.match(/\b(?:rdt|process|nodejs)_\w+/g) ?? []

test('alerts, dashboard and runbook ask for metrics that there are; and no metric of ours is left out', async (t) => {
  const pair = await startPair(t)
  const text = await (await fetch(`${pair.admin}/metrics`)).text()
  const known = families(text)
  const series = new Set(known.flatMap(seriesOf))
  for (const query of everywhere)
    for (const name of namesIn(query)) assert.ok(series.has(name), `${name} (${query.where})`)
  const used = new Set([...alerts.map(({ expr }) => ({ where: '', expr })), ...panelQueries].flatMap(namesIn))
  const unused = known.filter(
    (family) => family.name.startsWith('rdt_') && !seriesOf(family).some((one) => used.has(one)),
  )
  assert.deepEqual(
    unused.map(({ name }) => name),
    [],
  )
})

// Of the labels whose values are there from the start.
const CLOSED = ['outcome', 'trigger', 'reason', 'result', 'route', 'secret', 'operation']

test('every label value that is asked for exists', async (t) => {
  const pair = await startManaged(t)
  const text = await (await fetch(`${pair.admin}/metrics`)).text()
  const values = (name: string, label: string): readonly string[] =>
    [...text.matchAll(new RegExp(`^${name}\\{.*?\\b${label}="([^"]*)"`, 'gm'))].map(([, value = '']) => value)
  for (const { where, expr } of everywhere) {
    for (const [, name = '', selector = ''] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
      if (name === 'rdt_http_requests_total') continue // born with its first event
      for (const [, label = '', wanted = ''] of selector.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"]*)"/g)) {
        if (!CLOSED.includes(label)) continue
        for (const one of wanted.split('|'))
          assert.ok(
            values(name, label).some((value) => new RegExp(`^(?:${one})$`).test(value)),
            `${name} ${label} ${one} (${where})`,
          )
      }
    }
  }
})
