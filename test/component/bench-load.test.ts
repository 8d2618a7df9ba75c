/** The load of the benchmark: what it cannot measure it says, it does not wait for it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { closedLoop, openLanes } from '../bench/load.ts'
import { listen } from '../support/listen.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'
const requests = ['a', 'b', 'c'].map((name) => Buffer.from(`GET /${name} HTTP/1.1\r\n\r\n`))

/** Answers each request by what `answer` does; resolves to its port. */
const serve = async (t: TestContext, answer: (socket: Socket, request: string) => void): Promise<number> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => answer(socket, chunk.toString('latin1')))
  })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return listen(server)
}

test('a send goes on with the requests where the one before stopped', async (t) => {
  const asked: string[] = []
  const port = await serve(t, (socket, request) => {
    asked.push(request.charAt(5))
    socket.write(OK)
  })
  const lanes = await openLanes({ port, requests, connections: 1 })
  assert.equal((await lanes.send(2)).count, 2)
  await lanes.send(3)
  lanes.close()
  assert.deepEqual(asked, ['a', 'b', 'c', 'a', 'b'])
})

test('a connection that was closed between two sends fails the next one', async (t) => {
  const closed: Promise<unknown>[] = []
  const port = await serve(t, (socket) => {
    closed.push(once(socket, 'close'))
    socket.end(OK)
  })
  const lanes = await openLanes({ port, requests, connections: 1 })
  await lanes.send(1)
  await Promise.all(closed)
  await assert.rejects(lanes.send(1), /the connection was closed/)
})

test('an answer that is not wanted fails the send', async (t) => {
  const port = await serve(t, (socket) => socket.write(OK.replace('200 OK', '403 Forbidden')))
  await assert.rejects(closedLoop({ port, requests, count: 4, connections: 2 }), /HTTP\/1.1 403/)
  const plain = await serve(t, (socket) => socket.write(OK))
  await assert.rejects(closedLoop({ port: plain, requests, count: 4, connections: 2, expected: 'x-hit' }), /no x-hit/)
})
