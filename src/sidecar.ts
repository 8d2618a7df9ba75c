/** The composition root: builds everything from a Config, passes it in, and owns the sidecar's life. Features meet only here. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createAdmin } from './admin/admin.ts'
import { createApp } from './app.ts'
import type { Config, Listener } from './config/load.ts'
import { createHandler, type Handler } from './proxy/handle.ts'
import { createBroker } from './rdt/broker.ts'
import { createTokenCache } from './rdt/cache.ts'
import { createCredentials } from './rdt/credential.ts'
import { createMinter } from './rdt/minter.ts'
import { createRefusals } from './rdt/refusals.ts'
import { createTokensApi } from './rdt/tokens-api.ts'
import { createDocuments } from './reports/documents.ts'
import { createCatalogue } from './sp-api/operations.ts'
import { createEvents } from './telemetry/events.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'

/** What a test or a host program may put in the place of the real thing. */
export type Overrides = {
  readonly fetch?: typeof fetch
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  readonly random?: () => number
  readonly logger?: Logger
}
export type Runtime = { readonly version: string; readonly nodeVersion: string }
export type Address = { readonly host: string; readonly port: number }
export type Sidecar = {
  /** Opens all listeners; rejects, with all closed again, if one cannot be opened. */
  readonly listen: () => Promise<{ readonly data: readonly Address[]; readonly admin: Address }>
  /** Drains: not ready, no new calls, those in flight finished within drain.maxMs. Resolves to the number it had to cut. */
  readonly close: () => Promise<number>
}

export const createSidecar = (config: Config, runtime: Runtime, overrides: Overrides = {}): Sidecar => {
  const { settings, operations, listeners } = config
  const { now = () => performance.now(), random = Math.random } = overrides
  const logger = overrides.logger ?? createLogger(settings.log.level)
  const userAgent = `rdt-sidecar/${runtime.version}`

  const metrics = createMetrics({
    ...runtime,
    routes: operations.map(({ id }) => id),
    cacheEntries: () => cache.size(),
    queueLength: () => minter.queued(),
  })
  const events = createEvents({ metrics, logger, now })
  const { maxEntries } = settings.cache
  const { expiryMarginMs } = settings.rdt
  const cache = createTokenCache({ maxEntries, expiryMarginMs, now, onEviction: events.tokenEvicted })
  const refusals = createRefusals({ maxEntries: REMEMBERED, now })
  const tokensApi = createTokensApi({
    fetch: overrides.fetch ?? fetch,
    timeoutMs: settings.mint.timeoutMs,
    userAgent,
  })
  const minter = createMinter({
    tokensApi,
    plan: settings.mint,
    renewal: settings.rdt,
    refusals,
    events,
    now,
    random,
  })
  const broker = createBroker({
    cache,
    refusals,
    minter,
    onLookup: events.tokenLookup,
    onBug: events.failed,
    maxWaitMs: settings.mint.maxWaitMs,
    dropRefusedElements: settings.rdt.onRefusedElements === 'drop',
    now,
    random,
  })
  const { restrictedTypes } = settings.reports
  const documents = createDocuments({ restrictedTypes, maxEntries: REMEMBERED, now })

  const catalogue = createCatalogue(operations)
  const credentials = createCredentials()
  const data = listeners.map((listener) => {
    const handler = createHandler({
      endpoint: listener.endpoint,
      catalogue,
      policy: settings.rdt,
      credentials,
      broker,
      minter,
      documents,
      serveTokensApi: settings.mint.serveTokensApi,
      maxWaitMs: settings.mint.maxWaitMs,
      events,
      upstream: { ...settings.upstream, headerBytes: settings.limits.headerBytes },
      ...settings.limits,
      userAgent,
      now,
    })
    return { listener, handler, server: dataServer(handler, settings.limits.headerBytes) }
  })

  let state: 'starting' | 'serving' | 'draining' = 'starting'
  const startedAt = now()
  const adminServer = createServer(
    createAdmin({
      ready: () => state === 'serving',
      metrics: metrics.registry,
      status: () => ({
        state,
        version: runtime.version,
        uptimeSeconds: Math.round((now() - startedAt) / 1000),
        listeners: data.map(({ listener, server }) => ({
          ...addressOf(server, listener),
          endpoint: listener.endpoint.origin,
        })),
        cacheEntries: cache.size(),
        ...events.summary(),
        mintQueue: minter.queued(),
        usagePlans: minter.plans(),
        configuration: fingerprint(settings),
      }),
    }),
  )

  const servers = [...data, { listener: settings.admin, server: adminServer }]
  return {
    listen: async () => {
      const results = await Promise.allSettled(servers.map(({ server, listener }) => open(server, listener)))
      const failure = results.find((result) => result.status === 'rejected')
      if (failure) {
        for (const { server } of servers) server.close()
        throw failure.reason
      }
      state = 'serving'
      return {
        data: data.map(({ server, listener }) => addressOf(server, listener)),
        admin: addressOf(adminServer, settings.admin),
      }
    },
    close: async () => {
      state = 'draining'
      broker.close()
      for (const { handler } of data) handler.drain()
      await Promise.all(data.map(({ server }) => drained(server, settings.drain.maxMs)))
      const cut = data.reduce((sum, { handler }) => sum + handler.inFlight(), 0)
      for (const { server, handler } of data) {
        server.closeAllConnections()
        handler.close()
      }
      adminServer.close()
      adminServer.closeAllConnections()
      return cut
    },
  }
}

/** Refusals, and report documents whose type is known: most of each. */
const REMEMBERED = 10_000

const TIMES = {
  keepAliveTimeout: 75_000, // longer than callers' pools keep a connection, so that it is they who close it
  requestTimeout: 0, // bodies of any size, at any speed; headersTimeout stays
}

const dataServer = (handler: Handler, maxHeaderSize: number): Server => {
  const app = createApp()
  const serve = (req: IncomingMessage, res: ServerResponse) =>
    handler.handle(req, res).catch((error: unknown) => handler.fail(res, error))
  app.use(serve)
  // Express answers a target that is no path by itself.
  const server = createServer({ maxHeaderSize, ...TIMES }, (req, res) =>
    (req.url?.startsWith('/') ? app : serve)(req, res),
  )
  server.maxHeadersCount = 0 // bounded by bytes; a count would drop headers silently
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => handler.refuse(socket as Socket, error.code))
  return server
}

const open = (server: Server, { host, port }: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** Resolves when the last connection is closed, or when `maxMs` is over. */
const drained = (server: Server, maxMs: number): Promise<void> =>
  new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 50)
    const stop = () => {
      clearInterval(idle)
      clearTimeout(limit)
      resolve()
    }
    const limit = setTimeout(stop, maxMs)
    server.close(stop)
  })

const addressOf = (server: Server, { host }: Pick<Listener, 'host'>): Address => {
  const address = server.address()
  return { host, port: typeof address === 'object' && address ? address.port : 0 }
}

/** Tells two configurations apart without telling what is in them. */
const fingerprint = (settings: Config['settings']): string =>
  createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12)
