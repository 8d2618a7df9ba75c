/**
 * Every metric on prom-client, on a registry of its own. Label values are closed sets; every series exists from the start
 * (rdt_http_requests_total alone excepted), so that a rate over it is right from the first event on.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { ERROR_NAMES } from '../sp-api/errors.ts'
import type { StoreOperation, StoreOutcome } from '../store/ask.ts'

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const RESOURCES = [1, 2, 5, 10, 20, 30, 40, 50]
const FINE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1]

export const OUTCOMES = ['success', 'refused', 'throttled', 'server_error', 'network', 'bad_response'] as const
export const TRIGGERS = ['miss', 'refresh', 'replay', 'caller'] as const

export const LWA_OUTCOMES = [
  'success',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'refused',
  'throttled',
  'server_error',
  'network',
  'bad_response',
] as const

/** What the store is asked, and what may come of it. */
const STORE_OUTCOMES: Readonly<Record<StoreOperation, readonly StoreOutcome[]>> = {
  claim: ['hit', 'unfit', 'won', 'held'],
  put: ['ok'],
  release: ['ok'],
  quota: ['granted', 'queued', 'settled'],
  beat: ['ok'],
  flush: ['ok'],
}
const STORE_FAILURES: readonly StoreOutcome[] = ['timeout', 'error', 'skipped']

export type MetricsOptions = {
  /** Catalogue ids; `other` is added. */
  readonly routes: readonly string[]
  readonly version: string
  readonly nodeVersion: string
  readonly callsInFlight: () => number
  /** Of callers. */
  readonly connections: () => number
  readonly cacheEntries: () => number
  readonly queueLength: () => number
  /** When each secret last worked, in seconds of Unix time, by its place in the configuration. */
  readonly secretUse: () => readonly (readonly [secret: string, at: number])[]
  /** Data listeners that take plaintext from other machines. */
  readonly insecureListeners: number
  /** Undefined where none is configured. */
  readonly store: () => { readonly state: 'shared' | 'alone'; readonly replicas: number } | undefined
}

