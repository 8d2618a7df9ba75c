/**
 * A sidecar as a process that honest callers use and that others flood: with access tokens worth nothing, with resources that are asked
 * for once. What the honest get, and what Amazon is asked on their behalf, is told apart from the rest.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { documentId, reportId } from '../../src/simulator/reports.ts'
import type { LogEntry } from '../../src/simulator/types.ts'
import { type Asked, ask, portOf } from './asked.ts'
import { folderFor, lwaToken, serving, simulating } from './cli.ts'
import { newKey } from './fleet.ts'
import { many, until } from './many.ts'
import { metric } from './metric.ts'
import { startRedis } from './redis.ts'
import { ASKABLE, vitalsOf } from './vitals.ts'

const SELLERS = ['seller-a', 'seller-b', 'seller-c']
export const TOKENS_API = '/tokens/2021-03-01/restrictedDataToken'
const DOCUMENTS = '/reports/2021-06-30/documents/'
const JSON_TYPE = { 'content-type': 'application/json', 'user-agent': 'shop' }
export const ownMint = (...paths: readonly string[]): string =>
  JSON.stringify({ restrictedResources: paths.map((path) => ({ method: 'GET', path })) })

/** What an honest seller asks for over and over, and what it gets from the second time on. */
const HONEST: readonly (readonly [asked: Omit<Asked, 'headers'>, expected: string])[] = [
  [{ target: '/orders/v0/orders/1/address' }, '200 hit'],
  [{ target: '/orders/v0/orders/1' }, '200 hit'],
  [{ target: '/shipping/v1/shipments/1' }, '400 rejected;mint-refused'], // the application has no role for it
  [{ target: `/reports/2021-06-30/reports/${reportId(2)}` }, '200 not-restricted'], // it tells of a document
  [{ target: DOCUMENTS + documentId(2) }, '200 unrestricted-report'],
  [{ target: DOCUMENTS + documentId(4) }, '200 unrestricted-report'], // of which a refused mint has told
  [{ method: 'POST', target: TOKENS_API, body: ownMint('/orders/v0/orders/7/buyerInfo') }, '200 hit'],
]

/** Calls with the nth access token that Amazon never issued: every way in which one may reach Amazon. */
export const worthless = (n: number): Asked => {
  const headers = { ...JSON_TYPE, 'x-amz-access-token': `Atza|worthless-${n}` }
  const kinds: readonly Asked[] = [
    { target: `/orders/v0/orders/${n}/address`, headers },
    { method: 'POST', target: TOKENS_API, body: ownMint(`/orders/v0/orders/${n}/buyerInfo`), headers },
    {
      target: DOCUMENTS + documentId(n * 2),
      headers: { ...headers, 'x-rdt-report-type': 'GET_SALES_AND_TRAFFIC_REPORT' },
    },
    { method: 'POST', target: TOKENS_API, body: `no mint ${n}`, headers },
    { target: `/mfn/v0/shipments/${n}`, headers: { ...headers, 'x-rdt-scope': 'specific' } },
    { target: `/orders/v0/orders/${n}`, headers: { ...headers, 'x-amz-access-token': `Atz.sprdt|worthless-${n}` } },
  ]
  return kinds[n % kinds.length] ?? { target: '/', headers }
}

const PLAN = { mintRatePerSecond: 50, mintBurst: 10 }

export type FloodOptions = {
  readonly env?: Readonly<Record<string, string>>
  /** Variables that name files, and what is in these. */
  readonly files?: Readonly<Record<string, string>>
  /** Of the simulator and of the sidecar: by default one that is soon full again. */
  readonly plan?: typeof PLAN
}

