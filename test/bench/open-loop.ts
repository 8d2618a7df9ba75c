/**
 * Open-loop load: a request at each moment of a fixed schedule, whatever became of those before. A latency counts from the moment
 * that was scheduled, so that a stall is not hidden by the requests it kept from being sent.
 */
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { until } from '../support/many.ts'
import { answerReader } from './answers.ts'
import { quantile } from './stats.ts'

export type OpenLoad = {
  readonly port: number
  readonly requests: readonly Buffer[]
  readonly perSecond: number
  readonly seconds: number
  /** Must be in the head of every answer. */
  readonly expected?: string | undefined
}
/** Times in microseconds. `lateness`: p99 of how late the generator itself sent, which is in the latencies too. */
export type OpenOutcome = {
  readonly p50: number
  readonly p99: number
  readonly lateness: number
}

/** Opened before the schedule begins; more follow where none is free. */
const CONNECTIONS = 16

type Lane = { readonly socket: Socket; scheduledAt: number }

/** Resolves when the last is answered; rejects at the first answer that is not a whole 200, or 20 s after the schedule's end. */
export const openLoop = async (load: OpenLoad): Promise<OpenOutcome> => {
  const count = Math.round(load.perSecond * load.seconds)
  const latencies: number[] = []
  const lateness: number[] = []
  const lanes = createLanes(load, (latencyUs) => latencies.push(latencyUs))
  try {
    await lanes.open(CONNECTIONS)
    await schedule(load.perSecond, count, (i, scheduledAt) => {
      lateness.push((performance.now() - scheduledAt) * 1000)
      lanes.send(load.requests[i % load.requests.length] ?? Buffer.alloc(0), scheduledAt)
    })
    await lanes.answered(count)
  } finally {
    lanes.close()
  }
  const sorted = Float64Array.from(latencies).sort()
  const late = Float64Array.from(lateness).sort()
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), lateness: quantile(late, 0.99) }
}

const createLanes = ({ port, expected }: OpenLoad, onLatency: (us: number) => void) => {
  const all: Lane[] = []
  const idle: Lane[] = []
  let answers = 0
  let failure: unknown
  const fail = (error: unknown): void => {
    failure ??= error
  }
  const add = (): Lane => {
    const lane: Lane = { socket: connect({ port, host: '127.0.0.1', noDelay: true }), scheduledAt: 0 }
    const read = answerReader(() => {
      answers += 1
      onLatency((performance.now() - lane.scheduledAt) * 1000)
      idle.push(lane)
    }, expected)
    lane.socket.on('error', fail)
    lane.socket.on('data', (chunk) => {
      try {
        read(chunk)
      } catch (error) {
        fail(error)
      }
    })
    all.push(lane)
    return lane
  }
  return {
    open: async (connections: number): Promise<void> => {
      idle.push(...Array.from({ length: connections }, add))
      const opened = () => all.every(({ socket }) => !socket.connecting)
      await until(() => failure !== undefined || opened())
    },
    send: (request: Buffer, scheduledAt: number): void => {
      const lane = idle.pop() ?? add()
      lane.scheduledAt = scheduledAt
      lane.socket.write(request)
    },
    answered: async (count: number): Promise<void> => {
      await until(() => failure !== undefined || answers >= count)
      if (failure) throw failure
    },
    close: (): void => {
      for (const { socket } of all) socket.destroy()
    },
  }
}

// Timers of the event loop are a millisecond coarse; a thread that sleeps on a futex is not.
const CLOCK = `
const { parentPort, workerData: { everyMs, count } } = require('node:worker_threads')
const cell = new Int32Array(new SharedArrayBuffer(4))
const began = performance.now()
for (let i = 0; i < count; i += 1) {
  const left = began + i * everyMs - performance.now()
  if (left > 0) Atomics.wait(cell, 0, 0, left)
  parentPort.postMessage(began + i * everyMs + performance.timeOrigin)
}
`
const schedule = async (
  perSecond: number,
  count: number,
  send: (i: number, scheduledAt: number) => void,
): Promise<void> => {
  const clock = new Worker(CLOCK, { eval: true, workerData: { everyMs: 1000 / perSecond, count } })
  let ticks = 0
  await new Promise<void>((resolve, reject) => {
    clock.on('error', reject)
    clock.on('message', (at: number) => {
      send(ticks++, at - performance.timeOrigin)
      if (ticks === count) resolve()
    })
  })
  await clock.terminate()
}