export const createMetrics = (options: MetricsOptions) => {
  const { routes, version, nodeVersion, callsInFlight, connections, cacheEntries, queueLength } = options
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const counter = <L extends string>(name: string, help: string, label: L, values: readonly string[]) => {
    const made = new Counter({ name, help, labelNames: [label], registers })
    for (const value of values) made.inc({ [label]: value } as Record<L, string>, 0)
    return made
  }
  const gauge = (name: string, help: string, read?: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      ...(read && {
        collect() {
          this.set(read())
        },
      }),
    })
  const histogram = (name: string, help: string, buckets: number[]) => new Histogram({ name, help, buckets, registers })

  const duration = new Histogram({
    name: 'rdt_http_request_duration_seconds',
    help: 'Time from a call arriving to its answer being sent, by route.',
    labelNames: ['route'],
    buckets: SECONDS,
    registers,
  })
  const known = new Set<string>()
  const addRoutes = (added: readonly string[]): void => {
    for (const route of added) {
      if (!known.has(route)) duration.zero({ route }) // it would set back what was counted
      known.add(route)
    }
  }
  addRoutes([...routes, 'other'])

  const mints = new Counter({
    name: 'rdt_mint_requests_total',
    help: 'createRestrictedDataToken calls, by how Amazon answered and why they were made.',
    labelNames: ['outcome', 'trigger'],
    registers,
  })
  for (const outcome of OUTCOMES) for (const trigger of TRIGGERS) mints.inc({ outcome, trigger }, 0)

  new Gauge({
    name: 'rdt_build_info',
    help: 'Version of the sidecar and of Node.js; always 1.',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version, node_version: nodeVersion }, 1)
  const lwaRequests = new Counter({
    name: 'rdt_lwa_requests_total',
    help: 'Requests to Login with Amazon for access tokens of managed sellers, by its answer and by whether the configured secrets were used or those before them.',
    labelNames: ['outcome', 'secret'],
    registers,
  })
  for (const outcome of LWA_OUTCOMES)
    for (const secret of ['current', 'previous']) lwaRequests.inc({ outcome, secret }, 0)
  new Gauge({
    name: 'rdt_secret_last_success_timestamp_seconds',
    help: 'Unix time at which each configured secret was last used with success; 0 before the first.',
    labelNames: ['secret'],
    registers,
    collect() {
      this.reset()
      for (const [secret, at] of options.secretUse()) this.set({ secret }, at)
    },
  })
  const storeOperations = new Counter({
    name: 'rdt_store_operations_total',
    help: 'Questions to the store that replicas share, by what came of them.',
    labelNames: ['operation', 'outcome'],
    registers,
  })
  const storeDuration = new Histogram({
    name: 'rdt_store_operation_duration_seconds',
    help: 'Time of one question to the store, where it was asked.',
    labelNames: ['operation'],
    buckets: FINE_SECONDS,
    registers,
  })
  for (const [operation, outcomes] of Object.entries(STORE_OUTCOMES)) {
    storeDuration.zero({ operation })
    for (const outcome of [...outcomes, ...STORE_FAILURES]) storeOperations.inc({ operation, outcome }, 0)
  }
  gauge('rdt_store_unreachable', 'Whether a store is configured and out of reach.', () =>
    options.store()?.state === 'alone' ? 1 : 0,
  )
  gauge(
    'rdt_store_replicas',
    'Replicas last seen sharing the store, this one included; 0 without one.',
    () => options.store()?.replicas ?? 0,
  )
  gauge('rdt_insecure_listeners', 'Data listeners that take plaintext from other machines.').set(
    options.insecureListeners,
  )
  gauge('rdt_http_requests_in_flight', 'Calls being served.', callsInFlight)
  gauge('rdt_connections', 'Connections of callers that are open.', connections)
  gauge('rdt_token_cache_entries', 'RDTs in the cache.', cacheEntries)
  gauge('rdt_mint_queue_length', 'Resources waiting to be minted.', queueLength)
  const lastReload = gauge(
    'rdt_config_last_reload_successful',
    'Whether what the configuration files say is in force: 1, or 0 since a reload failed.',
  )
  lastReload.set(1) // the sidecar does not start without

  return {
    registry,
    /** Routes of a catalogue that has changed; those it had stay. */
    addRoutes,
    lastReload,
    requests: new Counter({
      name: 'rdt_http_requests_total',
      help: 'Calls answered, by route, method, status code and verdict.',
      labelNames: ['route', 'method', 'code', 'verdict'],
      registers,
    }),
    duration,
    overhead: histogram(
      'rdt_http_overhead_seconds',
      'Time the sidecar itself added to a call, waiting for mints apart.',
      FINE_SECONDS,
    ),
    rejections: counter(
      'rdt_http_rejections_total',
      'Calls the sidecar answered with an error of its own.',
      'reason',
      ERROR_NAMES,
    ),
    aborts: new Counter({
      name: 'rdt_http_client_aborts_total',
      help: 'Callers who left before their answer was sent.',
      registers,
    }),
    connectionsRefused: new Counter({
      name: 'rdt_connections_refused_total',
      help: 'Connections that were closed because there were too many.',
      registers,
    }),
    upstreamErrors: counter('rdt_upstream_errors_total', 'Calls that failed on the way to SP-API.', 'reason', [
      'connect',
      'timeout',
      'reset',
      'other',
    ]),
    lookups: counter('rdt_token_lookups_total', 'Questions for an RDT, by how they were answered.', 'result', [
      'hit',
      'miss',
      'coalesced',
      'negative',
    ]),
    evictions: counter('rdt_token_evictions_total', 'RDTs dropped from the cache.', 'reason', [
      'capacity',
      'expired',
      'rejected',
      'flushed',
    ]),
    replays: counter(
      'rdt_replays_total',
      'Calls sent a second time because Amazon no longer took their RDT, by whether that helped.',
      'outcome',
      ['cured', 'failed'],
    ),
    storeOperations,
    storeDuration,
    storeUnreadable: new Counter({
      name: 'rdt_store_unreadable_total',
      help: 'Values in the store that could not be read: taken for none.',
      registers,
    }),
    lwaRequests,
    lwaDuration: histogram('rdt_lwa_request_duration_seconds', 'Time of one request to Login with Amazon.', SECONDS),
    mints,
    mintResources: histogram('rdt_mint_resources', 'Resources of one createRestrictedDataToken call.', RESOURCES),
    mintDuration: histogram('rdt_mint_duration_seconds', 'Time of one createRestrictedDataToken call.', SECONDS),
    queueWait: histogram('rdt_mint_queue_wait_seconds', 'Time a mint waited for the usage plan.', SECONDS),
    lastMint: gauge(
      'rdt_mint_last_success_timestamp_seconds',
      'Unix time of the last successful mint; 0 before the first.',
    ),
  }
}
export type Metrics = ReturnType<typeof createMetrics>
