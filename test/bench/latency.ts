/** What a proxy adds to the latency of a call at a steady rate, against a call that goes straight to the upstream. */
import { BARE, CONTENDERS, type Contender, OPEN, RESTRICTED, startUpstream } from './contenders.ts'
import { closedLoop } from './load.ts'
import { type OpenOutcome, openLoop } from './open-loop.ts'
import type { Running } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { openRequests } from './requests.ts'
import { backAndForth } from './rounds.ts'
import { medianOf, spreadText } from './stats.ts'

type Sizes = {
  readonly perSecond: readonly number[]
  readonly seconds: number
  readonly rounds: number
  readonly warmUp: number
}
const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { perSecond: [100, 500, 1000], seconds: 3, rounds: 5, warmUp: 20_000 },
  miniature: { perSecond: [100], seconds: 0.3, rounds: 1, warmUp: 20 },
}
const DIRECT = 'straight to the upstream'

type Way = Pick<Contender, 'name' | 'requests' | 'expected'> & { readonly port: number }
type Result = { readonly name: string; readonly perSecond: number; readonly outcomes: readonly OpenOutcome[] }

/** The ways a call can take, the straight one first; all that was started goes into `started`. */
const openWays = async (started: Running[], warmUp: number): Promise<readonly Way[]> => {
  const upstream = await startUpstream()
  started.push(upstream)
  const ways: Way[] = [{ name: DIRECT, requests: openRequests, port: upstream.port }]
  for (const contender of CONTENDERS.filter(({ name }) => [OPEN, RESTRICTED, BARE].includes(name))) {
    const running = await contender.start(upstream.port)
    started.push(running)
    ways.push({ ...contender, port: running.port })
  }
  for (const { expected: _, ...way } of ways) await closedLoop({ ...way, count: warmUp, connections: 16 })
  return ways
}

const measure = async (sizes: Sizes): Promise<readonly Result[]> => {
  const started: Running[] = []
  try {
    const ways = await openWays(started, sizes.warmUp)
    const results: Result[] = []
    for (const perSecond of sizes.perSecond) results.push(...(await alternate(ways, perSecond, sizes)))
    return results
  } finally {
    await Promise.all(started.map(({ stop }) => stop()))
  }
}

const alternate = async (ways: readonly Way[], perSecond: number, { seconds, rounds }: Sizes) => {
  const outcomes = ways.map((): OpenOutcome[] => [])
  for (const [i, way] of backAndForth([...ways.entries()], rounds))
    outcomes[i]?.push(await openLoop({ ...way, perSecond, seconds }))
  return ways.map(({ name }, i) => ({ name, perSecond, outcomes: outcomes[i] ?? [] }))
}

type Percentile = 'p50' | 'p99'
/** Milliseconds, in each round. */
const addedMs = (of: Percentile, result: Result, direct: Result): readonly number[] =>
  result.outcomes.map((outcome, round) => (outcome[of] - (direct.outcomes[round]?.[of] ?? Number.NaN)) / 1000)

const msOf = (result: Result, of: Percentile): string =>
  (medianOf(result.outcomes.map((outcome) => outcome[of])) / 1000).toFixed(2)

const tableFor = (results: readonly Result[]): string => {
  const cells = results.map((result) => {
    const { name, perSecond } = result
    const direct = results.find((one) => one.name === DIRECT && one.perSecond === perSecond)
    const added = (of: Percentile) => (direct && direct !== result ? spreadText(addedMs(of, result, direct)) : '–')
    return [
      figure(perSecond).replace(/\.0+$/, ''),
      name,
      msOf(result, 'p50'),
      added('p50'),
      msOf(result, 'p99'),
      added('p99'),
    ]
  })
  const columns = ['calls a second', '', 'p50', 'added', 'p99', 'added']
  return tableOf(
    columns.map((name, i) => ({ name, align: i === 1 ? 'left' : 'right' })),
    cells,
  )
}

export const latency = {
  name: 'latency',
  run: async (size: Size): Promise<Section> => {
    const sizes = SIZES[size]
    const results = await measure(sizes)
    const lateness = medianOf(results.flatMap(({ outcomes }) => outcomes.map((one) => one.lateness))) / 1000
    return {
      title: 'Added latency',
      markdown: [
        `Open loop: a call at each moment of a fixed schedule, its latency counted from that moment. ${sizes.rounds} rounds of ${sizes.seconds} s each, in turn.
Milliseconds. "Added" is the difference to the straight way in the same round: median, quartiles.
The generator shares the machine: its own lateness (p99 ${lateness.toFixed(2)} ms, median of all rounds) is in every latency, the straight ones too.`,
        tableFor(results),
      ].join('\n\n'),
    }
  },
}
