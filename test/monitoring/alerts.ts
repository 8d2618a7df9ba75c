/** helm/files/alerts.yaml and its promtool cases, as data; each alert broken in many ways. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

export const ROOT = path.join(import.meta.dirname, '../..')
export const ALERTS_FILE = path.join(ROOT, 'helm/files/alerts.yaml')

export type Alert = {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
type RulesFile = { readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[] }

const rulesFile: RulesFile = parse(readFileSync(ALERTS_FILE, 'utf8'))
export const alerts: readonly Alert[] = rulesFile.groups.flatMap(({ rules }) => rules)

type Expectation = { readonly alertname: string; readonly exp_alerts: readonly object[] }
export type Case = { readonly name: string; readonly alert_rule_test: readonly Expectation[] }
type CaseFile = { readonly evaluation_interval: string; readonly tests: readonly Case[] }

export const CASE_FILES = ['alerts.promtool.yaml', 'sunset.promtool.yaml'].map((name) =>
  path.join(import.meta.dirname, name),
)
const caseFiles: readonly CaseFile[] = CASE_FILES.map((file) => parse(readFileSync(file, 'utf8')))
export const cases: readonly Case[] = caseFiles.flatMap(({ tests }) => tests)

const concerns = ({ alert }: Alert, { name }: Case): boolean => name.startsWith(`${alert}: `)
export const casesOf = (alert: Alert): readonly Case[] => cases.filter((one) => concerns(alert, one))

/** A promtool file with this alert's cases alone, for its rule in `rulesPath`. JSON is YAML. */
export const caseFileOf = (alert: Alert, rulesPath: string): string => {
  const file = caseFiles.find(({ tests }) => tests.some((one) => concerns(alert, one)))
  const tests = file?.tests.filter((one) => concerns(alert, one))
  return JSON.stringify({ ...file, rule_files: [rulesPath], tests })
}
export const rulesFileOf = (alert: Alert): string => JSON.stringify({ groups: [{ name: 'one', rules: [alert] }] })

export type Mutant = { readonly what: string; readonly alert: Alert }

/** The alert, broken: each threshold, each matcher, each part alone, the labels it is told by, and how long it waits. */
export const mutantsOf = (alert: Alert): readonly Mutant[] => [
  ...[thresholds, matchers, parts, podless].flatMap((broken) =>
    broken(alert.expr).map(({ what, expr }) => ({ what, alert: { ...alert, expr } })),
  ),
  ...(alert.for ? [{ what: 'at once', alert: { ...alert, for: '0s' } }] : []),
  { what: 'far too late', alert: { ...alert, for: '100d' } },
]

type Broken = { readonly what: string; readonly expr: string }

const thresholds = (expr: string): readonly Broken[] =>
  [...expr.matchAll(/(>=|==|>|<) (\d[\d.]*)/g)].flatMap(({ 0: text, 1: operator = '', 2: number = '', index }) => {
    const replaced = (by: string) => ({
      what: `${text} → ${by}`,
      expr: expr.slice(0, index) + by + expr.slice(index + text.length),
    })
    const value = Number(number)
    if (value > 0) return [replaced(`${operator} ${value * 2}`), replaced(`${operator} ${value / 2}`)]
    return [replaced('>= 0'), replaced('> 1000000')]
  })

const matchers = (expr: string): readonly Broken[] => {
  const all = new Set([...expr.matchAll(/\w+(?:=~|!~|!=|=)"[^"]*"/g)].map(([text]) => text))
  return [...all].map((text) => ({
    what: `without ${text}`,
    expr: expr.replaceAll(`${text},`, '').replaceAll(`,${text}`, '').replaceAll(text, ''),
  }))
}

const parts = (expr: string): readonly Broken[] => {
  const all = expr.split(/\n\s*(?:and on \(\)|and|or|unless)\s/)
  return all.length < 2 ? [] : all.map((part) => ({ what: `only ${part}`, expr: part }))
}

const podless = (expr: string): readonly Broken[] => {
  const broken = expr.replaceAll('namespace, pod, job', 'namespace, job')
  return broken === expr ? [] : [{ what: 'not told by pod', expr: broken }]
}
