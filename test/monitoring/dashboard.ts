/** helm/files/dashboard.json as data, and its queries as Prometheus would get them. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from './alerts.ts'

type Variable = { readonly name: string; readonly type: string; readonly definition?: string }
export type Panel = {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}
type Dashboard = {
  readonly uid: string
  readonly schemaVersion: number
  readonly tags: readonly string[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly panels: readonly Panel[]
}

export const dashboardText = readFileSync(path.join(ROOT, 'helm/files/dashboard.json'), 'utf8')
export const dashboard: Dashboard = JSON.parse(dashboardText)

export type Query = { readonly where: string; readonly expr: string }

export const panelQueries: readonly Query[] = dashboard.panels.flatMap(({ id, title, targets = [] }) =>
  targets.map(({ refId, expr }) => ({ where: `${id} ${title} ${refId}`, expr })),
)

/** What Grafana does before it asks. */
export const substituted = (expr: string, values: Readonly<Record<string, string>>): string =>
  expr.replace(/\$(\w+)/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`no value for $${name}`)
    return value
  })

/** PromQL that the runbook suggests. */
export const runbookQueries: readonly Query[] = [
  ...readFileSync(path.join(ROOT, 'docs/runbook.md'), 'utf8').matchAll(/```promql\n([\s\S]*?)\n```/g),
].map(([, expr = '']) => ({ where: `runbook: ${expr}`, expr }))
