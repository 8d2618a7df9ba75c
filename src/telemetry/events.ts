/**
 * What happens, told once: one function an event, which counts it and writes its log line together.
 * Promises: no token, path with ids, query or body in either.
 */
import type { Standing } from '../lwa/account.ts'
import type { LwaAnswer } from '../lwa/lwa-api.ts'
import type { Eviction } from '../rdt/cache.ts'
import type { Order, Trigger } from '../rdt/minter.ts'
import type { MintAnswer } from '../rdt/tokens-api.ts'
import type { ErrorName } from '../sp-api/errors.ts'
import type { StoreOperation, StoreOutcome } from '../store/ask.ts'
import { auditOfCall, auditOfMint, type OperationOf } from './audit.ts'
import { type Call, cured, overheadOf, streamedOutcome, upstreamOf } from './call.ts'
import type { Logger } from './logger.ts'
import { type Metrics, TRIGGERS } from './metrics.ts'
import type { Lookup, MintTold, Stats } from './stats.ts'
import { bugIn, requestIdIn } from './words.ts'

export type UpstreamFailure = 'connect' | 'timeout' | 'reset' | 'other'

const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])

/** What had the configuration read. */
export type ConfiguredBy = 'start' | 'signal' | 'file'

export type EventsOptions = {
  readonly metrics: Metrics
  readonly stats: Stats
  readonly logger: Logger
  readonly operationOf: OperationOf
  readonly now: () => number
}

/** A managed seller as the configuration names it, and its credential's id. */
export type WhoseToken = { readonly seller: string; readonly credential: string }

const SECRETS_CHANGED = {
  'taken over': ['info', 'new secrets work: they have taken the place of those before'],
  'fell back': ['warn', 'Login with Amazon refuses the configured secrets: those before them still work, and are used'],
  reauthorised: ['info', 'access tokens come by another refresh token: RDTs minted before are dropped'],
} as const

const TELL_EVERY_MS = 10

type Ended = { readonly call: Call; readonly status: number; readonly aborted: boolean; readonly at: number }

