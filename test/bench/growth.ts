/** What a cached call costs with 1, 1,000 and 100,000 RDTs in the cache, and what an RDT takes of memory. */
import { type Cached, RDT_BYTES, startCached } from './cached.ts'
import { startUpstream } from './contenders.ts'
import { INSPECTABLE, liveBytes } from './inspector.ts'
import { closedLoop } from './load.ts'
import { spent } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { backAndForth } from './rounds.ts'
import { medianOf, spreadText } from './stats.ts'

type Sizes = {
  /** RDTs in the cache; the first is what the others are compared with. Twice the same shows what the machine adds by itself. */
  readonly tokens: readonly number[]
  readonly starts: number
  readonly rounds: number
  readonly warmUp: number
  readonly count: number
}
const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { tokens: [1, 1, 1000, 100_000], starts: 3, rounds: 20, warmUp: 20_000, count: 2000 },
  miniature: { tokens: [1, 20], starts: 1, rounds: 1, warmUp: 10, count: 20 },
}
const AIM = 1.05
const CONNECTIONS = 16
const SHARED = 50

/** `processor`: microseconds a call, round by round. */
type Row = {
  readonly tokens: number
  readonly processor: readonly number[]
  readonly live: number
  readonly rss: number
}

const send = ({ port, requests }: Cached, count: number): Promise<unknown> =>
  closedLoop({ port, requests, count, connections: CONNECTIONS, expected: '\r\nx-rdt-verdict: hit\r\n' })

const costOf = async (cached: Cached, count: number): Promise<number> => {
  const before = cached.processorTime()
  await send(cached, count)
  return spent(before, cached.processorTime()).total / count
}

/** Short rounds in turn: what disturbs the machine disturbs all of them. */
const alternate = async (all: readonly Cached[], { rounds, count }: Sizes): Promise<readonly (readonly number[])[]> => {
  const costs = all.map((): number[] => [])
  for (const [i, cached] of backAndForth([...all.entries()], rounds)) costs[i]?.push(await costOf(cached, count))
  return costs
}

const rowsFor = async (upstreamPort: number, sizes: Sizes, started: Cached[]): Promise<readonly Row[]> => {
  for (const tokens of sizes.tokens) started.push(await startCached(upstreamPort, tokens, 1, INSPECTABLE))
  for (const cached of started) await send(cached, sizes.warmUp)
  const costs = await alternate(started, sizes)
  const rows: Row[] = []
  for (const [i, cached] of started.entries()) {
    const { rss } = cached.memory()
    rows.push({ tokens: cached.tokens, processor: costs[i] ?? [], live: await liveBytes(cached), rss })
  }
  return rows
}

/** Live bytes where up to fifty orders share an RDT. */
const sharedBytes = async (upstreamPort: number, { tokens, warmUp }: Sizes, started: Cached[]): Promise<number> => {
  const cached = await startCached(upstreamPort, Math.max(...tokens), SHARED, INSPECTABLE)
  started.push(cached)
  await send(cached, warmUp)
  return liveBytes(cached)
}

/** All anew each time: of two alike one may cost a tenth more for as long as it runs. */
const rowsOfAll = async (upstreamPort: number, sizes: Sizes, started: Cached[]): Promise<readonly Row[]> => {
  const all: (readonly Row[])[] = []
  for (let start = 0; start < sizes.starts; start += 1) {
    all.push(await rowsFor(upstreamPort, sizes, started))
    await Promise.all(started.splice(0).map(({ stop }) => stop()))
  }
  const [rows = []] = all
  return rows.map((row, i) => ({ ...row, processor: all.flatMap((others) => others[i]?.processor ?? []) }))
}

const measure = async (sizes: Sizes): Promise<{ rows: readonly Row[]; shared: number }> => {
  const upstream = await startUpstream('1500', String(RDT_BYTES))
  const started: Cached[] = []
  try {
    const rows = await rowsOfAll(upstream.port, sizes, started)
    return { rows, shared: await sharedBytes(upstream.port, sizes, started) }
  } finally {
    await Promise.all([...started, upstream].map(({ stop }) => stop()))
  }
}

const ratiosTo = (first: Row, { processor }: Row): readonly number[] =>
  processor.map((value, round) => value / (first.processor[round] ?? Number.NaN))
const mib = (bytes: number): string => figure(bytes / 2 ** 20)

const tableFor = (rows: readonly Row[], first: Row): string => {
  const cells = rows.map((row) => {
    const ratio = row === first ? '1' : spreadText(ratiosTo(first, row), 3)
    return [row.tokens.toLocaleString('en-US'), figure(medianOf(row.processor)), ratio, mib(row.live), mib(row.rss)]
  })
  const columns = ['cached RDTs', 'µs a call', '÷ first', 'live heap, MiB', 'resident, MiB']
  return tableOf(
    columns.map((name) => ({ name })),
    cells,
  )
}

export const growth = {
  name: 'growth',
  run: async (size: Size): Promise<Section> => {
    const sizes = SIZES[size]
    const { rows, shared } = await measure(sizes)
    const [first, last] = [rows[0], rows.at(-1)]
    if (!first || !last) throw new Error('nothing was measured')
    const worst = Math.max(...rows.map((row) => medianOf(ratiosTo(first, row))))
    const perToken = (live: number) => Math.round((live - first.live) / (last.tokens - 1)).toLocaleString('en-US')
    return {
      title: 'Growth',
      markdown: [
        `Sidecars with so many RDTs of ${RDT_BYTES} bytes in the cache, one a resource (specific scope, no shared mints, 100 sellers), beside each other.
The calls go through all of them in scattered order, ${CONNECTIONS} connections, closed loop, log and audit off; ${sizes.starts} times all are started anew, each time ${sizes.rounds} rounds of ${figure(sizes.count)} calls to each in turn.
Processor time of the sidecar's process; the ratio is taken within a round, median and quartiles. Live heap is what is left
after a full collection; of what is resident, much is garbage that Node has had no reason to collect: its heap is bounded by the machine here, by the limit on memory in a container.`,
        tableFor(rows, first),
        `Aim: the same processor time a call within 5 %: ${worst <= AIM ? 'met' : '**not met**'}.`,
        `Live heap per cached RDT: ${perToken(last.live)} bytes, the RDT's own ${RDT_BYTES} among them; ${perToken(shared)} bytes per resource where ${SHARED} of them share an RDT.`,
      ].join('\n\n'),
    }
  },
}
