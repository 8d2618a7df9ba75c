/** Where the time of each contender goes: the main thread of Node programs by category, user and kernel of the others. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { until } from '../support/many.ts'
import { CATEGORIES, sharesOf } from './attribution.ts'
import { BARE, CONTENDERS, type Contender, startUpstream } from './contenders.ts'
import { closedLoop } from './load.ts'
import { type ProcessorTime, pinned, type Running, spent } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { loadOf } from './side-by-side.ts'
import { medianOf } from './stats.ts'

type Sizes = { readonly rounds: number; readonly warmUp: number; readonly count: number }
const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { rounds: 12, warmUp: 20_000, count: 2000 },
  miniature: { rounds: 2, warmUp: 20, count: 60 },
}

/** Microseconds a request. */
type Costs = { readonly time: ProcessorTime; readonly shares: ReadonlyMap<string, number> | undefined }

const SAMPLER = pathToFileURL(path.join(import.meta.dirname, 'sampler.ts')).href

const timed = async (running: Running, contender: Contender, count: number): Promise<ProcessorTime> => {
  const before = running.processorTime()
  await closedLoop({ ...loadOf({ contender, running }), count, expected: contender.expected })
  const { total, mainThread, user, system } = spent(before, running.processorTime())
  return { total: total / count, mainThread: mainThread / count, user: user / count, system: system / count }
}

/** Medians of short rounds, but for what the clock's steps of 10 ms are too coarse for. */
const usual = async (running: Running, contender: Contender, { rounds, count }: Sizes): Promise<ProcessorTime> => {
  const times: ProcessorTime[] = []
  for (let round = 0; round < rounds; round += 1) times.push(await timed(running, contender, count))
  const all = (name: keyof ProcessorTime) => times.map((time) => time[name])
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / rounds
  return {
    total: medianOf(all('total')),
    mainThread: medianOf(all('mainThread')),
    user: mean(all('user')),
    system: mean(all('system')),
  }
}

/** What it costs unwatched, then where that goes. */
const costsOf = async (contender: Contender, upstreamPort: number, sizes: Sizes, folder: string): Promise<Costs> => {
  const file = path.join(folder, contender.name.replaceAll(/\W+/g, '-'))
  const running = await contender.start(upstreamPort, ['--import', SAMPLER], { BENCH_PROFILE: file })
  pinned(running.pids(), 'the first')
  try {
    await closedLoop({ ...loadOf({ contender, running }), count: sizes.warmUp })
    const time = await usual(running, contender, sizes)
    if (!contender.node) return { time, shares: undefined }
    process.kill(running.pid, 'SIGUSR2')
    await until(() => existsSync(`${file}.began`))
    await timed(running, contender, sizes.rounds * sizes.count)
    process.kill(running.pid, 'SIGUSR2')
    await until(() => existsSync(file))
    return { time, shares: sharesOf(JSON.parse(readFileSync(file, 'utf8'))) }
  } finally {
    await running.stop()
  }
}

const nodeTable = (measured: readonly (readonly [Contender, Costs])[]): string => {
  const onNode = measured.filter(([, { shares }]) => shares)
  const inUse = CATEGORIES.filter((category) => onNode.some(([, { shares }]) => (shares?.get(category) ?? 0) > 0.002))
  const rows = inUse.map((category) => [
    category,
    ...onNode.map(([, { time, shares }]) => (time.mainThread * (shares?.get(category) ?? 0)).toFixed(1)),
  ])
  const others = onNode.map(([, { time }]) => (time.total - time.mainThread).toFixed(1))
  const totals = onNode.map(([, { time }]) => time.total.toFixed(1))
  return tableOf(
    [{ name: 'µs a request', align: 'left' }, ...onNode.map(([{ name }]) => ({ name }))],
    [...rows, ['other threads: compiler, garbage collection', ...others], ['all', ...totals]],
  )
}

/** `–`: too short for the clock. */
const inKernel = ({ user, system }: ProcessorTime): string =>
  user + system === 0 ? '–' : ((100 * system) / (user + system)).toFixed(0)

const othersTable = (measured: readonly (readonly [Contender, Costs])[]): string =>
  tableOf(
    [{ name: 'µs a request', align: 'left' }, { name: 'all' }, { name: 'of this in the kernel, %' }],
    measured.map(([{ name }, { time }]) => [name, figure(time.total), inKernel(time)]),
  )

const TEXT = `One more run of each, warm, alone on a processor while load and upstream have the others, and once more with V8's sampling profiler
(one look in 250 µs). The shares of the samples are applied to the processor time of the same process without the profiler; idle samples, and late ones, where the
thread had been ousted from its processor, do not count. A builtin counts to the function that called it. Writes to sockets are mostly the kernel's work: it
carries the bytes to the receiver and wakes it within the call. One run: read it for where the time goes, and the table above for how much it is.`

export const profile = {
  name: 'profile',
  run: async (size: Size): Promise<Section> => {
    const contenders = CONTENDERS.filter(({ name, missing }) => !missing && name !== `${BARE}, own agent`)
    const folder = mkdtempSync(path.join(tmpdir(), 'rdt-profile-'))
    const upstream = await startUpstream()
    const release = pinned([process.pid, upstream.pid], 'the others')
    const measured: [Contender, Costs][] = []
    try {
      for (const one of contenders) measured.push([one, await costsOf(one, upstream.port, SIZES[size], folder)])
    } finally {
      release()
      await upstream.stop()
      rmSync(folder, { recursive: true })
    }
    return { title: 'Where the time goes', markdown: [TEXT, nodeTable(measured), othersTable(measured)].join('\n\n') }
  },
}
