/**
 * A sidecar's long days, made short: Amazon's hour is six seconds, a day's worth of everything happens in minutes. A real `serve` in front
 * of a real simulator, managed sellers and callers with tokens of their own.
 */
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { portOf } from './asked.ts'
import { folderFor, lwaToken, serving, simulating } from './cli.ts'
import { newKey } from './fleet.ts'
import { CALLER_TOKEN, callerRow, sellerFiles } from './managed.ts'
import { metric } from './metric.ts'
import type { Redis } from './redis.ts'
import { ASKABLE, complaintsOf, vitalsOf } from './vitals.ts'

const SELLERS = ['seller-a', 'seller-b']
const SECRETS = ['secret-1', 'secret-2'] // Login with Amazon takes both
const CACHE = 500
/** RDTs live six seconds, access tokens twenty. The usage plan is twenty times as wide as Amazon's, for an hour is six hundred times as short. */
const AMAZON = {
  rdtSeconds: 6,
  accessTokenSeconds: 20,
  mintRatePerSecond: 20,
  mintBurst: 20,
  denyOperations: ['shipping-v1.getShipment'],
  latencyMs: { call: 5, mint: 10, lwa: 10 },
}

export const startSoaked = async (t: TestContext, redis?: Redis) => {
  const amazon = await simulating(t)
  const control = async (patch: object): Promise<void> => {
    const answer = await fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(patch) })
    if (!answer.ok) throw new Error(await answer.text())
  }
  await control({ ...AMAZON, clientSecrets: [...SECRETS, 'simulated-secret'] })

  const folder = folderFor(t)
  const write = (name: string, content: string): string => {
    const file = path.join(folder, name)
    writeFileSync(`${file}.next`, content, { mode: 0o600 })
    renameSync(`${file}.next`, file)
    return file
  }
  const files = sellerFiles(folder)
  const orders = callerRow(folder, 'orders', { sellers: ['seller-a'], operations: ['orders-v0.getOrderAddress'] })
  const configuration = (more: object = {}): string =>
    JSON.stringify({
      sellers: SELLERS.map((id) => files.row(id, { default: id === 'seller-a' })),
      auth: { callerTokenFile: write('caller-token', CALLER_TOKEN), callers: [orders.row] },
      log: { level: 'warn', audit: false }, // what is printed is kept by this process
      ...more,
    })
  const env = {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
    SIDECAR_RDT_EXPIRY_MARGIN_MS: '1500',
    SIDECAR_MINT_RATE_PER_SECOND: `${AMAZON.mintRatePerSecond}`,
    SIDECAR_MINT_BURST: `${AMAZON.mintBurst}`,
    SIDECAR_CACHE_MAX_ENTRIES: `${CACHE}`,
    ...(redis && {
      SIDECAR_STORE_URL: redis.url,
      SIDECAR_STORE_TIMEOUT_MS: '3000', // a busy machine is no store in trouble
      SIDECAR_STORE_KEY_FILE: write('store-key', newKey()),
    }),
  }
  const file = write('sidecar.yaml', configuration({ log: { audit: false } }))
  const sidecar = await serving(t, env, ['--config', file], [...ASKABLE, '--trace-warnings'])

  let reloads = 0
  /** The nth configuration and the nth secrets; each fifth one is refused. */
  const reload = (n: number): void => {
    for (const id of SELLERS) write(`${id}.client-secret`, `${SECRETS[n % 2]}\n`)
    const scope = n % 5 === 4 ? 'wrong' : 'generic'
    const shown = n % 2 === 0 ? ['buyerInfo', 'shippingAddress'] : ['buyerInfo']
    write('sidecar.yaml', configuration({ rdt: { scope, dataElements: shown } }))
    sidecar.child.kill('SIGHUP')
    reloads += 1
  }

  /** Of one series by any labels. */
  const sumOf = async (pattern: RegExp): Promise<number> => {
    const text = await (await fetch(`${sidecar.admin}/metrics`)).text()
    return text
      .split('\n')
      .filter((line) => pattern.test(line))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
  const one = (series: string): Promise<number> => metric(sidecar, series)

  return {
    control,
    reload,
    cacheBound: CACHE,
    place: { port: portOf(sidecar.base) },
    orders: orders.token,
    look: async () => ({
      lagMs: (await one('nodejs_eventloop_lag_p50_seconds')) * 1000,
      cacheEntries: await one('rdt_token_cache_entries'),
      ...(await vitalsOf(sidecar)),
    }),
    counts: async () => ({
      mints: await sumOf(/^rdt_mint_requests_total\{outcome="success"/),
      throttled: await sumOf(/^rdt_mint_requests_total\{outcome="throttled"/),
      lwaRequests: await sumOf(/^rdt_lwa_requests_total\{outcome="success"/),
      replaysCured: await one('rdt_replays_total{outcome="cured"}'),
      replaysFailed: await one('rdt_replays_total{outcome="failed"}'),
      aborts: await one('rdt_http_client_aborts_total'),
      reloads,
    }),
    complaints: (): readonly string[] => complaintsOf(sidecar),
    /** An access token of a caller's own, worth something. */
    ownToken: (): Promise<string> => lwaToken(amazon, 'seller-c'),
    stop: async (): Promise<number | null> => {
      sidecar.child.kill('SIGTERM')
      return (await sidecar.finished).code
    },
  }
}
export type Soaked = Awaited<ReturnType<typeof startSoaked>>
