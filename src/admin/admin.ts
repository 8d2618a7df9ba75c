/**
 * The admin listener: a page for people, what it reads, probes, metrics, and the two requests that change something, which only peers on
 * loopback may make (the containers of one pod). Holds no token, no seller, no path with ids; depends on neither Amazon nor the callers.
 */
import { BlockList, isIP } from 'node:net'
import { createApp, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from '../app.ts'
import { createExpiringMap } from '../expiring-map.ts'
import { PAGE_HEADERS, PAGE_PATHS, readPage } from './page.ts'

export type AdminOptions = {
  readonly ready: () => boolean
  /** In Prometheus' text format. */
  readonly metrics: { readonly contentType: string; readonly metrics: () => Promise<string> }
  readonly status: () => object
  /** How a call would be treated. */
  readonly explain: (method: string, path: string) => object
  /** Drops cached RDTs, all or of one operation; returns how many, or undefined where there is no such operation. */
  readonly flush: (operation?: string) => number | undefined
  /** Begins to drain, and ends the process. */
  readonly stop: () => void
  /**
   * Told of every request that is neither a probe nor a scrape, with the status of its answer; of whoever reads again and again, once a
   * minute.
   */
  readonly onCall: (action: Action, peer: string | undefined, status: number) => void
  readonly onBug: (error: unknown) => void
  readonly now: () => number
}
const READINGS = ['page', 'status', 'explain'] as const
type Action = (typeof READINGS)[number] | 'flush' | 'shutdown' | 'unknown'

export const createAdmin = ({ ready, metrics, status, explain, flush, stop, onCall, onBug, now }: AdminOptions) => {
  const toldOfLate = createExpiringMap<object>({ maxEntries: 1000, now })
  const tell = (action: Action, peer: string | undefined, answered: number): void => {
    if (READINGS.some((reading) => reading === action)) {
      const reading = JSON.stringify([action, peer, answered])
      if (toldOfLate.get(reading)) return
      toldOfLate.set(reading, {}, MINUTE_MS)
    }
    onCall(action, peer, answered)
  }
  const told =
    (action: Action): RequestHandler =>
    (req, res, next) => {
      res.once('finish', () => tell(action, req.socket.remoteAddress, res.statusCode))
      next()
    }

  const app = createApp()
  app.use((_req, res, next) => {
    res.set(NOT_FOR_OTHER_PAGES)
    next()
  })
  let page: ReturnType<typeof readPage> | undefined
  app.get('/', told('page'))
  app.get(PAGE_PATHS as string[], (req, res, next) => {
    page ??= readPage()
    const file = page.get(req.path)
    if (file) res.set(PAGE_HEADERS).type(file.type).send(file.body)
    else next() // express takes /PAGE/main.js/ for the same
  })
  app.get('/livez', (_req, res) => {
    res.type('text').send('live\n')
  })
  app.get('/readyz', (_req, res) => {
    res
      .status(ready() ? 200 : 503)
      .type('text')
      .send(ready() ? 'ready\n' : 'not ready\n')
  })
  app.get('/metrics', async (_req, res) => {
    res.set('content-type', metrics.contentType).send(await metrics.metrics())
  })
  app.get('/status', told('status'), (_req, res) => {
    res.set('cache-control', 'no-store').json(status())
  })
  app.get('/explain', told('explain'), (req, res) => {
    const { method, path, ...others } = req.query
    res.set('cache-control', 'no-store')
    if (typeof method === 'string' && method && typeof path === 'string' && path && Object.keys(others).length === 0)
      res.json(explain(method, path))
    else
      res
        .status(400)
        .json({ error: 'say which call: /explain?method=GET&path=/orders/v0/orders (path percent-encoded)' })
  })
  app.post('/flush', told('flush'), fromThisHost, (req, res) => {
    const { operation, ...others } = req.query
    const readable = Object.keys(others).length === 0 && ['undefined', 'string'].includes(typeof operation)
    const flushed = readable ? flush(operation as string | undefined) : undefined
    if (flushed === undefined)
      res.status(400).json({ error: 'operation must be the id of one in the catalogue; there is no other option' })
    else res.json({ flushed })
  })
  app.post('/shutdown', told('shutdown'), fromThisHost, (_req, res) => {
    res.once('finish', stop)
    res.status(202).json({ state: 'draining' })
  })
  app.use(told('unknown'), (_req, res) => {
    res.status(404).json({ error: 'not found', try: ENDPOINTS })
  })
  app.use(((error, _req, res, _next) => {
    onBug(error) // express would print it, and show it to whoever asks
    if (res.headersSent) res.destroy()
    else res.status(500).json({ error: 'a bug: see the log' })
  }) satisfies ErrorRequestHandler)
  return app
}

const MINUTE_MS = 60_000

/** A browser must not take an answer for something else, nor let a page from elsewhere have it. */
const NOT_FOR_OTHER_PAGES = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
} as const

const ENDPOINTS = ['/', '/livez', '/readyz', '/metrics', '/status', '/explain', 'POST /flush', 'POST /shutdown']

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4') // IPv4-mapped IPv6 addresses count too
LOOPBACK.addAddress('::1', 'ipv6')

/** Lets peers on loopback pass. A browser there speaks for the page it shows: it says so in Origin. */
const fromThisHost = (req: Request, res: Response, next: () => void): void => {
  const peer = req.socket.remoteAddress
  const local = peer !== undefined && LOOPBACK.check(peer, isIP(peer) === 6 ? 'ipv6' : 'ipv4')
  if (local && req.headers.origin === undefined) next()
  else res.status(403).json({ error: 'only programs on the same host (or in the same pod) may do this, over loopback' })
}
