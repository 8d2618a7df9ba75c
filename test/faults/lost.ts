/**
 * A port at which packets are lost: somebody listens, but takes no connection, and the few that the system takes in advance are
 * taken by us. Whoever comes then gets no answer to its SYN, as behind a firewall that drops.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { until } from '../support/many.ts'

/** Resolves to what ends it. */
export const losePackets = async (port: number): Promise<() => Promise<void>> => {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const deaf = new Worker(DEAF, { eval: true, workerData: { gate, port } })
  await once(deaf, 'message')
  const queue = Array.from({ length: BACKLOG + 4 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  await until(() => queue.filter(isConnected).length > BACKLOG)
  return async () => {
    Atomics.notify(gate, 0)
    for (const socket of queue) socket.destroy()
    await deaf.terminate()
  }
}
const BACKLOG = 1

const isConnected = ({ connecting, destroyed }: Socket): boolean => !connecting && !destroyed

/** Listens, and then does nothing more, not even take what comes. */
const DEAF = `
  const { parentPort, workerData: { gate, port } } = require('node:worker_threads')
  require('node:net').createServer().listen({ port, host: '127.0.0.1', backlog: ${BACKLOG} }, () => {
    parentPort.postMessage('listening')
    setImmediate(() => Atomics.wait(gate, 0, 0))
  })
`
