/** 100 MB up and down: how fast, at what cost, and that memory stays flat, whoever is slow. */
import path from 'node:path'
import { BARE, CONTENDERS, OPEN } from './contenders.ts'
import { type Running, spent, startProgram } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { backAndForth } from './rounds.ts'
import { medianOf, spreadText } from './stats.ts'
import { type Direction, slowDownload, transfer, upload } from './transfer.ts'

type Sizes = {
  readonly bytes: number
  readonly rounds: number
  /** Transfers at once where one side is slow. */
  readonly slow: number
  readonly pauseMs: number
}
const MB = 1_000_000
const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { bytes: 100 * MB, rounds: 11, slow: 8, pauseMs: 3000 },
  miniature: { bytes: 2 * MB, rounds: 1, slow: 2, pauseMs: 50 },
}
const DIRECTIONS: readonly Direction[] = ['down', 'up']
const DIRECT = 'straight to the upstream'

type Way = { readonly name: string; readonly port: number; readonly running?: Running }
/** Of the proxy: milliseconds of processor time, all threads and the main one; bytes of resident memory. */
type Sample = {
  readonly perSecond: number
  readonly processorMs: number
  readonly mainMs: number
  readonly peak: number
}
type Row = {
  readonly way: Way
  readonly direction: Direction
  /** Bytes of resident memory before the first of the samples. */
  readonly before: number
  readonly samples: readonly Sample[]
}

const openWays = async (started: Running[]): Promise<readonly Way[]> => {
  const upstream = await startProgram({
    command: process.execPath,
    args: [path.join(import.meta.dirname, 'stream-upstream.ts')],
    port: /port (\d+)/,
  })
  started.push(upstream)
  const ways: Way[] = [{ name: DIRECT, port: upstream.port }]
  for (const { name, start } of CONTENDERS.filter((one) => [OPEN, BARE].includes(one.name))) {
    const running = await start(upstream.port)
    started.push(running)
    ways.push({ name, port: running.port, running })
  }
  return ways
}

const residentOf = ({ running }: Way): number => running?.memory().rss ?? 0

/** The peak of resident memory while `work` goes on, in bytes. */
const peakDuring = async (way: Way, work: () => Promise<unknown>): Promise<number> => {
  let peak = 0
  const look = () => {
    peak = Math.max(peak, residentOf(way))
  }
  const timer = setInterval(look, 50)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  look()
  return peak
}

const sampleOf = async (way: Way, direction: Direction, bytes: number): Promise<Sample> => {
  const { port, running } = way
  const before = running?.processorTime()
  const began = performance.now()
  const peak = await peakDuring(way, () => transfer(direction, port, bytes))
  const perSecond = bytes / ((performance.now() - began) / 1000)
  const took = running && before ? spent(before, running.processorTime()) : { total: 0, mainThread: 0 }
  return { perSecond, processorMs: took.total / 1000, mainMs: took.mainThread / 1000, peak }
}

const alternate = async (ways: readonly Way[], direction: Direction, sizes: Sizes): Promise<readonly Row[]> => {
  for (const { port } of ways) await transfer(direction, port, sizes.bytes) // warms up
  const rows = ways.map((way) => ({ way, direction, before: residentOf(way), samples: [] as Sample[] }))
  for (const { way, samples } of backAndForth(rows, sizes.rounds))
    samples.push(await sampleOf(way, direction, sizes.bytes))
  return rows
}

/** Bytes by which a proxy's memory grows while several readers, or the upstream, do not read. */
const slowGrowth = async (way: Way, direction: Direction, { bytes, slow, pauseMs }: Sizes): Promise<number> => {
  const { port } = way
  const before = residentOf(way)
  const one = () => (direction === 'down' ? slowDownload(port, bytes, pauseMs) : upload(port, bytes, pauseMs))
  return (await peakDuring(way, () => Promise.all(Array.from({ length: slow }, one)))) - before
}

const tableFor = (rows: readonly Row[]): string => {
  const cells = rows.map((row) => {
    const other = (name: string) => rows.find(({ way, direction }) => way.name === name && direction === row.direction)
    const rate = figure(medianOf(row.samples.map(({ perSecond }) => perSecond)) / MB)
    const ofProxy = [
      ratioText(row, other(DIRECT), 'perSecond'),
      ...(['processorMs', 'mainMs'] as const).map((what) => figure(medianOf(row.samples.map((one) => one[what])))),
      row.way.name === BARE ? '–' : ratioText(row, other(BARE), 'processorMs'),
      mib(Math.max(...row.samples.map(({ peak }) => peak)) - row.before),
    ]
    return [row.way.name, row.direction, rate, ...(row.way.name === DIRECT ? ofProxy.map(() => '–') : ofProxy)]
  })
  const columns = ['MB a second', '÷ straight', 'processor time, ms', 'its main thread', '÷ bare', 'memory grew, MiB']
  const left = ['', ''].map((name) => ({ name, align: 'left' as const }))
  return tableOf([...left, ...columns.map((name) => ({ name }))], cells)
}

/** Round by round: median and quartiles. */
const ratioText = (row: Row, other: Row | undefined, what: 'perSecond' | 'processorMs'): string =>
  spreadText(row.samples.map((one, i) => one[what] / (other?.samples[i]?.[what] ?? Number.NaN)))
const mib = (bytes: number): string => figure(Math.max(0, bytes) / 2 ** 20)

const slowTable = (grown: readonly (readonly [Way, readonly number[]])[]): string =>
  tableOf(
    [{ name: '', align: 'left' }, { name: 'readers stop, MiB' }, { name: 'the upstream stops, MiB' }],
    grown.map(([{ name }, bytes]) => [name, ...bytes.map(mib)]),
  )

const measure = async (sizes: Sizes) => {
  const started: Running[] = []
  try {
    const ways = await openWays(started)
    const rows: Row[] = []
    for (const direction of DIRECTIONS) rows.push(...(await alternate(ways, direction, sizes)))
    const slow: [Way, number[]][] = ways.filter(({ running }) => running).map((way) => [way, []])
    for (const direction of DIRECTIONS)
      for (const [way, grown] of slow) grown.push(await slowGrowth(way, direction, sizes))
    return { rows, slow }
  } finally {
    await Promise.all(started.map(({ stop }) => stop()))
  }
}

export const streaming = {
  name: 'streaming',
  run: async (size: Size): Promise<Section> => {
    const sizes = SIZES[size]
    const { rows, slow } = await measure(sizes)
    return {
      title: 'Streaming',
      markdown: [
        `${sizes.bytes / MB} MB in one call, down (GET) and up (POST), to an operation that is not restricted; ${sizes.rounds} rounds in turn, after one that does not count.
Ratios are taken within a round: median, quartiles; bare is ${BARE}. Processor time and memory are the proxy's. What the main thread did not spend went
into garbage collection: 100 MB of buffers make V8 look through the whole heap a few times. Memory grew from before the first round to the peak of all, looked at every 50 ms.`,
        tableFor(rows),
        `Backpressure: ${sizes.slow} such calls at once, ${(sizes.slow * sizes.bytes) / MB} MB in all, while those who read (down) or the upstream (up) stop for ${sizes.pauseMs / 1000} s. Growth of the proxy's resident memory at the peak:`,
        slowTable(slow),
      ].join('\n\n'),
    }
  },
}
