/** The composition root: builds everything from a Config, passes it in, and owns the sidecar's life. Features meet only here. */
import { createHash } from 'node:crypto'
import { createAdmin } from './admin/admin.ts'
import { statusOf } from './admin/status.ts'
import { changedKeys, needingRestart, unmade } from './config/changes.ts'
import { offLoopback } from './config/contradictions.ts'
import type { Config, LoadResult } from './config/load.ts'
import type { StoreConfig } from './config/store.ts'
import { explainCall } from './explain.ts'
import { createLwaApi } from './lwa/lwa-api.ts'
import { createSellers } from './lwa/sellers.ts'
import { createPoster } from './post.ts'
import { createCallers } from './proxy/callers.ts'
import { createHandler } from './proxy/handle.ts'
import { createBreaker } from './rdt/breaker.ts'
import { createBroker } from './rdt/broker.ts'
import { createTokenCache } from './rdt/cache.ts'
import { createCredentials } from './rdt/credential.ts'
import { createMinter } from './rdt/minter.ts'
import { type RestrictedResource, resourcesIn } from './rdt/need.ts'
import { createRefusals } from './rdt/refusals.ts'
import { createTokensApi } from './rdt/tokens-api.ts'
import { createDocuments } from './reports/documents.ts'
import { rulesOf } from './rules.ts'
import {
  type Address,
  addressOf,
  changeCertificate,
  createAdminServer,
  createDataServer,
  drained,
  open,
} from './servers.ts'
import { operationOf } from './sp-api/recognise.ts'
import { createStore, type StoreSecrets } from './store/store.ts'
import { type ConfiguredBy, createEvents } from './telemetry/events.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createStats } from './telemetry/stats.ts'

/** What a test or a host program may put in the place of the real thing. */
export type Overrides = {
  readonly fetch?: typeof fetch
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  readonly random?: () => number
  readonly logger?: Logger
}
export type Runtime = { readonly version: string; readonly nodeVersion: string }
export type Sidecar = {
  /** Opens all listeners; rejects, with all closed again, if one cannot be opened. */
  readonly listen: () => Promise<{ readonly data: readonly Address[]; readonly admin: Address }>
  /**
   * Takes over a configuration that was read again, as a whole or not at all: what is in force stays where the new one has
   * problems or needs a restart.
   */
  readonly reload: (loaded: LoadResult, by: Exclude<ConfiguredBy, 'start'>) => void
  /** Resolves when somebody in the pod has asked it to stop (POST /shutdown). */
  readonly stopAsked: Promise<void>
  /** Drains: not ready, no new calls, those in flight finished within drain.maxMs. Resolves to the number it had to cut. */
  readonly close: () => Promise<number>
  /** Logs what is not logged yet: for a process that ends. */
  readonly settle: () => void
}

