import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { TestContext } from 'node:test'

/** Opens a server on any free port of 127.0.0.1 and resolves to it. */
export const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The address of an HTTP server for one test: all its connections end with it. */
export const serveHttp = async (t: TestContext, listener: RequestListener): Promise<string> => {
  const server = createHttpServer(listener)
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

/** A port of 127.0.0.1 that was free a moment ago: nobody listens on it, and a program can be told to. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}
