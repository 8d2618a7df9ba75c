/**
 * Streams a prepared call to one endpoint on http-proxy-middleware, and tells failures apart.
 * Promises: what `req.headers` and `req.url` say when it is called is what Amazon gets; no retry; the caller always gets an end.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { createProxyMiddleware, type Options, type Plugin } from 'http-proxy-middleware'
import { systemCode } from '../sp-api/errors.ts'
import type { UpstreamFailure } from '../telemetry/events.ts'
import { answerHeaders } from './headers.ts'
import { type Forbidden, hold, listenTo } from './read-answer.ts'

export type ForwarderOptions = {
  readonly origin: string
  /** Milliseconds until a connection (TLS included, and a free one of the pool) must be there. */
  readonly connectTimeoutMs: number
  /** Milliseconds without a byte from Amazon while it is its turn. */
  readonly responseTimeoutMs: number
  readonly maxConnections: number
  readonly headerBytes: number
  /** Amazon's answer to a call begins; also one that the caller does not get. */
  readonly onResponse: (res: ServerResponse, answer: IncomingMessage) => void
  readonly onFailure: (res: ServerResponse, failure: UpstreamFailure, code: string) => void
  /** Names and values that the caller gets beside Amazon's. */
  readonly ownHeaders: (res: ServerResponse) => readonly string[]
}

/** What is wanted of one call beside being streamed. */
export type Handling = {
  /** The kept body, in the place of the request's own. */
  readonly body?: Buffer | undefined
  /** Gets a 403 in the caller's place. */
  readonly onForbidden?: ((forbidden: Forbidden) => void) | undefined
  /** Gets the text of a 200 once it has gone through to the caller, unless it is too large. */
  readonly onAnswer?: ((text: string) => void) | undefined
}
export type Forwarder = {
  readonly forward: (req: IncomingMessage, res: ServerResponse, handling?: Handling) => Promise<void>
  readonly close: () => void
}

// On the request itself, as a call is on its response (exchange.ts).
const HANDLING = Symbol('handling')
/** `patience`: ends a wait for a free connection. `options`: the library's, of this call. */
type Ours = { patience?: NodeJS.Timeout; options?: Options }
type Handled = IncomingMessage & { [HANDLING]?: Handling & Ours }

const handlingOf = ({ [HANDLING]: handling = {} }: Handled) => handling

export const createForwarder = (options: ForwarderOptions): Forwarder => {
  const agent = createAgent(options)
  const { protocol, host, hostname, port } = new URL(options.origin) // once: the library takes a URL apart for every call
  const target = { protocol, host, hostname: hostname.replace(/^\[|\]$/g, ''), port }

  // A call that waits for a free connection has no socket whose timeout could end it.
  const patience = (handling: Handling & Ours): { signal?: AbortSignal } => {
    if (socketsInUse(agent) < options.maxConnections) return {}
    const abort = new AbortController()
    handling.patience = setTimeout(() => abort.abort(), options.connectTimeoutMs)
    return { signal: abort.signal }
  }

  // Written here, as it came, the library need not set it header by header.
  const begin = (answer: IncomingMessage, req: IncomingMessage, res: ServerResponse): void => {
    const { statusCode = 502, statusMessage = '' } = answer
    const reason = statusMessage.replace(UNSENDABLE, '')
    const headers = answerHeaders(answer, req, res)
    headers.push(...options.ownHeaders(res))
    res.writeHead(statusCode, reason, headers)
  }

  const plugin: Plugin = (proxy) => {
    proxy.on('proxyReq', (proxyReq, req, res, perCall) => {
      const handling = handlingOf(req)
      handling.options = perCall
      clearTimeout(handling.patience)
      if (addedLength(proxyReq, req)) proxyReq.removeHeader('content-length')
      // Node drops the connection of an upgrade nobody asked for without an error.
      proxyReq.once('upgrade', (_answer, socket) => {
        socket.destroy()
        options.onFailure(res, 'other', 'UNASKED_UPGRADE')
      })
      watchSilence(proxyReq, req, res, options.responseTimeoutMs)
    })
    proxy.on('proxyRes', (proxyRes, req, res) => {
      options.onResponse(res, proxyRes)
      const { onAnswer, onForbidden, options: perCall } = handlingOf(req)
      if (proxyRes.statusCode === 403 && onForbidden && perCall) {
        perCall.selfHandleResponse = true
        void hold(proxyRes, res, () => begin(proxyRes, req, res), onForbidden)
        return
      }
      if (onAnswer && proxyRes.statusCode === 200) listenTo(proxyRes, onAnswer)
      if (res.headersSent) return
      try {
        begin(proxyRes, req, res)
      } catch (error) {
        proxyRes.destroy() // Node reads a status below 100, but sends none
        options.onFailure(res, ...failureOf(error))
      }
    })
    proxy.on('error', (error, req, res) => {
      if (!req || !res || !('setHeader' in res)) return // a WebSocket's; we proxy none
      clearTimeout(handlingOf(req).patience)
      options.onFailure(res, ...failureOf(error))
    })
  }

  const proxy = createProxy(options.origin, plugin)

  return {
    forward: async (req: Handled, res, handling = {}) => {
      const handled: Handling & Ours = { ...handling }
      req[HANDLING] = handled
      const { body } = handling
      const perCall = {
        target,
        changeOrigin: true,
        agent,
        ...(body && { buffer: Readable.from(body.length > 0 ? [body] : []) }),
        ssl: { maxHeaderSize: options.headerBytes, ...patience(handled) }, // the base of the request's own options
      }
      try {
        await proxy.web(req, res, perCall)
      } catch (error) {
        options.onFailure(res, ...failureOf(error))
      }
    },
    close: () => agent.destroy(),
  }
}

