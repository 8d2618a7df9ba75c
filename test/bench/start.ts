/** From `node dist/main.js serve` to the first 200 of /readyz, and what the process holds when nothing has happened yet. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../support/listen.ts'
import { BARE, CONTENDERS, startSidecar } from './contenders.ts'
import type { Running } from './processes.ts'
import { figure, type Section, type Size, tableOf } from './report.ts'
import { medianOf, spreadOf } from './stats.ts'

type Sizes = { readonly starts: number; readonly idleMs: number }
const SIZES: Readonly<Record<Size, Sizes>> = {
  full: { starts: 25, idleMs: 3000 },
  miniature: { starts: 1, idleMs: 0 },
}
const AIM_MS = 400
const POLL_MS = 5

/** Until it is ready, in milliseconds: on the clock, and of processor time. */
type Start = { readonly ms: number; readonly processorMs: number }

const startOnce = async (): Promise<Start> => {
  const adminPort = await freePort()
  const starting = startSidecar(9, [], { SIDECAR_ADMIN_PORT: String(adminPort) }) // nothing is sent upstream
  const [ms, { processorTime, stop }] = await Promise.all([readyAfterMs(adminPort), starting])
  const processorMs = processorTime().total / 1000
  await stop()
  return { ms, processorMs }
}

const readyAfterMs = async (port: number): Promise<number> => {
  const began = performance.now()
  for (const deadline = began + 20_000; (await readiness(port)) !== 200; await delay(POLL_MS))
    if (performance.now() > deadline) throw new Error('it was not ready within 20 s')
  return performance.now() - began
}

/** The status of /readyz; undefined where nothing listens. */
const readiness = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const req = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (res) => {
      res.resume()
      resolve(res.statusCode)
    })
    req.on('error', () => resolve(undefined))
  })

/** Milliseconds that this Node takes to do nothing. */
const nodeAlone = async (): Promise<number> => {
  const began = performance.now()
  await once(spawn(process.execPath, ['--eval', '0'], { stdio: 'ignore' }), 'exit')
  return performance.now() - began
}

/** MiB of the process when it has done nothing for a while. */
const idle = async (starting: Promise<Running>, idleMs: number): Promise<number> => {
  const { memory, stop } = await starting
  await delay(idleMs)
  const { rss } = memory()
  await stop()
  return rss / 2 ** 20
}

const repeated = async <T>(times: number, measure: () => Promise<T>): Promise<readonly T[]> => {
  const values: T[] = []
  for (let i = 0; i < times; i += 1) values.push(await measure())
  return values
}

const spreadCells = (values: readonly number[]): readonly string[] => {
  const { median, quartiles, min, max } = spreadOf(values)
  return [median, ...quartiles, min, max].map(figure)
}

export const start = {
  name: 'start',
  run: async (size: Size): Promise<Section> => {
    const { starts, idleMs } = SIZES[size]
    const both = await repeated(starts, async () => ({ ...(await startOnce()), alone: await nodeAlone() }))
    const ready = both.map(({ ms }) => ms)
    const rows = [
      ['from spawn to the first 200 of /readyz, ms', ...spreadCells(ready)],
      ['processor time until then, ms', ...spreadCells(both.map(({ processorMs }) => processorMs))],
      ['`node --eval 0`, ms', ...spreadCells(both.map(({ alone }) => alone))],
    ]
    const columns = ['', 'median', 'lower quartile', 'upper quartile', 'lowest', 'highest']
    const aim = medianOf(ready) <= AIM_MS ? 'met' : '**not met**'
    const sidecar = await idle(startSidecar(9), idleMs)
    const bare = await idle(startBare(), idleMs)
    return {
      title: 'Start and idle memory',
      markdown: [
        `${starts} starts of \`node dist/main.js serve\` with the default configuration, in turn with a Node that does nothing. Aim: ready within ${AIM_MS} ms: ${aim}.`,
        tableOf(
          columns.map((name, i) => ({ name, align: i === 0 ? 'left' : 'right' })),
          rows,
        ),
        `Resident memory ${idleMs / 1000} s after the start: ${figure(sidecar)} MiB; ${BARE}: ${figure(bare)} MiB.`,
      ].join('\n\n'),
    }
  },
}

const startBare = (): Promise<Running> => {
  const bare = CONTENDERS.find(({ name }) => name === BARE)
  if (!bare) throw new Error(`${BARE} is not among the contenders`)
  return bare.start(9)
}
