/** Where the time of each contender goes: the main thread of Node programs by category, user and kernel of the others. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { CATEGORIES, sharesOf } from './attribution.ts'
import { BARE, CONTENDERS, type Contender, startUpstream } from './contenders.ts'
import { closedLoop } from './load.ts'
import { type ProcessorTime, pinned, type Running, spent } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { CONNECTIONS, SIZES, type Sizes } from './side-by-side.ts'

/** Microseconds a request. */
type Costs = { readonly time: ProcessorTime; readonly shares: ReadonlyMap<string, number> | undefined }

const SAMPLER = pathToFileURL(path.join(import.meta.dirname, 'sampler.ts')).href

const timed = async (running: Running, contender: Contender, { count }: Sizes): Promise<ProcessorTime> => {
  const before = running.processorTime()
  const { requests, expected } = contender
  await closedLoop({ port: running.port, requests, connections: CONNECTIONS, count, expected })
  const { total, mainThread, user, system } = spent(before, running.processorTime())
  return { total: total / count, mainThread: mainThread / count, user: user / count, system: system / count }
}

/** What it costs unwatched, then where that goes. */
const costsOf = async (contender: Contender, upstreamPort: number, sizes: Sizes, folder: string): Promise<Costs> => {
  const file = path.join(folder, contender.name.replaceAll(/\W+/g, '-'))
  const running = await contender.start(upstreamPort, ['--import', SAMPLER], { BENCH_PROFILE: file })
  pinned([running.pid], 'the first')
  try {
    const warmUp = { port: running.port, requests: contender.requests, connections: CONNECTIONS, count: sizes.warmUp }
    await closedLoop(warmUp)
    const time = await timed(running, contender, sizes)
    if (!contender.node) return { time, shares: undefined }
    process.kill(running.pid, 'SIGUSR2')
    await there(`${file}.began`)
    await timed(running, contender, sizes)
    process.kill(running.pid, 'SIGUSR2')
    await there(file)
    return { time, shares: sharesOf(JSON.parse(readFileSync(file, 'utf8'))) }
  } finally {
    await running.stop()
  }
}

const there = async (file: string): Promise<void> => {
  for (const deadline = performance.now() + 20_000; !existsSync(file); await new Promise((f) => setTimeout(f, 10)))
    if (performance.now() > deadline) throw new Error(`no ${file} within 20 s`)
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

const othersTable = (measured: readonly (readonly [Contender, Costs])[]): string =>
  tableOf(
    [{ name: 'µs a request', align: 'left' }, { name: 'all' }, { name: 'of this in the kernel, %' }],
    measured.map(([{ name }, { time }]) => [
      name,
      figure(time.total),
      ((100 * time.system) / (time.user + time.system)).toFixed(0),
    ]),
  )

const TEXT = `One more run of each, warm, alone on a processor while load and upstream have the others, and then once more with V8's sampling profiler
(one look in 250 µs). The shares of the samples that were not idle are
applied to the processor time of the same process without the profiler. A builtin counts to the function that called it. One run: read it for
where the time goes, and the table above for how much it is.`

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