export const startFlooded = async (t: TestContext, { env = {}, files = {}, plan = PLAN }: FloodOptions = {}) => {
  const { mintRatePerSecond, mintBurst } = plan
  const amazon = await simulating(t)
  const set = { denyOperations: ['shipping-v1.getShipment'], mintRatePerSecond, mintBurst }
  await fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(set) })
  const folder = folderFor(t)
  const written = Object.entries(files).map(([name, content]) => {
    const file = path.join(folder, name)
    writeFileSync(file, `${content}\n`, { mode: 0o600 })
    return [name, file]
  })
  const sidecarEnv = {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LOG_AUDIT: 'false',
    SIDECAR_MINT_RATE_PER_SECOND: `${mintRatePerSecond}`,
    SIDECAR_MINT_BURST: `${mintBurst}`,
    ...env,
    ...Object.fromEntries(written),
  }
  const sidecar = await serving(t, sidecarEnv, [], ASKABLE)
  const tokens = await Promise.all(SELLERS.map((seller) => lwaToken(amazon, seller)))
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  t.after(() => agent.destroy())
  const place = { port: portOf(sidecar.base) }

  /** Status and verdict. */
  const outcomeOf = async (asked: Asked): Promise<string> => (await ask(place, asked, agent)).outcome
  const usagePlans = async (): Promise<number> =>
    ((await (await fetch(`${sidecar.admin}/status`)).json()) as { usagePlans: number }).usagePlans
  const log = async (): Promise<readonly LogEntry[]> =>
    (await (await fetch(`${amazon}/_simulator/log`)).json()) as LogEntry[]

  /** All that the honest (the first so many of them) ask for, once: what they got that they should not have got. */
  const honest = async (sellers = tokens.length): Promise<readonly string[]> => {
    const others: string[] = []
    for (const token of tokens.slice(0, sellers))
      for (const [asked, expected] of HONEST) {
        const got = await outcomeOf({ ...asked, headers: { ...JSON_TYPE, 'x-amz-access-token': token } })
        if (got !== expected) others.push(`${asked.target}: ${got}`)
      }
    return others
  }

  return {
    sidecar,
    honest,
    token: (i: number): string => tokens[i] ?? '',
    /** `count` calls, so many at once: what came of them, and how often. */
    flood: async (count: number, callOf: (n: number) => Asked, atOnce = 48): Promise<ReadonlyMap<string, number>> => {
      const outcomes = new Map<string, number>()
      let next = 0
      await many(atOnce, async () => {
        for (let n = next++; n < count; n = next++) {
          const outcome = await outcomeOf(callOf(n))
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        }
      })
      return outcomes
    },
    ask: outcomeOf,
    metric: (series: string): Promise<number> => metric(sidecar, series),
    /** Mints that the honest have cost. */
    mints: async (): Promise<number> => (await log()).filter(({ kind, seller }) => kind === 'mint' && seller).length,
    /** Once it is idle: no connection but those to the simulator, no usage plan that has something to remember. */
    vitals: async () => {
      agent.destroy()
      const idle = async (): Promise<boolean> =>
        (await metric(sidecar, 'rdt_connections')) === 0 && (await usagePlans()) === 0
      await until(idle)
      return vitalsOf(sidecar)
    },
  }
}

/** One with a store, whose honest callers have what they ask for. */
export const startFloodedStore = async (t: TestContext) => {
  const redis = await startRedis(t)
  const flooded = await startFlooded(t, {
    env: { SIDECAR_STORE_URL: redis.url, SIDECAR_STORE_TIMEOUT_MS: '3000' }, // a busy machine is no store in trouble
    files: { SIDECAR_STORE_KEY_FILE: newKey() },
  })
  await flooded.honest()
  assert.deepEqual(await flooded.honest(), [])
  return { ...flooded, redis, flooded, mintsBefore: await flooded.mints() }
}

/**
 * What the honest get while `flood` is under way, again and again: nothing but what they have. Most of them rest until it is over: what
 * is not used goes first, where there is no room.
 */
export const honestMeanwhile = async <T>({ honest }: Flooded, flood: Promise<T>): Promise<T> => {
  let over = false
  const ended = flood.finally(() => {
    over = true
  })
  do assert.deepEqual(await honest(1), [])
  while (!over)
  assert.deepEqual(await honest(), [])
  return ended
}

export type Flooded = Awaited<ReturnType<typeof startFlooded>>
