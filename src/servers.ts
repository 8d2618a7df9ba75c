/** The sidecar's listeners on node:http and node:https: how they open, how they drain. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { createRoute } from './app.ts'
import type { TlsConfig } from './config/tls.ts'
import type { Handler } from './proxy/handle.ts'
import { createInFlight } from './proxy/in-flight.ts'
import { clearSocket, closeToOthers } from './socket-file.ts'
import { systemCode } from './sp-api/errors.ts'

/** Where a listener is, or is to be. */
export type Address =
  | { readonly host: string; readonly port: number; readonly socketPath?: undefined }
  | { readonly socketPath: string; readonly host?: undefined; readonly port?: undefined }

const KEEP_ALIVE_MS = 75_000 // longer than callers' pools keep a connection, so that it is they who close it
const HANDSHAKE_MS = 10_000
const CHECK_MS = 1000 // how late a request's timeout may be noticed

export type ServerLimits = {
  /** Most bytes of a message's headers, request line included. */
  readonly headerBytes: number
  /** Most connections at once; one more is closed unanswered. */
  readonly connections: number
  /** Milliseconds in which the headers must be there, and the whole request (0: any time). */
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Longest silence of a caller in the middle of a call, in milliseconds. */
  readonly idleTimeoutMs: number
}

export type DataServerOptions = {
  readonly handler: Handler
  readonly limits: ServerLimits
  /** Undefined: plaintext. */
  readonly tls: TlsConfig | undefined
  /** A connection that came to nothing: no TLS, an old version, no certificate of ours. */
  readonly onHandshakeFailed: (code: string) => void
  /** There were too many connections. */
  readonly onConnectionRefused: () => void
}

export const createDataServer = (given: DataServerOptions) => {
  const { handler, limits, tls, onHandshakeFailed, onConnectionRefused } = given
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    handler.handle(req, res).catch((error: unknown) => handler.fail(res, error))
  }
  const route = createRoute(serve)
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requireHostHeader: false, // Node would answer 400 itself, told and counted by nobody (the handler refuses it)
    optimizeEmptyRequests: true, // nobody reads what is known to be empty
  }
  const server = tls
    ? createTlsServer({ ...options, handshakeTimeout: HANDSHAKE_MS, ...contextOf(tls) }, route)
    : createServer(options, route)
  server.on('checkContinue', (req, res) => {
    goOn(req, res)
    route(req, res)
  })
  server.on('checkExpectation', route) // Node would answer 417 itself, told and counted by nobody
  server.maxHeadersCount = 0 // the handler counts them: Node would drop those beyond it silently
  server.maxConnections = limits.connections
  server.on('drop', onConnectionRefused)
  server.setTimeout(limits.idleTimeoutMs, handler.silent)
  server.on('connect', (_req, socket) => {
    socket.on('error', () => {}) // Node has taken its own listeners off
    handler.refuse(socket as Socket, 'CONNECT')
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (/^(HPE|ERR_HTTP)_/.test(error.code ?? '')) handler.refuse(socket as Socket, error.code)
    else socket.destroy() // a connection that broke: there is no request to answer
  })
  server.removeAllListeners('tlsClientError') // Node's own makes a clientError of it
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    socket.destroy() // after a timeout it would stay
    const { authorizationError } = socket // what is wrong with the caller's certificate; the error is then a reset
    onHandshakeFailed(authorizationError ? String(authorizationError) : systemCode(error))
  })
  const connections = createInFlight<Socket>()
  server.on('connection', (socket: Socket) => void socket.once('close', connections.add(socket)))
  return {
    server,
    connections: connections.size,
    /** Ends all connections, those in handshake too, of which Node's closeAllConnections does not know. */
    cut: (): void => {
      for (const socket of connections.all()) socket.destroy()
    },
  }
}

/** Bounded in time: what asks it is near, and short. */
export const createAdminServer = (handle: RequestListener): Server =>
  createServer(
    { headersTimeout: ADMIN_MS, requestTimeout: 2 * ADMIN_MS, connectionsCheckingInterval: CHECK_MS },
    handle,
  )
const ADMIN_MS = 10_000

/** Says 100 Continue when it is this call's turn to be answered: Node says it at once, into the answer to a call before it. */
const goOn = (req: IncomingMessage, res: ServerResponse): void => {
  const say = () => {
    if (!res.headersSent && !req.complete) res.writeContinue()
  }
  if (res.socket) say()
  else res.once('socket', say)
}

/** For connections from now on; TLS sessions of those before cannot be taken up again. */
export const changeCertificate = (server: Server | TlsServer, tls: TlsConfig | undefined): void => {
  if (tls && 'setSecureContext' in server) server.setSecureContext(contextOf(tls))
}

const contextOf = ({ cert, key, clientCa }: TlsConfig) => ({
  cert,
  key: key.reveal(),
  minVersion: 'TLSv1.2' as const,
  ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
})

/** Rejects where the address cannot be had. */
export const open = async (server: Server | TlsServer, { host, port, socketPath }: Address): Promise<void> => {
  if (socketPath !== undefined) await clearSocket(socketPath)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath === undefined ? { host, port } : { path: socketPath }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  if (socketPath !== undefined) closeToOthers(socketPath)
}

type DataServer = ReturnType<typeof createDataServer>
/** `lameDuckMs`: how long it still takes connections, and keeps idle ones, so that calls that are on their way are told to call again. */
export type Drain = { readonly maxMs: number; readonly lameDuckMs: number }

/**
 * Takes no more connections after `lameDuckMs`, and closes idle ones; those taken last have as long again to say what they want.
 * Resolves when nothing is in flight, or when `maxMs` is over. Connections may be left on which no call ever came: Node does not
 * count them among the idle.
 */
export const drained = async (
  { server, connections }: Pick<DataServer, 'server' | 'connections'>,
  inFlight: () => number,
  { maxMs, lameDuckMs }: Drain,
): Promise<void> => {
  const startedAt = performance.now()
  const within = (ms: number): boolean => performance.now() < startedAt + ms
  await delay(Math.min(lameDuckMs, maxMs))
  await immediate() // closing resets what waits in the listener's queue: now that has just been accepted
  server.close()
  do await delay(EVERY_MS)
  while (within(maxMs) && (inFlight() > 0 || (connections() > 0 && within(2 * lameDuckMs))))
}
const EVERY_MS = 50

/** Where it listens: the port it was given for 0. */
export const addressOf = (server: Server | TlsServer, { host, socketPath }: Address): Address => {
  if (socketPath !== undefined) return { socketPath }
  const address = server.address()
  return { host, port: typeof address === 'object' && address ? address.port : 0 }
}
