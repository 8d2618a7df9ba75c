import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { needs } from '../support/tools.ts'
import { CHART, type Rendered, refusal, render, scratchFile, the } from './chart.ts'

const skip = needs('helm')

const fileOf = (name: string): string => readFileSync(path.join(CHART, 'files', name), 'utf8')
const GROUPS: readonly Rendered[] = parse(fileOf('alerts.yaml')).groups
const alertsOf = (groups: readonly Rendered[]): readonly Rendered[] =>
  groups.flatMap(({ rules }) => rules).filter(({ alert }: Rendered) => alert)
const [FIRST] = alertsOf(GROUPS)

const valuesOf = (prometheusRule: object) => ({ metrics: { prometheusRule: { enabled: true, ...prometheusRule } } })
const groupsWith = (prometheusRule: object): readonly Rendered[] =>
  the(render(valuesOf(prometheusRule)), 'PrometheusRule').spec.groups

test('nothing that needs an operator is rendered unless it is asked for', { skip }, () => {
  const kinds = render({}).map(({ kind }) => kind)
  assert.deepEqual(kinds, ['ConfigMap'])
})

test('the alerts reach Prometheus as the file has them, templates of annotations included', { skip }, () => {
  assert.deepEqual(groupsWith({}), GROUPS)
  assert.match(JSON.stringify(groupsWith({})), /\{\{ \$labels|\{\{ \$value/)
})

test('promtool takes the rendered rules', { skip: needs('helm', 'promtool') }, () => {
  const file = scratchFile('rules.yaml')
  const groups = groupsWith({ alertLabels: { team: 'orders' }, runbookBaseUrl: 'https://wiki.example.com/rdt' })
  writeFileSync(file, stringify({ groups }))
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
})

test('an alert can be left out by its name; a name that is none is refused', { skip }, () => {
  const left = alertsOf(groupsWith({ disabled: [FIRST.alert] }))
  assert.deepEqual(left, alertsOf(GROUPS).slice(1))
  assert.match(
    refusal(valuesOf({ disabled: ['NoSuch'] })),
    /metrics\.prometheusRule\.disabled: there is no alert NoSuch/,
  )
})

test('where all are left out, no empty group remains', { skip }, () => {
  const recording = GROUPS.flatMap(({ rules }) => rules).filter(({ alert }: Rendered) => !alert)
  const groups = groupsWith({ disabled: alertsOf(GROUPS).map(({ alert }) => alert) })
  assert.deepEqual(
    groups.flatMap(({ rules }) => rules),
    recording,
  )
  for (const { rules } of groups) assert.ok(rules.length > 0)
})

test('labels of yours go on every alert, over its own', { skip }, () => {
  for (const { labels } of alertsOf(groupsWith({ alertLabels: { team: 'orders', severity: 'mail' } }))) {
    assert.equal(labels.team, 'orders')
    assert.equal(labels.severity, 'mail')
  }
})

test('a runbook of yours keeps the anchor of each alert', { skip }, () => {
  const urls = alertsOf(groupsWith({ runbookBaseUrl: 'https://wiki.example.com/rdt' })).map(
    ({ annotations }) => annotations.runbook_url,
  )
  const anchors = alertsOf(GROUPS).map(({ annotations }) => annotations.runbook_url.split('#').at(-1))
  assert.deepEqual(
    urls,
    anchors.map((anchor) => `https://wiki.example.com/rdt#${anchor}`),
  )
})

test('the dashboard arrives as it is, under the label that Grafana looks for', { skip }, () => {
  const map = the(render({ metrics: { dashboard: { enabled: true } } }), 'ConfigMap', 'shop-rdt-sidecar-dashboard')
  assert.equal(map.metadata.labels.grafana_dashboard, '1')
  assert.deepEqual(JSON.parse(map.data['rdt-sidecar.json']), JSON.parse(fileOf('dashboard.json')))
  const dashboard = { enabled: true, labels: { ours: 'yes' }, annotations: { grafana_folder: 'Amazon' } }
  const { metadata } = the(render({ metrics: { dashboard } }), 'ConfigMap', 'shop-rdt-sidecar-dashboard')
  assert.equal(metadata.labels.ours, 'yes')
  assert.deepEqual(metadata.annotations, { grafana_folder: 'Amazon' })
})

test('Prometheus scrapes the admin port of every pod with the container, once for each container', { skip }, () => {
  const podMonitor = { enabled: true, interval: '10s', labels: { release: 'prometheus' } }
  const { metadata, spec } = the(render({ metrics: { podMonitor } }), 'PodMonitor')
  assert.equal(metadata.labels.release, 'prometheus')
  assert.deepEqual(spec.selector.matchLabels, { 'rdt-sidecar/rdt-sidecar': 'shop-rdt-sidecar' })
  const [{ port, path: at, interval, relabelings }] = spec.podMetricsEndpoints
  assert.deepEqual([port, at, interval], ['rdt-admin', '/metrics', '10s'])
  assert.deepEqual(relabelings, [
    { action: 'keep', sourceLabels: ['__meta_kubernetes_pod_container_name'], regex: 'rdt-sidecar' },
  ])
})
