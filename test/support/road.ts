import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { listen } from './listen.ts'

/**
 * A port from which connections lead on to `port`: `carry` passes on what comes on either end. All of it ends with the test.
 */
export const startRoad = async (
  t: TestContext,
  port: number,
  carry: (near: Socket, far: Socket) => void,
): Promise<number> => {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const one of [near, far]) {
      sockets.add(one)
      one.on('error', () => {})
    }
    carry(near, far)
  })
  const own = await listen(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return own
}