type Proxy = Parameters<Plugin>[0]

/**
 * The proxy that http-proxy-middleware builds, as its plugins get it. Its middleware would look at every call again (path filter,
 * router), for the time of parsing a URL and six promises.
 */
const createProxy = (target: string, plugin: Plugin): Proxy => {
  let built: Proxy | undefined
  const take: Plugin = (proxy) => {
    built = proxy
  }
  createProxyMiddleware({ target, ejectPlugins: true, plugins: [plugin, take] })
  if (!built) throw new Error('http-proxy-middleware calls no plugins')
  return built
}

/** What Node reads in a reason phrase, but throws at when it is to be sent on. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/g

// The proxy library gives every DELETE and OPTIONS a length.
const addedLength = (proxyReq: http.ClientRequest, { rawHeaders }: IncomingMessage): boolean =>
  proxyReq.getHeader('content-length') === '0' &&
  !rawHeaders.some((name) => /^(content-length|transfer-encoding)$/i.test(name))

// Silence is Amazon's only while the caller has sent all and takes what comes, and after a pause of the caller's it gets a whole period.
// The timer is the connection's, set by the agent. On one used before, Node leaves it off where a call took it over from another,
// and as short as a Keep-Alive of Amazon's made it where the connection was free.
const watchSilence = (proxyReq: http.ClientRequest, req: IncomingMessage, res: ServerResponse, ms: number): void => {
  if (proxyReq.socket?.timeout !== ms) proxyReq.socket?.setTimeout(ms)
  let pausing = false
  proxyReq.on('timeout', () => {
    const { socket } = proxyReq
    const paused = pausing
    pausing = !req.complete || res.writableNeedDrain || socket?.connecting === true
    if (!socket || !(pausing || paused)) {
      proxyReq.destroy(coded('ERR_RESPONSE_TIMEOUT'))
      return
    }
    socket.once('timeout', () => proxyReq.emit('timeout')) // Node passes on the first alone
    socket.setTimeout(ms)
  })
}

const socketsInUse = ({ sockets }: http.Agent): number => {
  let count = 0
  for (const name in sockets) count += sockets[name]?.length ?? 0
  return count
}

const createAgent = ({ origin, connectTimeoutMs, responseTimeoutMs, maxConnections }: ForwarderOptions): http.Agent => {
  const limits = { keepAlive: true, maxSockets: maxConnections, timeout: responseTimeoutMs }
  const secure = origin.startsWith('https:')
  const agent = secure ? new https.Agent(limits) : new http.Agent(limits)
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (target, callback) => {
    const socket = connect(target, callback)
    const timer = setTimeout(() => socket?.destroy(coded('ERR_CONNECT_TIMEOUT')), connectTimeoutMs)
    for (const event of [secure ? 'secureConnect' : 'connect', 'close']) socket?.once(event, () => clearTimeout(timer))
    return socket
  }
  return agent
}

const FAILURES: Readonly<Record<string, UpstreamFailure>> = {
  ECONNREFUSED: 'connect',
  ENOTFOUND: 'connect',
  EAI_AGAIN: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  ETIMEDOUT: 'connect',
  ERR_CONNECT_TIMEOUT: 'connect',
  ABORT_ERR: 'connect',
  ERR_RESPONSE_TIMEOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
}

const failureOf = (error: unknown): [UpstreamFailure, string] => {
  const code = systemCode(error)
  return [FAILURES[code] ?? 'other', code]
}

/** The codes of our own deadlines, as against errors of the network. */
export const isDeadline = (code: string): boolean =>
  ['ERR_CONNECT_TIMEOUT', 'ABORT_ERR', 'ERR_RESPONSE_TIMEOUT'].includes(code)

const coded = (code: string): Error => Object.assign(new Error(code), { code })
