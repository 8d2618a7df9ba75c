/** A real Prometheus scrapes a sidecar under load; every query of the dashboard, the alerts and the runbook is asked of it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { folderFor, serving } from '../support/cli.ts'
import { sellerFiles } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { startRedis } from '../support/redis.ts'
import { needs } from '../support/tools.ts'
import { ALERTS_FILE, alerts } from './alerts.ts'
import { panelQueries, runbookQueries, substituted } from './dashboard.ts'
import { startPrometheus } from './prometheus.ts'
import { CALLER_TOKEN, createTraffic, OPERATOR_FILE, SELLERS } from './traffic.ts'

const LABELS = { namespace: 'shop', pod: 'orders-1', job: 'rdt' }
const VARIABLES = { ...LABELS, __rate_interval: '1m', __range: '5m' }

/** The real program, as a pod would run it, before a simulator and beside a Redis. */
const startSidecar = async (t: TestContext) => {
  const simulator = createSimulator()
  const amazon = await simulator.listen()
  t.after(() => simulator.close())
  const folder = folderFor(t)
  const file = path.join(folder, 'operator.yaml')
  writeFileSync(file, OPERATOR_FILE)
  const callerTokenFile = path.join(folder, 'caller-token')
  writeFileSync(callerTokenFile, `${CALLER_TOKEN}\n`, { mode: 0o600 })
  const keyFile = path.join(folder, 'store-key')
  writeFileSync(keyFile, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  const redis = await startRedis(t)
  const env = {
    SIDECAR_STORE_URL: redis.url,
    SIDECAR_STORE_KEY_FILE: keyFile,
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
    SIDECAR_SELLERS: JSON.stringify(SELLERS.map((id) => sellerFiles(folder).row(id))),
    SIDECAR_AUTH_CALLER_TOKEN_FILE: callerTokenFile,
  }
  const { base, admin } = await serving(t, env, ['--config', file])
  return { simulator, base, admin: new URL(admin).host }
}

test('dashboard, alerts and runbook against a real Prometheus', {
  skip: needs('prometheus', 'redis-server'),
}, async (t) => {
  const { simulator, base, admin } = await startSidecar(t)
  const prometheus = await startPrometheus(t, { address: admin, labels: LABELS }, ALERTS_FILE)
  await until(async () => (await prometheus.number('count_over_time(rdt_build_info[1m])')) >= 2)

  const traffic = createTraffic(simulator, base)
  const seen = async (): Promise<void> => {
    const calls = [...traffic.verdicts.values()].reduce((sum, n) => sum + n, 0)
    const scraped = () => prometheus.number('sum(rdt_http_requests_total)')
    await until(async () => (await scraped()) === calls)
  }
  await traffic.run(1)
  await seen()
  await traffic.run(2)
  await seen()

  await t.test('what was counted is what was done', async () => {
    const byVerdict = await prometheus.query('sum by (verdict) (rdt_http_requests_total)')
    assert.deepEqual(
      new Map(byVerdict.map(({ labels, value }) => [labels['verdict'], value])),
      new Map([...traffic.verdicts].sort()),
    )
    assert.equal(await prometheus.number('sum(rdt_token_lookups_total)'), traffic.lookups())
    assert.equal(await prometheus.number('sum(rdt_mint_requests_total)'), traffic.mints())
    assert.equal(await prometheus.number('sum(rdt_lwa_requests_total)'), SELLERS.length)
  })

  await t.test('every query of the dashboard returns a number', async () => {
    const empty: string[] = []
    for (const { where, expr } of panelQueries) {
      const samples = await prometheus.query(substituted(expr, VARIABLES))
      if (!samples.some(({ value }) => Number.isFinite(value))) empty.push(where)
    }
    assert.deepEqual(empty, [])
  })

  await t.test('the panels tell what was done', async () => {
    const shown = async (where: RegExp): Promise<number> => {
      const query = panelQueries.find((one) => where.test(one.where))
      return prometheus.number(substituted(query?.expr ?? '', VARIABLES))
    }
    // increase() reckons with what may have happened before the first scrape and after the last.
    const about = (is: number, expected: number) =>
      assert.ok(Math.abs(is / expected - 1) < 0.25, `${is}, not ${expected}`)
    about(await shown(/^\d+ Mints saved A/), traffic.lookups() - traffic.mints())
    about(await shown(/ Calls in a day A/), traffic.ordersV0())
    assert.equal(await shown(/ Secrets not used A/), 0)
    assert.equal(await shown(/ Insecure listeners A/), 0)
    assert.equal(await shown(/ Sidecars A/), 1)
    assert.equal(await shown(/ Replicas A/), 1)
    assert.equal(await shown(/ Out of reach A/), 0)
    assert.equal(await shown(/ RDTs from the store A/), 0) // nobody else mints any
    assert.equal(await shown(/ Configuration A/), 1)
    assert.ok((await shown(/ Last mint A/)) < 60)
    assert.equal(await shown(/ Days left A/), Math.floor((Date.parse('2027-03-27') - Date.now()) / 86_400_000))
  })

  await t.test('every query of the runbook can be asked', async () => {
    for (const { expr } of runbookQueries) await prometheus.query(expr)
  })

  await t.test('every alert is healthy, told by namespace, pod and job; what happened rings', async () => {
    const rules = async () => new Map((await prometheus.rules()).map((rule) => [rule.name, rule]))
    // Groups take their turns within a second: each has been evaluated, and those that something happened to since then.
    await until(async () => {
      const now = await rules()
      const known = [...now.values()].every(({ health }) => health !== 'unknown')
      return known && now.get('RdtFallbacks')?.state === 'firing' && now.get('RdtMintRefused')?.state === 'pending'
    })
    const states = await rules()
    for (const { alert, expr } of alerts) {
      const { health, lastError } = states.get(alert) ?? {}
      assert.equal(health, 'ok', `${alert} ${lastError}`)
      for (const { labels } of await prometheus.query(expr)) assert.equal(labels['namespace'], 'shop', alert)
    }
    const firing = [...states.values()].filter(({ state }) => state === 'firing').map(({ name }) => name)
    assert.deepEqual(firing, ['RdtFallbacks'])
  })
})
