/** A real Prometheus that scrapes one sidecar; it, and what it wrote, are gone when the test ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from '../support/listen.ts'
import { until } from '../support/many.ts'

export type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }
export type RuleState = {
  readonly name: string
  readonly health: string
  readonly state: string
  readonly lastError?: string
}

/** What is scraped, and the labels that Kubernetes would give it. */
export type Target = { readonly address: string; readonly labels: Readonly<Record<string, string>> }

export const startPrometheus = async (t: TestContext, { address, labels }: Target, rulesPath: string) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-prometheus-'))
  const config = path.join(folder, 'prometheus.yml')
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
      rule_files: [rulesPath],
      scrape_configs: [{ job_name: labels['job'], static_configs: [{ targets: [address], labels }] }],
    }),
  )
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let complaints = ''
  child.stderr.on('data', (chunk) => {
    complaints += chunk
  })
  const ended = once(child, 'close')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`prometheus did not start: ${complaints}`)
    return fetch(`${base}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  })

  const query = async (expr: string): Promise<readonly Sample[]> => {
    const answer = await fetch(`${base}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expr }) })
    const { data, error } = (await answer.json()) as Answer<QueryData>
    if (error) throw new Error(`${error}: ${expr}`)
    if (data.resultType === 'scalar') return [{ labels: {}, value: Number(data.result[1]) }]
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
  }

  return {
    query,
    /** The one number of a query. */
    number: async (expr: string): Promise<number> => {
      const [sample, ...others] = await query(expr)
      if (others.length > 0) throw new Error(`more than one series: ${expr}`)
      return sample?.value ?? Number.NaN
    },
    rules: async (): Promise<readonly RuleState[]> => {
      const { data } = (await (await fetch(`${base}/api/v1/rules`)).json()) as Answer<RulesData>
      return data.groups.flatMap(({ rules }) => rules)
    },
  }
}
export type Prometheus = Awaited<ReturnType<typeof startPrometheus>>

type Answer<T> = { readonly data: T; readonly error?: string }
type Value = readonly [number, string]
type QueryData =
  | { readonly resultType: 'scalar'; readonly result: Value }
  | {
      readonly resultType: 'vector'
      readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: Value }[]
    }
type RulesData = { readonly groups: readonly { readonly rules: readonly RuleState[] }[] }
