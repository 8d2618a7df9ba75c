/**
 * What a fleet's cold start costs, without and with a store: replicas as processes, a real Redis, and a simulator that grants what
 * Amazon would. In real time. `npm run fleet-costs` writes the table of docs/store.md; every call insists, so that it takes minutes.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { freePort } from '../support/listen.ts'
import { needs } from '../support/tools.ts'
import { startSidecar } from './contenders.ts'
import { range } from './count.ts'
import { type Running, startProgram } from './processes.ts'
import { machineOf, pageWith, tableOf, versionOf } from './report.ts'
import { medianOf } from './stats.ts'
import { createTally, type Tally } from './tally.ts'

type Env = Readonly<Record<string, string>>

export type Scenario = {
  readonly name: string
  readonly replicas: number
  /** Targets that a replica is asked for, all at once. */
  readonly targets: (replica: number) => readonly string[]
  readonly env?: Env
  /** Replicas start one after the other, so many milliseconds apart, each with its calls. Else all are there before the first call. */
  readonly apartMs?: number
  /** It is measured with a store out of reach, too. */
  readonly lost?: true
}
export type Size = {
  readonly many: number
  readonly some: number
  readonly orders: number
  readonly apartMs: number
  /** Amazon's plan is one a second. */
  readonly ratePerSecond: number
}
export const STORES = ['none', 'shared', 'out of reach'] as const
export type Store = (typeof STORES)[number]

/** What a cold start came to; `restricted`: calls that reached an operation with an RDT. */
export type Cost = Tally & {
  readonly calls: number
  /** Answered otherwise than with 200. */
  readonly failed: number
  /** From the first call to the last answer, in seconds. */
  readonly tookS: number
  /** Half of the calls were answered within so many seconds. */
  readonly medianS: number
}

export const FLEET: Size = { many: 20, some: 8, orders: 60, apartMs: 1000, ratePerSecond: 1 }

/** Of a mint, and of a call. */
const LATENCY_MS = 100
/** Nothing fails for impatience. */
const PATIENT: Env = { SIDECAR_MINT_MAX_WAIT_MS: '280000' }
const ONE_EACH: Env = { SIDECAR_MINT_MAX_RESOURCES: '1' }
const SPECIFIC: Env = { SIDECAR_RDT_SCOPE: 'specific' }

const routes = (replica: number): readonly string[] => [
  ...['', '/address', '/buyerInfo', '/orderItems', '/orderItems/buyerInfo', '/regulatedInfo'].map(
    (part) => `/orders/v0/orders/902-${replica}${part}`,
  ),
  `/mfn/v0/shipments/${replica}`,
]
const ordersFrom = (first: number, count: number): readonly string[] =>
  range(count).map((i) => `/orders/v0/orders/902-${first + i}/address`)

/** In the order of the table. */
export const scenariosOf = ({ many, some, orders, apartMs }: Size): readonly Scenario[] => [
  {
    name: `${many} replicas × 7 routes, a mint each (\`mint.maxResources: 1\`)`,
    replicas: many,
    targets: routes,
    env: { ...PATIENT, ...ONE_EACH },
  },
  {
    name: `the same with the default patience (\`mint.maxWaitMs: 10000\`)`,
    replicas: many,
    targets: routes,
    env: ONE_EACH,
  },
  { name: `${many} replicas × 7 routes`, replicas: many, targets: routes, env: PATIENT, lost: true },
  { name: `${some} replicas × 7 routes`, replicas: some, targets: routes, env: PATIENT, lost: true },
  {
    name: `${some} replicas × 7 routes, one replica after the other, a second apart`,
    replicas: some,
    targets: routes,
    env: PATIENT,
    apartMs,
  },
  {
    name: `${some} replicas × ${orders} orders of their own, \`rdt.scope: specific\``,
    replicas: some,
    targets: (replica) => ordersFrom(replica * orders, orders),
    env: { ...PATIENT, ...SPECIFIC },
    lost: true,
  },
  {
    name: `${some} replicas × the same ${orders} orders, \`rdt.scope: specific\``,
    replicas: some,
    targets: () => ordersFrom(0, orders),
    env: { ...PATIENT, ...SPECIFIC },
  },
]

export const storesOf = ({ lost }: Scenario): readonly Store[] => STORES.filter((one) => lost || one !== 'out of reach')

export const startRedis = async (): Promise<Running> => {
  const port = await freePort()
  const args = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no']
  return startProgram({ command: 'redis-server', args, port })
}

