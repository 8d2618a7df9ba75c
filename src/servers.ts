/** The sidecar's listeners on node:http: how they open, how they drain. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createRoute } from './app.ts'
import type { Handler } from './proxy/handle.ts'

export type Address = { readonly host: string; readonly port: number }

const TIMES = {
  keepAliveTimeout: 75_000, // longer than callers' pools keep a connection, so that it is they who close it
  requestTimeout: 0, // bodies of any size, at any speed; headersTimeout stays
}

export const createDataServer = (handler: Handler, maxHeaderSize: number): Server => {
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    handler.handle(req, res).catch((error: unknown) => handler.fail(res, error))
  }
  const route = createRoute(serve)
  const server = createServer({ maxHeaderSize, ...TIMES }, route)
  server.on('checkExpectation', route) // Node would answer 417 itself, told and counted by nobody
  server.maxHeadersCount = 0 // bounded by bytes; a count would drop headers silently
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => handler.refuse(socket as Socket, error.code))
  return server
}

/** Rejects where the address cannot be had. */
export const open = (server: Server, { host, port }: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })

/**
 * Takes no more connections and closes idle ones; resolves when nothing is in flight, or when `maxMs` is over. Connections may be
 * left on which no call ever came: Node does not count them among the idle.
 */
export const drained = async (server: Server, inFlight: () => number, maxMs: number): Promise<void> => {
  const until = performance.now() + maxMs
  server.close()
  do await delay(EVERY_MS)
  while (inFlight() > 0 && performance.now() < until)
}
const EVERY_MS = 50

/** Where it listens: the port it was given for 0. */
export const addressOf = (server: Server, { host }: Pick<Address, 'host'>): Address => {
  const address = server.address()
  return { host, port: typeof address === 'object' && address ? address.port : 0 }
}