export const createEvents = ({ metrics, stats, logger, operationOf, now }: EventsOptions) => {
  let unreadableToldUntil = 0 // one a minute is enough

  const countCall = (call: Call, status: number, at: number): void => {
    const { startedAt, route, method, verdict } = call
    const overheadMs = overheadOf(call)
    stats.call(call, status, at)
    metrics.requests.inc({ route, method, code: String(status), verdict })
    metrics.duration.observe({ route }, (at - startedAt) / 1000)
    if (overheadMs !== undefined) metrics.overhead.observe(overheadMs / 1000)
    if (call.replay) metrics.replays.inc({ outcome: cured(call, status) ? 'cured' : 'failed' })
  }

  const tellCall = (call: Call, status: number, at: number): void => {
    const { startedAt, route, method, verdict, reason, caller, credential, requestId } = call
    const durations = {
      ms: tenth(at - startedAt),
      waitMs: tenth(call.waitedMs),
      overheadMs: tenth(overheadOf(call)),
      upstreamMs: tenth(upstreamOf(call)),
    }
    logger.info({ route, method, status, verdict, reason, caller, credential, requestId, ...durations }, 'call')
    const record = auditOfCall(call, status, operationOf)
    if (record) logger.audit(record.event, record.fields)
  }

  const rejected = (name: ErrorName): void => {
    metrics.rejections.inc({ reason: name })
  }

  const countMint = (told: MintTold, trigger: Trigger, tookMs: number): void => {
    const { outcome } = told
    stats.mint(told)
    metrics.mints.inc({ outcome, trigger })
    metrics.mintDuration.observe(tookMs / 1000)
    if (outcome === 'success') metrics.lastMint.set(Date.now() / 1000)
  }

  /** What it asked for was not read; nor is it known what became of it where its caller left. */
  const mintStreamed = (call: Call, status: number): void => {
    const outcome = streamedOutcome(call, status)
    const { forwardedAt = 0, answeredAt = now(), credential, requestId } = call
    const expected = outcome === 'refused'
    const told = { credential, operations: [], status, renewal: false, expected }
    if (outcome !== 'abandoned') countMint({ ...told, outcome }, 'caller', answeredAt - forwardedAt)
    logger.audit('mint', { trigger: 'caller', credential, outcome, requestId })
  }

  // Together: one by one, amid other work, each costs twice as much to tell.
  let ended: Ended[] = []
  const settle = (): void => {
    const all = ended
    ended = []
    for (const one of all) tell(one)
  }
  const tell = ({ call: told, status, aborted, at }: Ended): void => {
    const method = METHODS.has(told.method) ? told.method : 'other'
    const call = { ...told, method, requestId: requestIdIn(told.requestId) }
    if (aborted) metrics.aborts.inc()
    countCall(call, status, at)
    tellCall(call, status, at)
    if (call.streamsMint && call.forwardedAt !== undefined) mintStreamed(call, status)
  }

  return {
    /** Counts and logs the calls that have just ended: for who reads, and for a process that ends. */
    settle,

    /** `aborted`: the caller left before the answer was sent; counted as 499, as nginx does. */
    callEnded: (call: Call, sentStatus: number, aborted: boolean): void => {
      if (ended.length === 0) setTimeout(settle, TELL_EVERY_MS)
      ended.push({ call, status: aborted ? 499 : sentStatus, aborted, at: now() })
    },

    /** Bytes that were no request. */
    unreadable: (name: ErrorName): void => {
      rejected(name)
      stats.unreadable(name)
      logger.audit('refusal', { outcome: `rejected;${name}` })
    },

    rejected,

    upstreamFailed: (reason: UpstreamFailure, code: string): void => {
      metrics.upstreamErrors.inc({ reason })
      logger.warn({ reason, code }, 'the call to SP-API failed')
    },

    tokenLookup: (result: Lookup): void => {
      metrics.lookups.inc({ result })
      stats.lookup(result)
    },

    tokenEvicted: (reason: Eviction): void => {
      metrics.evictions.inc({ reason })
    },

    mintWaited: (ms: number): void => {
      metrics.queueWait.observe(ms / 1000)
      stats.mintWaited(ms)
    },

    mintsWaiting: stats.mintsWaiting,

    mintAttempted: (orders: readonly Order[], answer: MintAnswer, tookMs: number, ratePerSecond: number): void => {
      const outcome = answer.kind
      const trigger = TRIGGERS.find((one) => orders.some((order) => order.trigger === one)) ?? 'miss'
      const resources = orders.reduce((sum, { need }) => sum + need.resources.length, 0)
      metrics.mintResources.observe(resources)
      const record = auditOfMint(orders, answer, operationOf)
      const { credential, status, code, requestId } = record
      // A report document that turns out to need no RDT was asked for to find that out: no trouble.
      const expected = outcome === 'refused' && orders.every(({ need }) => need.unsure)
      const operations = [...new Set(record.resources.map(({ operation }) => operation))]
      const told = {
        credential,
        operations,
        outcome,
        status,
        code,
        renewal: trigger === 'refresh',
        expected,
        ratePerSecond,
      }
      countMint(told, trigger, tookMs)
      const fields = { outcome, trigger, resources, credential, ms: tenth(tookMs) }
      logger.audit('mint', { trigger, ...record })
      if (outcome === 'success') {
        logger.info(fields, 'mint')
        return
      }
      logger[expected ? 'info' : 'warn']({ ...fields, status, code, requestId }, 'mint')
    },

    /** For an access token of a managed seller. `standing`: with the configured secrets, or with those before them. */
    lwaAsked: ({ seller, credential }: WhoseToken, answer: LwaAnswer, standing: Standing, tookMs: number): void => {
      const { kind: outcome, status } = { status: undefined, ...answer }
      const cause = answer.kind === 'network' ? answer.cause : undefined
      metrics.lwaRequests.inc({ outcome, secret: standing })
      metrics.lwaDuration.observe(tookMs / 1000)
      const fields = { seller, credential: credential.slice(0, 8), outcome, secrets: standing, status, cause }
      stats.lwa(seller, outcome, status)
      logger[outcome === 'success' ? 'info' : 'warn']({ ...fields, ms: tenth(tookMs) }, 'access token')
      logger.audit('access-token', fields)
    },

    /** What became of secrets that have changed. */
    secretsChanged: ({ seller }: Pick<WhoseToken, 'seller'>, outcome: keyof typeof SECRETS_CHANGED): void => {
      const [level, text] = SECRETS_CHANGED[outcome]
      logger[level]({ seller }, text)
    },

    /** A connection to a TLS listener that came to nothing. */
    handshakeFailed: (code: string): void => {
      logger[code === 'ECONNRESET' ? 'debug' : 'info']({ code }, 'TLS handshake failed') // some look only whether the port is open
    },

    connectionRefused: (): void => {
      metrics.connectionsRefused.inc()
      stats.connectionRefused()
    },

    storeAsked: (operation: StoreOperation, outcome: StoreOutcome, tookMs: number): void => {
      metrics.storeOperations.inc({ operation, outcome })
      if (outcome !== 'skipped') metrics.storeDuration.observe({ operation }, tookMs / 1000)
    },

    /** `share`: of the usage plan, that this replica takes meanwhile. */
    storeLost: (code: string, share: number): void => {
      logger.warn({ code, share }, 'the store is out of reach: calls go on from memory, with a share of the usage plan')
    },

    storeFound: (): void => {
      logger.info({}, 'the store is back')
    },

    /** Tampered with, or sealed with a key of which this replica has none. */
    valueUnreadable: (): void => {
      metrics.storeUnreadable.inc()
      stats.valueUnreadable()
      if (now() < unreadableToldUntil) return
      unreadableToldUntil = now() + 60_000
      logger.warn({}, 'a value in the store cannot be read: it is taken for none')
    },

    /** `operation`: a catalogue id, or all. `by`: who was asked, this replica or another one. */
    flushed: (operation: string, rdts: number, by: 'operator' | 'replica'): void => {
      logger.info({ operation, rdts, by }, 'flushed')
      logger.audit('flush', { operation, rdts, by, outcome: 'flushed' })
    },

    /** Probes and scrapes are none: they show nothing of anybody and change nothing. */
    adminCalled: (action: string, peer: string | undefined, status: number): void => {
      logger.audit('admin', { action, peer, status })
    },

    /** `changed`: keys. At the start, none. */
    configured: (by: ConfiguredBy, configuration: string, changed: readonly string[]): void => {
      metrics.lastReload.set(1)
      stats.reloaded(true)
      if (by !== 'start') logger.info({ by, configuration, changed }, 'configuration reloaded')
      logger.audit('configuration', { by, configuration, changed, outcome: 'in force' })
    },

    /** A reload that is not taken over: what was in force stays. */
    misconfigured: (
      by: ConfiguredBy,
      problems: readonly { readonly path: string; readonly message: string }[],
    ): void => {
      metrics.lastReload.set(0)
      stats.reloaded(false)
      const texts = problems.map(({ path, message }) => `${path}: ${message}`)
      logger.error({ by, problems: texts }, 'configuration not reloaded: what was in force stays')
      logger.audit('configuration', { by, problems: texts, outcome: 'refused' })
    },

    failed: (error: unknown): void => {
      logger.error({ stack: bugIn(error) }, 'a bug: the call failed inside the sidecar')
    },
  }
}
export type Events = ReturnType<typeof createEvents>

const tenth = (ms: number | undefined): number | undefined => ms && Math.round(ms * 10) / 10
