/**
 * What each policy costs in mints: the same work of one selling partner, counted at the simulator, in virtual time.
 * `npm run mint-costs` prints the table of docs/mints.md.
 */
import { documentId, reportId } from '../../src/simulator/reports.ts'
import { type Counts, count, createRandom, type Job, type Place, range } from './count.ts'

export type Policy = {
  readonly name: string
  /** SIDECAR_* variables; undefined: no sidecar. */
  readonly sidecar?: Readonly<Record<string, string>>
  /** The client mints for each call itself, as Amazon's JS SDK does. */
  readonly mints?: true
  /** It lists the reports before it fetches their documents. */
  readonly lists?: true
}
export type Size = {
  readonly orders: number
  readonly shipments: number
  readonly documents: number
  readonly rounds: number
}

export const POLICIES: readonly Policy[] = [
  { name: 'no sidecar, a mint for each call', mints: true },
  { name: 'the same client through the sidecar (`mint.serveTokensApi`)', mints: true, sidecar: {} },
  { name: '`rdt.scope: generic` (default)', sidecar: {} },
  { name: 'the same, where reports are listed first', lists: true, sidecar: {} },
  { name: '`rdt.scope: specific`', lists: true, sidecar: { SIDECAR_RDT_SCOPE: 'specific' } },
  {
    name: '`rdt.scope: specific`, `mint.maxResources: 1`',
    lists: true,
    sidecar: { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_MINT_MAX_RESOURCES: '1' },
  },
]
export const DAY: Size = { orders: 200, shipments: 40, documents: 40, rounds: 3 }

const AT_ONCE = 25
const MINT = '/tokens/2021-03-01/restrictedDataToken'

type Get = (target: string) => Promise<void>

export const measure = ({ sidecar, mints, lists }: Policy, size: Size): Promise<Counts> => {
  const reports = lists ? range(size.documents).map((i) => `/reports/2021-06-30/reports/${reportId(i + 1)}`) : []
  const rounds = range(size.rounds).map(() => targetsOf(size))
  const jobs = [reports, ...rounds].map((targets) => targets.map(asJob))
  return count({ connect: mints ? mintAndGet : getWithLwa, sidecar, jobs: [jobs], workers: AT_ONCE })
}

/** The targets of one round, in the order in which a service would ask. */
const targetsOf = ({ orders, shipments, documents }: Size): readonly string[] => [
  ...range(orders).flatMap((i) => ['', '/orderItems', '/address'].map((part) => `/orders/v0/orders/902-${i}${part}`)),
  ...range(shipments).map((i) => `/mfn/v0/shipments/${i}`),
  ...range(documents).map((i) => `/reports/2021-06-30/documents/${documentId(i + 1)}`),
]
const asJob =
  (target: string): Job<Get> =>
  (get, insist) =>
    insist(() => get(target))

const getWithLwa =
  ({ base, token }: Place): Get =>
  (target) =>
    fetchWith(base + target, token)

const mintAndGet = ({ base, token }: Place): Get => {
  const random = createRandom()
  return async (target) => fetchWith(base + target, (await mintOf(base, token, target, random)) ?? token)
}

const fetchWith = async (url: string, token: string): Promise<void> => {
  const answer = await fetch(url, { headers: { 'x-amz-access-token': token } })
  await answer.arrayBuffer()
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} for ${url}`), { status: answer.status })
}

/** A client's own mint: after a 429 or 503 again, ever later (1 to 16 seconds); undefined where it is refused. */
const mintOf = async (base: string, token: string, path: string, random: () => number): Promise<string | undefined> => {
  const takes = /^\/orders\/v0\/orders\/[^/]+(\/orderItems)?$/.test(path)
  const resource = { method: 'GET', path, ...(takes && { dataElements: ['buyerInfo'] }) }
  const headers = { 'x-amz-access-token': token, 'content-type': 'application/json' }
  for (let tries = 0; ; tries += 1) {
    const body = JSON.stringify({ restrictedResources: [resource] })
    const answer = await fetch(base + MINT, { method: 'POST', headers, body })
    const { restrictedDataToken } = (await answer.json()) as { restrictedDataToken?: string }
    if (answer.status !== 429 && answer.status !== 503) return restrictedDataToken
    const pauseMs = 1000 * Math.min(2 ** tries, 16) * (0.5 + random() / 2)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

const costText = ({ restricted, mints, throttled, waitedS, tookS }: Counts): string =>
  `${restricted} | ${mints} | ${throttled} | ${Math.round(waitedS)} s | ${Math.round(tookS)} s`

export const tableOf = (costs: readonly (readonly [Policy, Counts])[]): string =>
  [
    '| policy | calls with an RDT | mints asked for | of these 429 | waited, all calls | the work took |',
    '|--|--:|--:|--:|--:|--:|',
    ...costs.map(([{ name }, counts]) => `| ${name} | ${costText(counts)} |`),
  ].join('\n')

if (import.meta.main) {
  const costs: [Policy, Counts][] = []
  for (const policy of POLICIES) costs.push([policy, await measure(policy, DAY)])
  process.stdout.write(`${tableOf(costs)}\n`)
}
