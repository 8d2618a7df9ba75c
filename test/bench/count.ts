/**
 * Work done by a client, directly or through a sidecar, against a simulator in virtual time, and what it came to. Mints are
 * counted in the simulator's log. A mint and a call take a tenth of a second each, everything else takes no time: so what a
 * call takes longer than its own tenth, it waited for an RDT.
 */
import { loadConfig } from '../../src/config/load.ts'
import { createSidecar } from '../../src/sidecar.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTally, type Tally } from './tally.ts'
import { type Clock, inVirtualTime } from './virtual-time.ts'

/** Where a client works, and for whom. */
export type Place = {
  /** The sidecar, or the simulator itself. */
  readonly base: string
  /** The simulator. */
  readonly amazon: string
  readonly seller: string
  /** A fresh LWA access token, for clients that get none themselves. */
  readonly token: string
}
/** One call, done again while it is throttled. */
export type Insist = <T>(call: () => Promise<T>) => Promise<T>
/** Calls one after the other, by one worker. */
export type Job<C> = (client: C, insist: Insist) => Promise<unknown>
/** What is to be done for one selling partner: one list of jobs after the other. */
export type Jobs<C> = readonly (readonly Job<C>[])[]

export type Setting<C> = {
  /** Makes the client of one selling partner. */
  readonly connect: (place: Place) => C | Promise<C>
  /** SIDECAR_* variables; undefined: no sidecar. */
  readonly sidecar?: Readonly<Record<string, string>> | undefined
  /** For each selling partner. */
  readonly jobs: readonly Jobs<C>[]
  /** Busy at once for each of them. */
  readonly workers: number
}
export type Counts = Tally & {
  /** What calls waited for RDTs, in seconds: all together, and the one that waited longest. */
  readonly waitedS: number
  readonly longestS: number
  /** The whole work, in seconds. */
  readonly tookS: number
}

/** Of a mint, and of a call. */
const LATENCY_MS = 100
/** A worker's pause before it does a throttled call again: that of the sample application in Amazon's SDK. */
const PAUSE_MS = 5000

export const count = <C>(setting: Setting<C>): Promise<Counts> => inVirtualTime((clock) => counted(setting, clock))

const counted = async <C>({ connect, sidecar, jobs, workers }: Setting<C>, clock: Clock): Promise<Counts> => {
  const simulator = createSimulator({ now: clock.now })
  const amazon = await simulator.listen()
  simulator.control({ latencyMs: { mint: LATENCY_MS, call: LATENCY_MS } })
  const proxy = sidecar && (await startSidecar({ SIDECAR_ENDPOINT: amazon, ...sidecar }, clock))
  const base = proxy?.base ?? amazon
  const tally = createTally(simulator)
  const watch = createWatch(clock, tally.look)
  const workFor = async (lists: Jobs<C>, i: number): Promise<void> => {
    const seller = `seller-${i}`
    const client = await connect({ base, amazon, seller, token: simulator.accessToken(seller) })
    for (const list of lists) await workOff(list, workers, (job) => job(client, watch.insist))
  }
  const startedAt = clock.now()
  await Promise.all(jobs.map(workFor))
  const tookS = (clock.now() - startedAt) / 1000
  const counts = { ...tally.counts(), ...watch.seen(), tookS }
  await proxy?.close()
  await simulator.close()
  return counts
}

const startSidecar = async (env: Readonly<Record<string, string>>, { now }: Clock) => {
  const loaded = loadConfig(undefined, { SIDECAR_PORT: '0', SIDECAR_ADMIN_PORT: '0', ...env })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const logger = createLogger({ level: 'silent', audit: false })
  const runtime = { version: '0.0.0-bench', nodeVersion: process.version }
  const sidecar = createSidecar(loaded.config, runtime, { now, logger, random: createRandom() })
  const { data } = await sidecar.listen()
  return { base: `http://127.0.0.1:${data[0]?.port}`, close: sidecar.close }
}

const workOff = async <C>(jobs: readonly Job<C>[], workers: number, run: (job: Job<C>) => Promise<unknown>) => {
  const left = jobs.values()
  const worker = async () => {
    for (const job of left) await run(job)
  }
  await Promise.all(range(workers).map(worker))
}

/** Does calls until they succeed, and measures how long each of them waited. */
const createWatch = (clock: Clock, onCall: () => void) => {
  let waitedMs = 0
  let longestMs = 0
  const persist = async <T>(call: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!isPassing(error)) throw error
        await clock.sleep(PAUSE_MS)
      }
    }
  }
  const insist: Insist = async (call) => {
    const from = clock.now()
    const answer = await persist(call)
    const ms = clock.now() - from - LATENCY_MS
    waitedMs += ms
    longestMs = Math.max(longestMs, ms)
    onCall()
    return answer
  }
  return { insist, seen: () => ({ waitedS: waitedMs / 1000, longestS: longestMs / 1000 }) }
}

/** A 429 or 503, in the words of each client. */
const isPassing = (error: unknown): boolean => {
  const { status, code, response } = error as { status?: number; code?: string; response?: { status?: number } }
  const known = status ?? response?.status
  return known === 429 || known === 503 || code === 'QuotaExceeded' || code === 'ServiceUnavailable'
}

/** The same numbers in every run, from 0 to 1: mulberry32, a known generator of 32 bits. */
export const createRandom = (): (() => number) => {
  let state = 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    const once = Math.imul(state ^ (state >>> 15), 1 | state)
    const twice = (once + Math.imul(once ^ (once >>> 7), 61 | once)) ^ once
    return ((twice ^ (twice >>> 14)) >>> 0) / 2 ** 32
  }
}

export const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i)
