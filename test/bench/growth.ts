/** What a cached call costs with 1, 1,000 and 100,000 RDTs in the cache, and what an RDT takes of memory. */
import { type Cached, RDT_BYTES, startCached } from './cached.ts'
import { startUpstream } from './contenders.ts'
import { liveBytes } from './inspector.ts'
import { closedLoop, openLanes } from './load.ts'
import { keptApart, type Running } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { backAndForth } from './rounds.ts'
import { measureRound } from './side-by-side.ts'
import { medianOf, spreadText } from './stats.ts'

type Sizes = {
  /** RDTs in the cache. The first comes more than once: their mean is what all are compared with, their difference what luck adds. */
  readonly tokens: readonly number[]
  /** RDTs that each has minted before. */
  readonly before: number
  readonly starts: number
  readonly rounds: number
  readonly warmUp: number
  readonly count: number
}
const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { tokens: [1, 1, 1000, 100_000], before: 1000, starts: 3, rounds: 300, warmUp: 40_000, count: 200 },
  miniature: { tokens: [1, 1, 20], before: 5, starts: 1, rounds: 2, warmUp: 10, count: 20 },
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

const loadOf = ({ port, requests }: Cached) => ({
  port,
  requests,
  connections: CONNECTIONS,
  expected: '\r\nx-rdt-verdict: hit\r\n',
})

/**
 * Rounds of a few hundredths of a second in turn, on connections that stay open: a machine that drifts by a tenth within a second is
 * the same for all of one round.
 */
const alternate = async (all: readonly Cached[], sizes: Sizes): Promise<readonly (readonly number[])[]> => {
  const costs = all.map((): number[] => [])
  const racers = await Promise.all(all.map(async (running) => ({ running, lanes: await openLanes(loadOf(running)) })))
  for (const [i, racer] of backAndForth([...racers.entries()], sizes.rounds))
    costs[i]?.push((await measureRound(racer, sizes)).processor)
  for (const { lanes } of racers) lanes.close()
  return costs
}

const rowsFor = async (upstream: Running, sizes: Sizes, started: Cached[]): Promise<readonly Row[]> => {
  for (const tokens of sizes.tokens) started.push(await startCached(upstream.port, tokens, { before: sizes.before }))
  const release = keptApart(started, upstream)
  for (const cached of started) await closedLoop({ ...loadOf(cached), count: sizes.warmUp })
  const costs = await alternate(started, sizes)
  release()
  const rows: Row[] = []
  for (const [i, cached] of started.entries()) {
    const { rss } = cached.memory()
    rows.push({ tokens: cached.tokens, processor: costs[i] ?? [], live: await liveBytes(cached), rss })
  }
  return rows
}

/** Live bytes where up to fifty orders share an RDT. */
const sharedBytes = async (upstreamPort: number, { tokens, warmUp }: Sizes, started: Cached[]): Promise<number> => {
  const cached = await startCached(upstreamPort, Math.max(...tokens), { perMint: SHARED })
  started.push(cached)
  await closedLoop({ ...loadOf(cached), count: warmUp })
  return liveBytes(cached)
}

/** All anew each time: of two alike one may cost a tenth more for as long as it runs. */
const rowsOfAll = async (upstream: Running, sizes: Sizes, started: Cached[]): Promise<readonly Row[]> => {
  const all: (readonly Row[])[] = []
  for (let start = 0; start < sizes.starts; start += 1) {
    all.push(await rowsFor(upstream, sizes, started))
    await Promise.all(started.splice(0).map(({ stop }) => stop()))
  }
  const [rows = []] = all
  return rows.map((row, i) => ({ ...row, processor: all.flatMap((others) => others[i]?.processor ?? []) }))
}

const measure = async (sizes: Sizes): Promise<{ rows: readonly Row[]; shared: number }> => {
  const upstream = await startUpstream('1500', String(RDT_BYTES))
  const started: Cached[] = []
  try {
    const rows = await rowsOfAll(upstream, sizes, started)
    return { rows, shared: await sharedBytes(upstream.port, sizes, started) }
  } finally {
    await Promise.all([...started, upstream].map(({ stop }) => stop()))
  }
}

/** Each row's ratios, round by round, to the mean of those that are as small as the first. */
const ratiosOf = (rows: readonly Row[]): ReadonlyMap<Row, readonly number[]> => {
  const small = rows.filter(({ tokens }) => tokens === rows[0]?.tokens)
  const reference = (round: number) =>
    small.reduce((sum, { processor }) => sum + (processor[round] ?? Number.NaN), 0) / small.length
  return new Map(rows.map((row) => [row, row.processor.map((value, round) => value / reference(round))]))
}
const mib = (bytes: number): string => figure(bytes / 2 ** 20)

const tableFor = (ratios: ReadonlyMap<Row, readonly number[]>): string => {
  const cells = [...ratios].map(([{ tokens, processor, live, rss }, values]) => {
    return [tokens.toLocaleString('en-US'), figure(medianOf(processor)), spreadText(values, 3), mib(live), mib(rss)]
  })
  const columns = ['cached RDTs', 'µs a call', '÷ those with 1', 'live heap, MiB', 'resident, MiB']
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
    const ratios = ratiosOf(rows)
    const worst = Math.max(...[...ratios.values()].map(medianOf))
    const perToken = (live: number) => Math.round((live - first.live) / (last.tokens - 1)).toLocaleString('en-US')
    return {
      title: 'Growth',
      markdown: [
        `Sidecars with so many RDTs of ${RDT_BYTES} bytes in the cache, one a resource (specific scope, no shared mints, 100 sellers), and no room for more, beside each other.
Each has minted ${figure(sizes.before)} others before.
The calls go through all of them in scattered order, ${CONNECTIONS} connections, closed loop, log and audit off; ${sizes.starts} times all are started anew and warmed up with
${figure(sizes.warmUp)} calls each; each time ${sizes.rounds} rounds of ${sizes.count} calls to each in turn, the sidecars on one processor, load and upstream on the others.
Processor time of the sidecar's process; the ratio is to the mean of those with one RDT in the same round, median and quartiles of ${sizes.starts * sizes.rounds}. Two that are alike differ
by some hundredths for as long as they run: that is what V8 made of each. Live heap is what is left
after a full collection; of what is resident, much is garbage that Node has had no reason to collect: its heap is bounded by the machine here, by the limit on memory in a container.`,
        tableFor(ratios),
        `Aim: the same processor time a call within 5 %: ${worst <= AIM ? 'met' : '**not met**'}.`,
        `Live heap per cached RDT: ${perToken(last.live)} bytes, the RDT's own ${RDT_BYTES} among them; ${perToken(shared)} bytes per resource where ${SHARED} of them share an RDT.`,
      ].join('\n\n'),
    }
  },
}