export const createSidecar = (initial: Config, runtime: Runtime, overrides: Overrides = {}): Sidecar => {
  const { settings, listeners } = initial
  const { now = () => performance.now(), random = Math.random } = overrides
  const logger = overrides.logger ?? createLogger(settings.log)
  const userAgent = `rdt-sidecar/${runtime.version}`
  let config = initial
  const routeOf = (resource: Pick<RestrictedResource, 'method' | 'path'>): string =>
    operationOf(rules.catalogue, resource)?.id ?? 'other'

  const insecureListeners = initial.tls ? 0 : listeners.filter(offLoopback).length
  const metrics = createMetrics({
    ...runtime,
    routes: config.operations.map(({ id }) => id),
    callsInFlight: () => callsInFlight(),
    connections: () => data.reduce((sum, { connections }) => sum + connections(), 0),
    cacheEntries: () => cache.size(),
    queueLength: () => minter.queued(),
    secretUse: () => [...sellers.lastUse(), ...callers.lastUse()],
    store: () => store?.status(),
    insecureListeners,
  })
  const stats = createStats({ ratePerSecond: settings.mint.ratePerSecond, now })
  const events = createEvents({ metrics, stats, logger, operationOf: routeOf, now })
  const { maxEntries } = settings.cache
  const { expiryMarginMs } = settings.rdt
  const cache = createTokenCache({ maxEntries, expiryMarginMs, now, onEviction: events.tokenEvicted })
  const refusals = createRefusals({ maxEntries: REMEMBERED, now })
  const { timeoutMs } = settings.mint
  const poster = (ms: number) => createPoster({ fetch: overrides.fetch ?? fetch, timeoutMs: ms, userAgent })
  const mintPoster = poster(timeoutMs)
  const tokensApi = createTokensApi(mintPoster)
  const store =
    initial.store &&
    createStore({
      address: initial.store,
      timeoutMs: initial.store.timeoutMs,
      share: initial.store.share,
      secrets: storeSecretsOf(initial.store),
      mintMs: timeoutMs,
      refusals,
      renewal: settings.rdt,
      operationsOf: ({ resources }) => resources.map(routeOf),
      operations: () => [...config.operations.map(({ id }) => id), 'other'],
      onFlush: (operation) => drop(operation, 'replica'),
      events,
      now,
      random,
    })
  const minter = createMinter({
    tokensApi,
    plan: settings.mint,
    renewal: settings.rdt,
    refusals,
    sharedPlanOf: store?.planOf,
    events,
    now,
    random,
  })
  const broker = createBroker({
    cache,
    refusals,
    minter,
    fleet: store?.fleet,
    onLookup: events.tokenLookup,
    onBug: events.failed,
    maxWaitMs: settings.mint.maxWaitMs,
    now,
    random,
  })
  const documents = createDocuments({
    restrictedTypes: () => rules.restrictedTypes,
    maxEntries: REMEMBERED,
    now,
  })

  const credentials = createCredentials()
  const lwaPoster = poster(settings.lwa.timeoutMs)
  const sellers = createSellers({
    credentials,
    lwaApi: createLwaApi(lwaPoster, settings.lwa.endpoint),
    breaker: createBreaker({ now, random }),
    renewal: settings.rdt,
    maxWaitMs: settings.mint.maxWaitMs,
    eventsOf: (seller, credential) => ({
      lwaAsked: (...asked) => events.lwaAsked({ seller, credential: credential().id }, ...asked),
      tookOver: () => events.secretsChanged({ seller }, 'taken over'),
      fellBack: () => events.secretsChanged({ seller }, 'fell back'),
      reauthorised: () => {
        broker.disown(credential().id)
        events.secretsChanged({ seller }, 'reauthorised')
      },
      failed: events.failed,
    }),
    now,
    random,
  })
  const callers = createCallers()
  let rules = rulesOf(config, sellers, callers)

  const data = listeners.map((listener) => {
    const handler = createHandler({
      endpoint: listener.endpoint,
      unix: listener.socketPath !== undefined,
      rules: () => rules,
      credentials,
      broker,
      minter,
      documents,
      maxWaitMs: settings.mint.maxWaitMs,
      events,
      upstream: { ...settings.upstream, headerBytes: settings.limits.headerBytes },
      userAgent,
      now,
    })
    const opened = createDataServer({
      handler,
      limits: settings.limits,
      tls: listener.socketPath === undefined ? initial.tls : undefined,
      onHandshakeFailed: events.handshakeFailed,
      onConnectionRefused: events.connectionRefused,
    })
    return { listener, handler, ...opened }
  })

  const callsInFlight = (): number => data.reduce((sum, { handler }) => sum + handler.inFlight(), 0)

  const drop = (operation: string | undefined, by: 'operator' | 'replica'): number => {
    const rdts = broker.flush((key) => !operation || resourcesIn(key).some((one) => routeOf(one) === operation))
    if (operation === undefined) sellers.forget()
    events.flushed(operation ?? 'all', rdts, by)
    return rdts
  }
  const flush = (operation?: string): number | undefined => {
    if (operation !== undefined && operation !== 'other' && !config.operations.some(({ id }) => id === operation))
      return undefined
    store?.flush(operation)
    return drop(operation, 'operator')
  }

  let state: 'starting' | 'serving' | 'draining' = 'starting'
  const startedAt = now()
  const stop = Promise.withResolvers<void>()
  let opened: readonly (Address & { readonly endpoint: string })[] = [] // a server that has closed does not say where it was
  const status = () => {
    events.settle()
    return statusOf({
      facts: {
        state,
        version: runtime.version,
        uptimeSeconds: Math.round((now() - startedAt) / 1000),
        configuration: fingerprint(config),
        listeners: opened,
        managedSellers: config.sellers.length,
        cacheEntries: cache.size(),
        mintQueue: minter.queued(),
        usagePlans: minter.plans(),
        usagePlan: { ratePerSecond: settings.mint.ratePerSecond, burst: settings.mint.burst },
        store: store?.status() ?? null,
      },
      stats: stats.read(),
      operations: config.operations,
      storeAlone: store?.status().state === 'alone',
      secretsRefused: sellers.anyFallenBack(),
      insecureListeners,
      today: Date.now(),
    })
  }
  const adminServer = createAdminServer(
    createAdmin({
      ready: () => state === 'serving',
      metrics: {
        contentType: metrics.registry.contentType,
        metrics: () => {
          events.settle()
          return metrics.registry.metrics()
        },
      },
      flush,
      stop: stop.resolve,
      onCall: events.adminCalled,
      onBug: events.failed,
      status,
      explain: (method, path) =>
        explainCall({ ...rules, sandboxEndpoint: listeners[0]?.endpoint.sandbox ?? false }, method, path),
      now,
    }),
  )

  const servers = [...data, { listener: settings.admin, server: adminServer }]
  return {
    stopAsked: stop.promise,
    listen: async () => {
      await store?.begin()
      const results = await Promise.allSettled(servers.map(({ server, listener }) => open(server, listener)))
      const failure = results.find((result) => result.status === 'rejected')
      if (failure) {
        for (const { server } of servers) server.close()
        await store?.close()
        throw failure.reason
      }
      opened = data.map(({ listener, server }) => ({
        ...addressOf(server, listener),
        endpoint: listener.endpoint.origin,
      }))
      state = 'serving'
      events.configured('start', fingerprint(config), [])
      return {
        data: data.map(({ server, listener }) => addressOf(server, listener)),
        admin: addressOf(adminServer, settings.admin),
      }
    },
    reload: (loaded, by) => {
      const changed = loaded.ok ? changedKeys(config, loaded.config) : []
      const problems = loaded.ok ? [...needingRestart(changed), ...unmade(loaded.config)] : loaded.problems
      if (!loaded.ok || problems.length > 0) {
        events.misconfigured(by, problems)
        return
      }
      events.settle() // by the catalogue, level and audit stream that they ended under
      config = loaded.config
      rules = rulesOf(config, sellers, callers)
      if (changed.some((key) => key.startsWith('tls.')))
        for (const { server } of data) changeCertificate(server, config.tls)
      if (config.store && changed.some((key) => key.startsWith('store.'))) store?.change(storeSecretsOf(config.store))
      metrics.addRoutes(config.operations.map(({ id }) => id))
      const { log } = config.settings
      if (log.audit) logger.configure(log)
      events.configured(by, fingerprint(config), changed)
      logger.configure(log) // after, where it is the audit stream that ends
    },
    settle: events.settle,
    close: async () => {
      state = 'draining'
      broker.close()
      for (const { handler } of data) handler.drain()
      const { drain } = config.settings
      await Promise.all(data.map((listener) => drained(listener, listener.handler.inFlight, drain)))
      const cut = callsInFlight()
      for (const { cut: cutConnections, handler } of data) {
        cutConnections()
        handler.close()
      }
      sellers.close()
      await store?.close()
      events.settle()
      mintPoster.close()
      lwaPoster.close()
      adminServer.close()
      adminServer.closeAllConnections()
      return cut
    },
  }
}

const storeSecretsOf = ({ keys, password, ca }: StoreConfig): StoreSecrets => ({
  keys: keys.map((key) => Buffer.from(key.reveal(), 'hex')),
  password: password?.reveal(),
  ca,
})

/** Refusals, and report documents whose type is known: most of each. */
const REMEMBERED = 10_000

/** Tells two configurations apart without telling what is in them. */
const fingerprint = ({ settings, operations }: Config): string =>
  createHash('sha256')
    .update(JSON.stringify([settings, operations]))
    .digest('hex')
    .slice(0, 12)
