/**
 * Closed-loop load: a fixed number of connections, on each a request as soon as the one before is answered. On bare sockets, so
 * that it costs a fraction of any proxy: autocannon parses every answer with an HTTP parser in JavaScript, and would take from
 * two processors what is to be measured; nor has it a fixed schedule (open-loop.ts).
 */
import { connect, type Socket } from 'node:net'
import { answerReader } from './answers.ts'
import { quantile } from './stats.ts'

export type Load = {
  readonly port: number
  /** Sent in turn, over and over. */
  readonly requests: readonly Buffer[]
  readonly count: number
  readonly connections: number
  /** Must be in the head of every answer. */
  readonly expected?: string | undefined
}
/** Times in microseconds. */
export type Outcome = {
  readonly count: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** Resolves when all are answered; rejects at the first answer that is not a whole 200. */
export const closedLoop = async (load: Load): Promise<Outcome> => {
  const { count, connections } = load
  const latencies = new Float64Array(count)
  let sent = 0
  let answered = 0
  const began = performance.now()
  const lane = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
      let sentAt = 0
      const next = (): void => {
        if (sent >= count) return void socket.destroy()
        sentAt = performance.now()
        socket.write(load.requests[sent++ % load.requests.length] ?? '')
      }
      const read = answerReader(() => {
        latencies[answered++] = (performance.now() - sentAt) * 1000
        next()
      }, load.expected)
      serveLane(socket, read, next, reject)
      socket.on('close', resolve)
    })
  await Promise.all(Array.from({ length: Math.min(connections, count) }, lane))
  const seconds = (performance.now() - began) / 1000
  if (answered !== count) throw new Error(`${answered} of ${count} were answered`)
  latencies.sort()
  return { count, perSecond: count / seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
}

const serveLane = (
  socket: Socket,
  read: (chunk: Buffer) => void,
  next: () => void,
  fail: (error: unknown) => void,
): void => {
  socket.on('connect', next)
  socket.on('error', fail)
  socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')))
  socket.on('data', (chunk) => {
    try {
      read(chunk)
    } catch (error) {
      fail(error)
      socket.destroy()
    }
  })
}
