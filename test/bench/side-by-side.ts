/** Every contender in every round, in another order each time; what counts is the ratio within a round, for the machine drifts. */
import { BARE, CONTENDERS, type Contender, OPEN, RESTRICTED, startUpstream } from './contenders.ts'
import { closedLoop, type Lanes, type Outcome, openLanes } from './load.ts'
import { keptApart, type Running, spent } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { medianOf, spreadText } from './stats.ts'

/**
 * Processes are started anew `starts` times; `warmUp` and `count` are requests. V8 compiles until some 20,000 have come. A round is
 * short, some tenths of a second for all, so that a machine that drifts is the same for all of one.
 */
type Sizes = {
  readonly starts: number
  readonly rounds: number
  readonly warmUp: number
  readonly count: number
}
/** Of one contender in one round; `processor`: microseconds a request. */
export type Sample = Outcome & { readonly processor: number }
export type Row = { readonly contender: Pick<Contender, 'name'>; readonly samples: readonly Sample[] }

const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { starts: 3, rounds: 150, warmUp: 20_000, count: 200 },
  miniature: { starts: 1, rounds: 2, warmUp: 20, count: 60 },
}
const CONNECTIONS = 16

const TARGETS: readonly (readonly [contender: string, atMost: number])[] = [
  [RESTRICTED, 1],
  [OPEN, 0.95],
]

type Entrant = { readonly contender: Contender; readonly running: Running }
/** Its connections stay open from round to round. */
type Racer = Entrant & { readonly lanes: Lanes }

export const loadOf = ({ contender: { requests }, running: { port } }: Entrant) => ({
  port,
  requests,
  connections: CONNECTIONS,
})

const racerOf = async (entrant: Entrant): Promise<Racer> => {
  const { expected } = entrant.contender
  return { ...entrant, lanes: await openLanes({ ...loadOf(entrant), expected }) }
}

/** One round of one. */
export const measureRound = async (
  { running, lanes }: Pick<Racer, 'running' | 'lanes'>,
  { count }: { readonly count: number },
): Promise<Sample> => {
  const before = running.processorTime()
  const outcome = await lanes.send(count)
  return { ...outcome, processor: spent(before, running.processorTime()).total / count }
}

/** Others before it and other neighbours each time. */
const rotated = <T>(list: readonly T[], round: number): readonly T[] => {
  const turned = [...list.slice(round % list.length), ...list.slice(0, round % list.length)]
  return round % 2 === 0 ? turned : turned.reverse()
}

/** One start: all are warm before the first is measured. Resolves to a sample of each contender for each round. */
const compareOnce = async (
  contenders: readonly Contender[],
  upstream: Running,
  sizes: Sizes,
  firstRound: number,
): Promise<ReadonlyMap<Contender, readonly Sample[]>> => {
  const entrants: Entrant[] = []
  let release = () => {}
  const samples = new Map(contenders.map((contender) => [contender, [] as Sample[]]))
  try {
    for (const contender of contenders) entrants.push({ contender, running: await contender.start(upstream.port) })
    release = keptApart(
      entrants.map(({ running }) => running),
      upstream,
    )
    for (const entrant of entrants) await closedLoop({ ...loadOf(entrant), count: sizes.warmUp })
    const racers = await Promise.all(entrants.map(racerOf))
    for (let round = 0; round < sizes.rounds; round += 1)
      for (const racer of rotated(racers, firstRound + round))
        samples.get(racer.contender)?.push(await measureRound(racer, sizes))
    for (const { lanes } of racers) lanes.close()
  } finally {
    release()
    await Promise.all(entrants.map(({ running }) => running.stop()))
  }
  return samples
}

const compare = async (contenders: readonly Contender[], sizes: Sizes): Promise<readonly Row[]> => {
  const upstream = await startUpstream()
  const all: ReadonlyMap<Contender, readonly Sample[]>[] = []
  try {
    for (let start = 0; start < sizes.starts; start += 1)
      all.push(await compareOnce(contenders, upstream, sizes, start * sizes.rounds))
  } finally {
    await upstream.stop()
  }
  return contenders.map((contender) => ({ contender, samples: all.flatMap((one) => one.get(contender) ?? []) }))
}

