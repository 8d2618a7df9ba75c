/**
 * The same day of work by each client that Node developers use, with its own RDT habit directly and through the sidecar: what
 * it costs in mints, 429s and waiting. `node test/bench/economy.ts` prints the section of docs/benchmarks.md.
 */
import { amazonSdk } from '../support/clients/amazon-sdk.ts'
import { amazonSpApi } from '../support/clients/amazon-sp-api.ts'
import type { ClientOptions, RealClient } from '../support/clients/client.ts'
import { spApiSdk } from '../support/clients/sp-api-sdk.ts'
import { amazonSpApiByHand } from './by-hand.ts'
import { type Counts, count, type Place, range } from './count.ts'
import { DAY, type DayClient, jobsOf, personalIn, type Size } from './day.ts'
import type { SectionSource } from './report.ts'

/** `own`: its own RDTs; `none`: LWA access tokens, whatever it calls. */
type Habit = NonNullable<ClientOptions['rdts']>
export type Way = {
  readonly client: string
  readonly how: string
  readonly connect: (place: Place) => DayClient
  /** rdt.scope of the sidecar; undefined: directly. */
  readonly scope?: 'generic' | 'specific'
}
export type Row = Pick<Way, 'client' | 'how' | 'scope'> & Counts

const REAL = {
  'amazon-sp-api': amazonSpApi,
  '@sp-api-sdk': spApiSdk,
  "Amazon's own SDK": amazonSdk,
} as const
type Name = keyof typeof REAL

const way = (client: Name, how: string, rdts: Habit, scope?: Way['scope']): Way => {
  const make: (options: ClientOptions) => RealClient = REAL[client]
  return { client, how, connect: (place) => make({ ...place, rdts }), ...(scope && { scope }) }
}
const names = Object.keys(REAL) as readonly Name[]

export const WAYS: readonly Way[] = [
  ...names.map((client) => way(client, 'directly, a mint for each call', 'own')),
  { client: 'amazon-sp-api', how: 'directly, RDTs kept by hand', connect: amazonSpApiByHand },
  ...names.map((client) => way(client, 'sidecar, `rdt.scope: generic`', 'none', 'generic')),
  ...names.map((client) => way(client, 'sidecar, `rdt.scope: specific`', 'none', 'specific')),
  ...names.map((client) => way(client, 'sidecar, still minting for each call', 'own', 'generic')),
]
/** Busy at once for one selling partner. */
export const WORKERS = 10

export const measureWay = async (way: Way, size: Size): Promise<Row> => {
  const { client, how, scope } = way
  const counts = await count<DayClient>({
    connect: async (place) => {
      const made = way.connect(place)
      await made.warm()
      return made
    },
    sidecar: scope && { SIDECAR_RDT_SCOPE: scope },
    jobs: range(size.sellers).map((seller) => jobsOf(seller, size)),
    workers: WORKERS,
  })
  return { client, how, ...(scope && { scope }), ...counts }
}

/** One after the other. `onRow` is told of each as it comes. */
export const measureEconomy = async (size: Size = DAY, onRow: (row: Row) => void = () => {}): Promise<Row[]> => {
  const rows: Row[] = []
  for (const way of WAYS) {
    const row = await measureWay(way, size)
    onRow(row)
    rows.push(row)
  }
  return rows
}

const numberText = (value: number, digits = 0): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })

const lineOf = ({ client, how, mints, throttled, waitedS, longestS, tookS }: Row): string =>
  `| ${how} | ${client} | ${numberText(mints)} | ${numberText(throttled)} | ` +
  `${numberText(waitedS)} | ${numberText(longestS, 1)} | ${numberText(tookS / 60, 1)} |`

/** Clients that came to the same share a line. */
const merged = (rows: readonly Row[]): readonly Row[] =>
  [...Map.groupBy(rows, ({ client: _, ...rest }) => JSON.stringify(rest)).values()].map((alike) => ({
    ...(alike[0] as Row),
    client: alike.length === names.length ? 'each of the three' : alike.map(({ client }) => client).join(', '),
  }))

export const economyTable = (rows: readonly Row[]): string =>
  [
    '| how | client | mints asked for | of these 429 | s waited, all calls | s waited, longest | minutes of work |',
    '|--|--|--:|--:|--:|--:|--:|',
    ...merged(rows).map(lineOf),
  ].join('\n')

/** Markdown: what was done and how it was counted, and the table. */
export const economySection = (rows: readonly Row[], size: Size = DAY): string =>
  `${[workText(size), METHOD, HABITS, completeText(rows, personalIn(size)), economyTable(rows)].join('\n\n')}`

const workText = ({ sellers, orders, shipments, documents }: Size): string =>
  `${sellers} selling partners, ${WORKERS} calls at once for each, as fast as it goes: ${numberText(5 * orders)} calls over ` +
  `${numberText(orders)} orders (getOrder, two pages of getOrderItems, getOrderAddress; when all is done getOrder again), ` +
  `${shipments} getShipment of Merchant Fulfillment, and ${documents} reports (getReport, getReportDocument), half of them restricted. ` +
  'It is one batch: in a day with pauses, RDTs and access tokens run out every hour and are had anew.'

const METHOD =
  "Counted in the log of the simulator, which refuses what Amazon's usage plan would (one mint a second, burst 10, for each " +
  'selling partner; the plans of the operations themselves are not enforced). Time is virtual: it stands still while anything ' +
  'is sent or computed, and jumps to the next timer when nothing is; a mint and a call take 0.1 s each. So the figures are the ' +
  'same in every run, on any machine, and what a call took beyond its own 0.1 s it had waited for an RDT. ' +
  'Waiting is added up over all calls, many of which wait at the same time.'

const HABITS =
  '"A mint for each call" is what each client is made for: amazon-sp-api asks createRestrictedDataToken, hands the RDT in as ' +
  '`restricted_data_token`, and repeats a throttled mint every second; @sp-api-sdk makes a client with `restrictedDataToken` ' +
  "(`rateLimiting.retry`: three retries, 2.5 s apart); Amazon's SDK has `enableAutoRetrievalRestrictedDataToken`, which does not " +
  "retry. What a client gives up with a 429 or 503 is done again after 5 s, the pause in the sample application of Amazon's SDK. " +
  '"By hand" is what a careful team adds: an RDT for all resources of an operation, kept for its hour.'

const completeText = (rows: readonly Row[], personal: number): string => {
  const short = rows.filter((row) => row.personal !== personal)
  const all = `${numberText(personal)} of the answers hold personal data`
  if (short.length === 0) return `${all}; in every row all of them came with it.`
  return `${all}. ${short.map((row) => `${row.client}, ${row.how}: ${numberText(row.personal)}.`).join(' ')}`
}

const SIZES = { full: DAY, miniature: { sellers: 1, orders: 2, shipments: 1, documents: 2 } } as const

export const economy: SectionSource = {
  name: 'economy',
  run: async (which) => {
    const size = SIZES[which]
    return { title: 'Mint economy', markdown: economySection(await measureEconomy(size), size) }
  },
}

if (import.meta.main) {
  const rows = await measureEconomy(DAY, (row) => process.stderr.write(`${lineOf(row)}\n`))
  process.stdout.write(economySection(rows))
}
