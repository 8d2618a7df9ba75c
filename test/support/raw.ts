/** Bytes on a socket, for what no HTTP client would send. */
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { freePort, listen } from './listen.ts'

/** Sends `bytes` and resolves to all that came back until the other side closed, `until` matched, or `ms` passed. */
export const exchange = (
  port: number,
  bytes: string | Buffer,
  { until, ms = 3000 }: { until?: RegExp; ms?: number } = {},
): Promise<string> =>
  new Promise((resolve) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(received)
    }
    const timer = setTimeout(done, ms)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (until?.test(received)) done()
    })
    socket.on('close', done)
    socket.on('error', done)
  })

/** A TCP server that records what each connection sends, byte for byte, and answers as told. */
export const rawUpstream = async (t: TestContext, answer: (request: string, socket: Socket) => void) => {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (!text.includes('\r\n\r\n')) return
      requests.push(text)
      answer(text, socket)
      text = ''
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  const port = await listen(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}`, requests, sockets }
}

/** A port of 127.0.0.1 on which nobody listens. */
export const closedPort = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`
