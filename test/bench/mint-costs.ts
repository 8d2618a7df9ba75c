/**
 * What each policy costs in mints: the same day of work, counted at the simulator. `npm run mint-costs` prints the table of
 * docs/mints.md. Time runs a hundred times faster than at Amazon (100 mints a second, burst 10), so that nobody waits for hours.
 */
import { loadConfig } from '../../src/config/load.ts'
import { createSidecar } from '../../src/sidecar.ts'
import { documentId, reportId } from '../../src/simulator/reports.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

export type Policy = {
  readonly name: string
  readonly env?: Readonly<Record<string, string>>
  /** The client mints for each call itself, as Amazon's JS SDK does; `direct`: without a sidecar. */
  readonly mints?: 'direct' | 'through'
  /** It lists the reports before it fetches their documents. */
  readonly lists?: boolean
}
export type Size = {
  readonly orders: number
  readonly shipments: number
  readonly documents: number
  readonly rounds: number
}
export type Cost = {
  readonly restricted: number
  readonly mints: number
  readonly throttled: number
  readonly personal: number
}

export const POLICIES: readonly Policy[] = [
  { name: 'no sidecar, a mint for each call', mints: 'direct' },
  { name: 'the same client through the sidecar (`mint.serveTokensApi`)', mints: 'through' },
  { name: '`rdt.scope: generic` (default)' },
  { name: 'the same, where reports are listed first', lists: true },
  { name: '`rdt.scope: specific`', lists: true, env: { SIDECAR_RDT_SCOPE: 'specific' } },
  {
    name: '`rdt.scope: specific`, `mint.maxResources: 1`',
    lists: true,
    env: { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_MINT_MAX_RESOURCES: '1' },
  },
]
export const DAY: Size = { orders: 200, shipments: 40, documents: 40, rounds: 3 }

const PER_SECOND = 100
const AT_ONCE = 25
const MINT = '/tokens/2021-03-01/restrictedDataToken'

export const measure = async (policy: Policy, size: Size): Promise<Cost> => {
  const simulator = createSimulator()
  const amazon = await simulator.listen()
  simulator.control({ mintRatePerSecond: PER_SECOND, latencyMs: { mint: 5 } })
  const loaded = loadConfig(undefined, {
    SIDECAR_PORT: '0',
    SIDECAR_ADMIN_PORT: '0',
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_MINT_RATE_PER_SECOND: String(PER_SECOND),
    ...policy.env,
  })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const runtime = { version: 'mint-costs', nodeVersion: process.version }
  const sidecar = createSidecar(loaded.config, runtime, { logger: createLogger({ level: 'silent', audit: false }) })
  const { data } = await sidecar.listen()
  const base = policy.mints === 'direct' ? amazon : `http://127.0.0.1:${data[0]?.port}`
  await work(base, simulator.accessToken(), policy, size)
  await sidecar.close()
  await simulator.close()
  const log = simulator.log()
  const mints = log.filter(({ kind }) => kind === 'mint')
  return {
    restricted: log.filter((entry) => entry.kind === 'call' && entry.token === 'rdt').length,
    mints: mints.length,
    throttled: mints.filter(({ status }) => status === 429).length,
    personal: log.filter(({ pii }) => pii).length,
  }
}

/** The targets of one round, in the order in which a service would ask. */
const targetsOf = ({ orders, shipments, documents }: Size): readonly string[] => [
  ...range(orders).flatMap((i) => ['', '/orderItems', '/address'].map((part) => `/orders/v0/orders/902-${i}${part}`)),
  ...range(shipments).map((i) => `/mfn/v0/shipments/${i}`),
  ...range(documents).map((i) => `/reports/2021-06-30/documents/${documentId(i + 1)}`),
]

const work = async (base: string, token: string, policy: Policy, size: Size): Promise<void> => {
  const get = async (target: string, accessToken = token): Promise<void> => {
    await (await fetch(base + target, { headers: { 'x-amz-access-token': accessToken } })).arrayBuffer()
  }
  const mintAndGet = async (path: string): Promise<void> => {
    const rdt = await mintOf(base, token, path)
    return get(path, rdt ?? token)
  }
  const ask = policy.mints ? mintAndGet : get
  if (policy.lists) for (const i of range(size.documents)) await get(`/reports/2021-06-30/reports/${reportId(i + 1)}`)
  for (let round = 0; round < size.rounds; round += 1) await inParallel(targetsOf(size), ask)
}

/** A client's own mint: after a 429 again, ever later (1 to 16 seconds, scaled); undefined where it is refused. */
const mintOf = async (base: string, token: string, path: string): Promise<string | undefined> => {
  const takes = /^\/orders\/v0\/orders\/[^/]+(\/orderItems)?$/.test(path)
  const resource = { method: 'GET', path, ...(takes && { dataElements: ['buyerInfo'] }) }
  const headers = { 'x-amz-access-token': token, 'content-type': 'application/json' }
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(base + MINT, {
      method: 'POST',
      headers,
      body: JSON.stringify({ restrictedResources: [resource] }),
    })
    const { restrictedDataToken } = (await answer.json()) as { restrictedDataToken?: string }
    if (answer.status !== 429) return restrictedDataToken
    await new Promise((resolve) =>
      setTimeout(resolve, (1000 / PER_SECOND) * Math.min(2 ** tries, 16) * (0.5 + Math.random() / 2)),
    )
  }
}

const inParallel = async (targets: readonly string[], ask: (target: string) => Promise<void>): Promise<void> => {
  const left = targets.values()
  const worker = async () => {
    for (const target of left) await ask(target)
  }
  await Promise.all(range(AT_ONCE).map(worker))
}
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)

/** Seconds that Amazon's plan (1 a second, burst 10) takes for so many mints. */
const secondsFor = (mints: number): number => Math.max(0, mints - 10)

export const tableOf = (costs: readonly (readonly [Policy, Cost])[]): string => {
  const rows = costs.map(
    ([{ name }, { restricted, mints, throttled }]) =>
      `| ${name} | ${restricted} | ${mints} | ${throttled} | ${secondsFor(mints - throttled)} s |`,
  )
  return [
    '| policy | calls with an RDT | mints asked for | of these 429 | at 1/s, burst 10 |',
    '|--|--:|--:|--:|--:|',
    ...rows,
  ].join('\n')
}

if (import.meta.main) {
  const costs: [Policy, Cost][] = []
  for (const policy of POLICIES) costs.push([policy, await measure(policy, DAY)])
  process.stdout.write(`${tableOf(costs)}\n`)
}
