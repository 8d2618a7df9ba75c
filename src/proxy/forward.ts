/**
 * Streams a prepared call to one endpoint on http-proxy-middleware, and tells failures apart.
 * Promises: what `req.headers` and `req.url` say when it is called is what Amazon gets; no retry; the caller always gets an end.
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { Stream } from 'node:stream'
import { createProxyMiddleware, type Plugin } from 'http-proxy-middleware'
import { systemCode } from '../sp-api/errors.ts'
import type { UpstreamFailure } from '../telemetry/events.ts'
import { hasBody } from './body.ts'
import { answerHeaders, headersRead } from './headers.ts'
import { type Forbidden, hold, listenTo, passOn } from './read-answer.ts'
import {
  type AgentOptions,
  boundHead,
  createAgent,
  NO_CONNECTION_FREE,
  NOT_ANSWERED,
  NOT_CONNECTED,
  socketsInUse,
  watchSilence,
} from './upstream-agent.ts'

export type ForwarderOptions = AgentOptions & {
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
  /** Resolves at the call's end, whatever that was. */
  readonly forward: (req: IncomingMessage, res: ServerResponse, handling?: Handling) => Promise<void>
  readonly close: () => void
}

// On the request itself, as a call is on its response (exchange.ts).
const HANDLING = Symbol('handling')
/** `patience`: ends a wait for a free connection. */
type Handled = Handling & { patience?: NodeJS.Timeout; failed?: true }
type Request = IncomingMessage & { [HANDLING]?: Handled }

const handledOf = ({ [HANDLING]: handled = {} }: Request): Handled => handled

export const createForwarder = (options: ForwarderOptions): Forwarder => {
  const agent = createAgent(options)
  const { protocol, host, hostname, port } = new URL(options.origin) // once: the library takes a URL apart for every call
  const target = { protocol, host, hostname: hostname.replace(/^\[|\]$/g, ''), port }

  // A call that waits for a free connection has no socket whose timeout could end it, nor one by which Node would tell of its end.
  const patience = (req: Request, res: ServerResponse): AbortSignal | undefined => {
    if (socketsInUse(agent) < options.maxConnections) return undefined
    const abort = new AbortController()
    handledOf(req).patience = setTimeout(() => {
      abort.abort()
      fail(req, res, { code: NO_CONNECTION_FREE })
    }, options.connectTimeoutMs)
    return abort.signal
  }

  // Written here, as it came, the library need not set it header by header.
  const sendHead = (answer: IncomingMessage, req: IncomingMessage, res: ServerResponse): void => {
    const { statusCode = 502, statusMessage = '' } = answer
    const reason = statusMessage.replace(UNSENDABLE, '')
    const headers = answerHeaders(answer, req, res)
    headers.push(...options.ownHeaders(res))
    res.writeHead(statusCode, reason, headers)
  }

  /** Told once, of a call that has not ended: what breaks a connection is an error of the request and of its answer. */
  const fail = (req: Request, res: ServerResponse, error: unknown): void => {
    const handled = handledOf(req)
    if (handled.failed || res.destroyed) return
    handled.failed = true
    options.onFailure(res, ...failureOf(error))
  }

  const proxy = createProxy(options.origin)
  proxy.on('proxyReq', (proxyReq, req, res) => {
    clearTimeout(handledOf(req).patience)
    if (addedLength(proxyReq, req)) proxyReq.removeHeader('content-length')
    // Node drops the connection of an upgrade nobody asked for without an error.
    proxyReq.once('upgrade', (_answer, socket) => {
      socket.destroy()
      options.onFailure(res, 'other', 'UNASKED_UPGRADE')
    })
    watchSilence(proxyReq, req, res, options.responseTimeoutMs)
    boundHead(proxyReq, options.responseTimeoutMs)
  })
  proxy.on('proxyRes', (proxyRes, req, res) => {
    proxyRes.headers = headersRead(proxyRes.rawHeaders)
    options.onResponse(res, proxyRes)
    proxyRes.once('error', (error) => fail(req, res, error)) // before the library, which destroys what the caller would get
    const { onAnswer, onForbidden } = handledOf(req)
    if (proxyRes.statusCode === 403 && onForbidden) {
      void hold(proxyRes, res, () => sendHead(proxyRes, req, res), onForbidden)
      return
    }
    if (onAnswer && proxyRes.statusCode === 200) listenTo(proxyRes, onAnswer)
    if (res.headersSent) {
      proxyRes.resume() // it was answered already
      return
    }
    try {
      sendHead(proxyRes, req, res)
    } catch (error) {
      proxyRes.destroy() // Node reads a status below 100, but sends none
      fail(req, res, error)
      return
    }
    passOn(proxyRes, res)
  })
  proxy.on('error', (error, req, res) => {
    if (!req || !res || !('setHeader' in res)) return // a WebSocket's; we proxy none
    clearTimeout(handledOf(req).patience)
    fail(req, res, error)
  })

  return {
    forward: (req: Request, res, handling = {}) => {
      const handled: Handled = { ...handling }
      req[HANDLING] = handled
      const { body } = handling
      const perCall: ProxyServerOptions = {
        target,
        changeOrigin: true,
        agent,
        selfHandleResponse: true, // its head and its body: see above
        ssl: { maxHeaderSize: options.headerBytes, signal: patience(req, res) }, // the base of the request's own options
      }
      if (body) perCall.buffer = new Whole(body)
      else if (!hasBody(req)) perCall.buffer = NO_BODY
      return proxy.web(req, res, perCall).catch((error: unknown) => fail(req, res, error))
    },
    close: () => agent.destroy(),
  }
}

/** A request's body as it is at hand, in the place of the request: to be sent with its head. */
class Whole extends Stream {
  readonly #body: Buffer
  constructor(body: Buffer) {
    super()
    this.#body = body
  }
  override pipe<T extends NodeJS.WritableStream>(to: T): T {
    if (this.#body.length > 0) to.end(this.#body)
    else to.end()
    return to
  }
}
const NO_BODY = new Whole(Buffer.alloc(0))

type Proxy = Parameters<Plugin>[0]
type ProxyServerOptions = NonNullable<Parameters<Proxy['web']>[2]>

/**
 * The proxy that http-proxy-middleware builds, as its plugins get it. Its middleware would look at every call again (path filter,
 * router), for the time of parsing a URL and six promises.
 */
const createProxy = (target: string): Proxy => {
  let built: Proxy | undefined
  const take: Plugin = (proxy) => {
    built = proxy
  }
  createProxyMiddleware({ target, ejectPlugins: true, plugins: [take] })
  if (!built) throw new Error('http-proxy-middleware calls no plugins')
  return built
}

/** What Node reads in a reason phrase, but throws at when it is to be sent on. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/g

// The proxy library gives every DELETE and OPTIONS a length.
const addedLength = (proxyReq: ClientRequest, { rawHeaders }: IncomingMessage): boolean =>
  proxyReq.getHeader('content-length') === '0' &&
  !rawHeaders.some((name) => /^(content-length|transfer-encoding)$/i.test(name))

const FAILURES: Readonly<Record<string, UpstreamFailure>> = {
  ECONNREFUSED: 'connect',
  ENOTFOUND: 'connect',
  EAI_AGAIN: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  ETIMEDOUT: 'connect',
  [NO_CONNECTION_FREE]: 'connect',
  [NOT_CONNECTED]: 'connect',
  [NOT_ANSWERED]: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
}

const failureOf = (error: unknown): [UpstreamFailure, string] => {
  const code = systemCode(error)
  return [FAILURES[code] ?? 'other', code]
}
