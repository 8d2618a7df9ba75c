/**
 * Stands where Login with Amazon, the Tokens API and SP-API are, on a real socket: passes every request on to the simulator, and
 * breaks what it is told to. A fault of the door meets connections before a byte of HTTP; a fault of the answer meets the requests
 * of one hop, when they have arrived whole. Everything that arrived is counted here, also what the simulator never saw.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createFront, type Socket } from 'node:net'
import type { Certificate } from '../support/certificates.ts'
import type { Life } from '../support/life.ts'
import { listen } from '../support/listen.ts'
import { after, until } from '../support/many.ts'
import { losePackets } from './lost.ts'

export type Hop = 'lwa' | 'mint' | 'call'
/**
 * `shut`: nobody listens. `lost`: packets are. `silent`: taken and never answered. `cut`: those that are there end, new ones are
 * taken. `plaintext`: HTTP where TLS is expected; else the certificate that is shown.
 */
export type Door = 'shut' | 'lost' | 'silent' | 'reset' | 'cut' | 'plaintext' | Pick<Certificate, 'cert' | 'key'>

/** What the simulator says to a request. */
export type Real = { readonly status: number; readonly rawHeaders: readonly string[]; readonly body: Buffer }
export type Asked = {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly body: Buffer
  readonly real: () => Promise<Real>
}
export type AnswerFault = (asked: Asked) => unknown

export type Arrival = { readonly hop: Hop; readonly target: string; readonly id: string }
export type RelayOptions = {
  /** Behind TLS, with this certificate while all is well. */
  readonly tls?: Pick<Certificate, 'cert' | 'key'> | undefined
  /** Whether connections are kept alive while all is well. */
  readonly keep?: boolean
  /** The simulator's address. */
  readonly to: () => string
}

const LWA_PATH = '/auth/o2/token'
const MINT_PATH = '/tokens/2021-03-01/restrictedDataToken'
/** Names a call, so that it can be counted where it arrives. */
export const CALL_ID = 'x-call-id'

export const startRelay = async (life: Life, { tls, keep = true, to }: RelayOptions) => {
  const arrivals: Arrival[] = []
  const sockets = new Set<Socket>()
  const faulty = new Map<Socket, ServerResponse | undefined>() // connections that met a fault, while they are open
  const faults = new Map<Hop, AnswerFault>()
  let door: Door | undefined
  let find = async (): Promise<void> => {} // packets again

  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await req.toArray())
    const hop = hopOf(req)
    arrivals.push({ hop, target: req.url ?? '', id: String(req.headers[CALL_ID]) })
    const real = () => ask(to(), req, body)
    const fault = faults.get(hop)
    if (!fault) return pass(res, await real(), keep)
    meet(req.socket, res)
    await fault({ req, res, body, real })
  }
  const meet = (socket: Socket, res?: ServerResponse): void => {
    faulty.set(socket, res)
    socket.once('close', () => faulty.delete(socket))
  }

  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    res.on('error', () => {})
    serve(req, res).catch(() => res.destroy())
  }
  const plain = createServer(HTTP, handle)
  const secure = tls && createTlsServer({ ...HTTP, ...tls }, handle)
  const front = createFront((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    if (door && door !== 'cut') meet(socket)
    if (door === 'silent') socket.resume()
    else if (door === 'reset') socket.resetAndDestroy()
    else (secure && door !== 'plaintext' ? secure : plain).emit('connection', socket)
  })
  const port = await listen(front)
  const cut = (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    return until(() => sockets.size === 0)
  }
  life.after(async () => {
    await find()
    front.close()
    await cut()
  })

  return {
    port,
    arrivals,
    /** Connections that met a fault, were not answered to the end and are open still. */
    left: (): number => [...faulty.values()].filter((res) => !res?.writableFinished).length,
    breakAnswers: (hop: Hop, fault: AnswerFault): void => void faults.set(hop, fault),
    breakDoor: async (how: Door): Promise<void> => {
      door = how
      if (typeof how === 'object') secure?.setSecureContext(how)
      if (how === 'shut' || how === 'lost') front.close()
      await cut()
      if (how === 'lost') find = await losePackets(port)
      if (how === 'cut') await after(100) // the news of it is on its way
    },
    heal: async (): Promise<void> => {
      faults.clear()
      door = undefined
      if (tls) secure?.setSecureContext(tls)
      await find()
      await until(() => front.listening || tryToListen(front, port))
    },
  }
}
export type Relay = Awaited<ReturnType<typeof startRelay>>

// Nothing ends a connection but a fault: no timers of its own.
const HTTP = { maxHeaderSize: 1_048_576, keepAliveTimeout: 300_000, requestTimeout: 0, headersTimeout: 0 }

const hopOf = ({ method, url = '' }: IncomingMessage): Hop => {
  if (url.startsWith(LWA_PATH)) return 'lwa'
  return method === 'POST' && url.startsWith(MINT_PATH) ? 'mint' : 'call'
}

const ask = async (to: string, { method, url, rawHeaders }: IncomingMessage, body: Buffer): Promise<Real> => {
  const asking = request(`${to}${url}`, { method: method ?? '', headers: rawHeaders as string[], agent: false })
  asking.end(body)
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const { statusCode: status = 0, rawHeaders: headers } = answer
  return { status, rawHeaders: headers, body: Buffer.concat(await answer.toArray()) }
}

/** Headers of the answer's own connection are the relay's business. */
const OF_THE_CONNECTION = /^(connection|keep-alive|transfer-encoding)$/i
export const headersOf = ({ rawHeaders }: Pick<Real, 'rawHeaders'>): string[] =>
  rawHeaders.filter((_, i) => !OF_THE_CONNECTION.test(rawHeaders[i - (i % 2)] ?? ''))

export const pass = (res: ServerResponse, real: Real, keep = true): void => {
  res.writeHead(real.status, [...headersOf(real), ...(keep ? [] : ['connection', 'close'])])
  res.end(real.body)
}

/** Another program may have the port for a moment. */
const tryToListen = async (front: ReturnType<typeof createFront>, port: number): Promise<boolean> => {
  front.listen(port, '127.0.0.1')
  return once(front, 'listening').then(
    () => true,
    () => false,
  )
}
