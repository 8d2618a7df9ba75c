import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { folderFor } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import { ALERTS_FILE, alerts, CASE_FILES, caseFileOf, cases, casesOf, mutantsOf, ROOT, rulesFileOf } from './alerts.ts'

const skip = needs('promtool')
const promtool = (...args: string[]) => promisify(execFile)('promtool', args)

test('promtool finds no fault with the alerts', { skip }, async () => {
  const { stdout } = await promtool('check', 'rules', '--lint=all', '--lint-fatal', ALERTS_FILE)
  assert.match(stdout, new RegExp(`SUCCESS: ${alerts.length} rules found`))
})

test('every alert fires in its case and stays silent in a near miss', { skip }, async () => {
  await promtool('test', 'rules', ...CASE_FILES)
})

test('every alert has a case in which it fires and one in which it never does', () => {
  for (const alert of alerts) {
    const told = casesOf(alert).map(({ alert_rule_test: expected }) => {
      assert.ok(
        expected.every(({ alertname }) => alertname === alert.alert),
        alert.alert,
      )
      return expected.some(({ exp_alerts: firing }) => firing.length > 0)
    })
    assert.ok(told.includes(true) && told.includes(false), alert.alert)
  }
  assert.equal(alerts.flatMap(casesOf).length, cases.length, 'a case of no alert')
})

test('an alert that is broken in any of many ways fails its cases', { skip }, async (t) => {
  const folder = folderFor(t)
  const mutants = alerts.flatMap(mutantsOf)
  const survivors: string[] = []
  const next = async (): Promise<void> => {
    for (let mutant = mutants.pop(); mutant; mutant = mutants.pop()) {
      const { what, alert } = mutant
      const [rules, tests] = [
        path.join(folder, `${mutants.length}.rules`),
        path.join(folder, `${mutants.length}.tests`),
      ]
      writeFileSync(rules, rulesFileOf(alert))
      writeFileSync(tests, caseFileOf(alert, rules))
      const why = await promtool('test', 'rules', tests).then(
        () => 'its cases pass',
        ({ stderr }) => (/got:/.test(stderr) ? undefined : stderr),
      )
      if (why) survivors.push(`${alert.alert}, ${what}: ${why}`)
    }
  }
  await Promise.all([next(), next()])
  assert.deepEqual(survivors, [])
})

test('every alert says how urgent it is, what it is about and where its runbook is', () => {
  assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length)
  for (const { alert, labels, annotations } of alerts) {
    assert.match(alert, /^Rdt[A-Z][A-Za-z0-9]+$/)
    assert.deepEqual(Object.keys(labels), ['severity'], alert)
    assert.match(labels['severity'] ?? '', /^(page|ticket)$/, alert)
    assert.deepEqual(Object.keys(annotations), ['summary', 'description', 'runbook_url'], alert)
    assert.equal(annotations['runbook_url'], `docs/runbook.md#${alert.toLowerCase()}`)
    assert.ok((annotations['summary'] ?? '').length < 120, alert)
  }
})

const runbook = readFileSync(path.join(ROOT, 'docs/runbook.md'), 'utf8')

test('the runbook has a section for every alert, with its four parts, and none for anything else', () => {
  const sections = [...runbook.matchAll(/^## (Rdt\w+)\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm)]
  assert.deepEqual(
    sections.map(([, name]) => name),
    alerts.map(({ alert }) => alert),
  )
  for (const [, name, text = ''] of sections) {
    assert.deepEqual(
      [...text.matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, part]) => part),
      ['Meaning', 'Impact', 'Diagnosis', 'Cure'],
      name,
    )
  }
})

test('the table of the runbook lists every alert with its urgency', () => {
  const rows = [...runbook.matchAll(/^\| \[(Rdt\w+)\]\(#(\w+)\) \| (\w+) \|/gm)].map((row) => row.slice(1))
  assert.deepEqual(
    rows,
    alerts.map(({ alert, labels }) => [alert, alert.toLowerCase(), labels['severity']]),
  )
})

test('the log lines that the runbook looks for are lines that the sidecar writes', () => {
  const sources = ['telemetry/events.ts', 'cli/serve.ts'].map((file) =>
    readFileSync(path.join(ROOT, 'src', file), 'utf8'),
  )
  const messages = [...runbook.matchAll(/\.msg == "([^"]+)"/g)].map(([, message]) => message)
  assert.ok(messages.length > 0)
  for (const message of messages) assert.ok(sources.join().includes(`'${message}'`), message)
})