/** One cold start: of a new fleet, in front of a new simulator, with a new key, so that nothing in Redis is known to it. */
export const measure = async (scenario: Scenario, store: Store, redisPort: number, size: Size): Promise<Cost> => {
  const simulator = createSimulator()
  const amazon = new URL(await simulator.listen())
  const { ratePerSecond } = size
  simulator.control({ mintRatePerSecond: ratePerSecond, latencyMs: { mint: LATENCY_MS, call: LATENCY_MS } })
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-fleet-'))
  const keyFile = path.join(folder, 'key')
  writeFileSync(keyFile, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  const env: Env = {
    SIDECAR_MINT_RATE_PER_SECOND: `${ratePerSecond}`,
    ...scenario.env,
    ...(store !== 'none' && {
      SIDECAR_STORE_URL: `redis://127.0.0.1:${store === 'shared' ? redisPort : await freePort()}`,
      SIDECAR_STORE_KEY_FILE: keyFile,
      SIDECAR_STORE_SHARE: `${1 / scenario.replicas}`,
    }),
  }
  const started: Running[] = []
  const start = async (): Promise<Running> => {
    const replica = await startSidecar(Number(amazon.port), [], env)
    started.push(replica)
    return replica
  }
  const token = simulator.accessToken()
  try {
    const answers = await answersOf(scenario, start, token)
    const tookS = (Math.max(...answers.map(({ to }) => to)) - Math.min(...answers.map(({ from }) => from))) / 1000
    return {
      ...createTally(simulator).counts(),
      calls: answers.length,
      failed: answers.filter(({ status }) => status !== 200).length,
      tookS,
      medianS: medianOf(answers.map(({ from, to }) => to - from)) / 1000,
    }
  } finally {
    await Promise.all(started.map(({ stop }) => stop()))
    await simulator.close()
    rmSync(folder, { recursive: true })
  }
}

type Answer = { readonly from: number; readonly to: number; readonly status: number }

const answersOf = async (
  { replicas, targets, apartMs }: Scenario,
  start: () => Promise<Running>,
  token: string,
): Promise<readonly Answer[]> => {
  const callAll = ({ port }: Running, replica: number): Promise<Answer[]> =>
    Promise.all(targets(replica).map((target) => call(`http://127.0.0.1:${port}${target}`, token)))
  const ready: Running[] = []
  const calling: Promise<Answer[]>[] = []
  for (const i of range(replicas)) {
    if (i > 0 && apartMs !== undefined) await delay(apartMs)
    const replica = await start()
    ready.push(replica)
    if (apartMs !== undefined) calling.push(callAll(replica, i))
  }
  return (await Promise.all(apartMs === undefined ? ready.map(callAll) : calling)).flat()
}

const call = async (url: string, token: string): Promise<Answer> => {
  const from = performance.now()
  const answer = await fetch(url, { headers: { 'x-amz-access-token': token } })
  await answer.arrayBuffer()
  return { from, to: performance.now(), status: answer.status }
}

export type Row = readonly [Scenario, Store, Cost]

export const tableIn = (rows: readonly Row[]): string =>
  tableOf(
    [
      { name: 'cold start', align: 'left' },
      { name: 'store', align: 'left' },
      ...['mints asked for', 'of these 429', 'calls', 'failed', 'half answered within', 'all answered within'].map(
        (name) => ({ name }),
      ),
    ],
    rows.map(([{ name }, store, { mints, throttled, calls, failed, medianS, tookS }]) => [
      name,
      store,
      ...[mints, throttled, calls, failed].map(String),
      ...[medianS, tookS].map((seconds) => `${seconds.toFixed(1)} s`),
    ]),
  )

const HOW = `One seller, all calls at once, each replica a process that knows nothing yet; seconds from the first call on. A simulator grants what Amazon does (1 mint a
second, burst 10) and takes ${LATENCY_MS / 1000} s for a mint and for a call. Nobody loses patience (\`mint.maxWaitMs: ${PATIENT['SIDECAR_MINT_MAX_WAIT_MS']}\`) but in the second pair of rows. \`none\`: no
\`store.url\`, each replica counts on the whole plan. \`out of reach\`: from the start, \`store.share\` one divided by the replicas. Counts are what matters: the times are
those of a machine that had other work too, and processes that are new are slow. \`npm run fleet-costs\` writes this in some six minutes.`

const main = async (): Promise<void> => {
  const reason = needs('redis-server')
  if (reason) {
    process.stderr.write(`fleet-costs does not run here: ${reason}\n`)
    return
  }
  const redis = await startRedis()
  const rows: Row[] = []
  for (const scenario of scenariosOf(FLEET))
    for (const store of storesOf(scenario)) {
      rows.push([scenario, store, await measure(scenario, store, redis.port, FLEET)])
      process.stderr.write(`${tableIn(rows.slice(-1)).split('\n').at(-1)}\n`)
    }
  await redis.stop()
  const version = /v=([\d.]+)/.exec(spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout)?.[1]
  const versions = { Node: process.versions.node, Redis: version, ioredis: versionOf('ioredis') }
  const load = loadavg().map((one) => one.toFixed(1))
  const machine = `${machineOf(new Date(), versions)} Load average at the end ${load.join(', ')}.`
  const text = [tableIn(rows), HOW, machine].join('\n\n')
  process.stdout.write(`${text}\n`)
  const file = path.join(import.meta.dirname, '../../docs/store.md')
  writeFileSync(file, pageWith(readFileSync(file, 'utf8'), 'fleet-costs', text))
}

if (import.meta.main) await main()
