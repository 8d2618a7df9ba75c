/**
 * Closed-loop load: a fixed number of connections, on each a request as soon as the one before is answered. On bare sockets, so
 * that it costs a fraction of any proxy: autocannon parses every answer with an HTTP parser in JavaScript, and would take from
 * two processors what is to be measured; nor has it a fixed schedule (open-loop.ts).
 */
import { once } from 'node:events'
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

/** Connections that stay open. */
export type Lanes = {
  /** Goes on with the requests where the send before stopped. Rejects at the first answer that is not a whole 200, and where a connection was closed. */
  readonly send: (count: number) => Promise<Outcome>
  readonly close: () => void
}

/** Resolves when all are answered. */
export const closedLoop = async ({ count, ...load }: Load): Promise<Outcome> => {
  const lanes = await openLanes({ ...load, connections: Math.min(load.connections, count) })
  try {
    return await lanes.send(count)
  } finally {
    lanes.close()
  }
}

/** What one send has in hand. `idle`: connections that found nothing left to do. */
type Round = {
  toSend: number
  answered: number
  idle: number
  readonly latencies: Float64Array
  readonly done: () => void
  readonly fail: (error: unknown) => void
}

export const openLanes = async ({ port, requests, connections, expected }: Omit<Load, 'count'>): Promise<Lanes> => {
  const sockets = await Promise.all(Array.from({ length: connections }, () => connected(port)))
  let next = 0 // of the requests
  let round: Round | undefined
  let broken: unknown // by what, also between two sends
  const fail = (error: unknown) => {
    broken ??= error
    round?.fail(error)
  }
  const starters = sockets.map((socket) => {
    let sentAt = 0
    const start = (): void => {
      if (!round) return
      if (round.toSend === 0) {
        round.idle += 1
        if (round.idle === connections) round.done()
        return
      }
      round.toSend -= 1
      sentAt = performance.now()
      socket.write(requests[next++ % requests.length] ?? '')
    }
    const read = answerReader(() => {
      if (round) round.latencies[round.answered++] = (performance.now() - sentAt) * 1000
      start()
    }, expected)
    serveLane(socket, read, fail)
    return start
  })
  const send = async (count: number): Promise<Outcome> => {
    if (broken) throw broken
    const latencies = new Float64Array(count)
    const began = performance.now()
    try {
      await new Promise<void>((done, fail) => {
        round = { toSend: count, answered: 0, idle: 0, latencies, done, fail }
        for (const start of starters) start()
      })
    } finally {
      round = undefined
    }
    const seconds = (performance.now() - began) / 1000
    latencies.sort()
    return { count, perSecond: count / seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
  }
  return { send, close: () => sockets.forEach((socket) => void socket.destroy()) }
}

const connected = async (port: number): Promise<Socket> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

const serveLane = (socket: Socket, read: (chunk: Buffer) => void, fail: (error: unknown) => void): void => {
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed')))
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