const processorOf = ({ samples }: Row): readonly number[] => samples.map(({ processor }) => processor)
/** Round by round. */
const ratios = (one: Row, other: Row): readonly number[] => {
  const others = processorOf(other)
  return processorOf(one).map((value, round) => value / (others[round] ?? Number.NaN))
}
const ratioText = (one: Row, other: Row): string => (one === other ? '–' : spreadText(ratios(one, other)))

const rowOf = (rows: readonly Row[], name: string): Row => {
  const row = rows.find(({ contender }) => contender.name === name)
  if (!row) throw new Error(`${name} was not measured`)
  return row
}

export const contendersTable = (rows: readonly Row[]): string => {
  const [restricted, open] = [rowOf(rows, RESTRICTED), rowOf(rows, OPEN)]
  const columns = [
    'µs of processor time a request',
    'restricted ÷ it',
    'not restricted ÷ it',
    'p50, ms',
    'p99, ms',
    'requests a second',
  ]
  const cells = (row: Row) => [
    row.contender.name,
    figure(medianOf(processorOf(row))),
    ratioText(restricted, row),
    ratioText(open, row),
    figure(medianOf(row.samples.map(({ p50 }) => p50)) / 1000),
    figure(medianOf(row.samples.map(({ p99 }) => p99)) / 1000),
    figure(medianOf(row.samples.map(({ perSecond }) => perSecond))),
  ]
  return tableOf([{ name: 'proxy', align: 'left' }, ...columns.map((name) => ({ name }))], rows.map(cells))
}

export const targetsTable = (rows: readonly Row[]): string => {
  const bare = rowOf(rows, BARE)
  const cells = TARGETS.map(([name, atMost]) => {
    const row = rowOf(rows, name)
    const met = medianOf(ratios(row, bare)) <= atMost
    return [name, `≤ ${atMost.toFixed(2)}`, ratioText(row, bare), met ? 'met' : '**not met**']
  })
  const columns = [{ name: 'processor time ÷ bare', align: 'left' as const }, { name: 'aim' }, { name: 'measured' }]
  return tableOf([...columns, { name: 'so', align: 'left' }], cells)
}

const introduction = ({ starts, rounds, warmUp, count }: Sizes): string =>
  `GETs of 1,000 orders (of catalogue items where the call is not restricted) and the same 1.5 kB answer through each proxy, ${CONNECTIONS} connections, closed loop,
all on this one machine, the proxies on one processor, load and upstream on the others.
${starts} times all are started anew and warmed up with ${warmUp} requests each; each time ${rounds} rounds in which every one of them serves ${count} requests,
in another order, on connections that stay open. Processor time is that of the proxy's own process, all its threads, user and kernel. A ratio is one round's; the table gives the
median of ${starts * rounds} (and where the middle half of them lies), and medians of the rest.
The sidecar runs as built, with its default configuration; its log and audit lines (two a restricted call, one any other) go to a file.
The Node proxies run with NODE_ENV=production. express + http-proxy-middleware does nothing but \`app.use(createProxyMiddleware({ target, changeOrigin: true }))\`.
nginx and Go keep their upstream connections too.`

export const sideBySide = {
  name: 'side-by-side',
  run: async (size: Size): Promise<Section> => {
    const here = CONTENDERS.filter(({ missing }) => !missing)
    const rows = await compare(here, SIZES[size])
    const skipped = CONTENDERS.flatMap(({ name, missing }) =>
      missing ? [`Not measured: ${name} (no ${missing} here).`] : [],
    )
    const parts = [introduction(SIZES[size]), contendersTable(rows), targetsTable(rows), ...skipped]
    return { title: 'Side by side', markdown: parts.join('\n\n') }
  },
}
