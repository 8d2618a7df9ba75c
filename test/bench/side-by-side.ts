/** Every contender in every round, in another order each time; what counts is the ratio within a round, for the machine drifts. */
import { BARE, CONTENDERS, type Contender, OPEN, RESTRICTED, startUpstream } from './contenders.ts'
import { closedLoop, type Outcome } from './load.ts'
import { spent } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { medianOf, spreadOf } from './stats.ts'

export type Sizes = { readonly rounds: number; readonly warmUp: number; readonly count: number }
/** Of one contender in one round; `processor`: microseconds a request. */
export type Sample = Outcome & { readonly processor: number; readonly system: number }
type Row = { readonly contender: Contender; readonly samples: readonly Sample[] }

export const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { rounds: 7, warmUp: 4000, count: 8000 },
  miniature: { rounds: 1, warmUp: 20, count: 60 },
}
export const CONNECTIONS = 16

const TARGETS: readonly (readonly [contender: string, atMost: number])[] = [
  [RESTRICTED, 1],
  [OPEN, 0.95],
]

export const measure = async (contender: Contender, upstreamPort: number, sizes: Sizes): Promise<Sample> => {
  const { requests, expected } = contender
  const running = await contender.start(upstreamPort)
  try {
    const load = { port: running.port, requests, connections: CONNECTIONS }
    await closedLoop({ ...load, count: sizes.warmUp })
    const before = running.processorTime()
    const outcome = await closedLoop({ ...load, count: sizes.count, expected })
    const { total, system, user } = spent(before, running.processorTime())
    return { ...outcome, processor: total / sizes.count, system: system / (system + user) }
  } finally {
    await running.stop()
  }
}

/** Two apart by `round` places come at other times and after others. */
const rotated = <T>(list: readonly T[], round: number): readonly T[] => {
  const turned = [...list.slice(round % list.length), ...list.slice(0, round % list.length)]
  return round % 2 === 0 ? turned : turned.reverse()
}

export const compare = async (contenders: readonly Contender[], sizes: Sizes): Promise<readonly Row[]> => {
  const samples = new Map(contenders.map((contender) => [contender, [] as Sample[]]))
  const upstream = await startUpstream()
  try {
    for (let round = 0; round < sizes.rounds; round += 1)
      for (const one of rotated(contenders, round)) samples.get(one)?.push(await measure(one, upstream.port, sizes))
  } finally {
    await upstream.stop()
  }
  return [...samples].map(([contender, list]) => ({ contender, samples: list }))
}

const processorOf = ({ samples }: Row): readonly number[] => samples.map(({ processor }) => processor)
/** Round by round. */
const ratios = (one: Row, other: Row): readonly number[] => {
  const others = processorOf(other)
  return processorOf(one).map((value, round) => value / (others[round] ?? Number.NaN))
}
const ratioText = (values: readonly number[]): string => {
  const { median, min, max } = spreadOf(values)
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
}

const rowOf = (rows: readonly Row[], name: string): Row => {
  const row = rows.find(({ contender }) => contender.name === name)
  if (!row) throw new Error(`${name} was not measured`)
  return row
}

const contendersTable = (rows: readonly Row[]): string => {
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
    ratioText(ratios(restricted, row)),
    ratioText(ratios(open, row)),
    figure(medianOf(row.samples.map(({ p50 }) => p50)) / 1000),
    figure(medianOf(row.samples.map(({ p99 }) => p99)) / 1000),
    figure(medianOf(row.samples.map(({ perSecond }) => perSecond))),
  ]
  return tableOf([{ name: 'proxy', align: 'left' }, ...columns.map((name) => ({ name }))], rows.map(cells))
}

const targetsTable = (rows: readonly Row[]): string => {
  const bare = rowOf(rows, BARE)
  const cells = TARGETS.map(([name, atMost]) => {
    const values = ratios(rowOf(rows, name), bare)
    return [name, `≤ ${atMost.toFixed(2)}`, ratioText(values), medianOf(values) <= atMost ? 'met' : '**not met**']
  })
  const columns = [{ name: 'processor time ÷ bare', align: 'left' as const }, { name: 'aim' }, { name: 'measured' }]
  return tableOf([...columns, { name: 'so', align: 'left' }], cells)
}

const introduction = ({ rounds, warmUp, count }: Sizes): string =>
  `The same GET and the same 1.5 kB answer through each proxy, ${CONNECTIONS} connections, closed loop, all on this one machine.
Every round starts each proxy anew, in another order, sends it ${figure(warmUp)} requests that do not count and ${figure(count)} that do; ${rounds} rounds.
Processor time is that of the proxy's own process, all its threads, user and system. Ratios are taken within a round: median (lowest–highest).
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
