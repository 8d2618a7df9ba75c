/** Pure: the document that GET /status answers and the page shows, made from what the sidecar knows. Holds no token, no seller, no path with ids. */
import type { Stats } from '../telemetry/stats.ts'
import { type Condition, problemsOf } from './problems.ts'

export type StatusParts = {
  readonly facts: Facts
  readonly stats: ReturnType<Stats['read']>
  readonly operations: readonly Row[]
  readonly storeAlone: boolean
  /** Of a managed seller: those before them are used. */
  readonly secretsRefused: boolean
  readonly insecureListeners: number
  /** Milliseconds of Unix time. */
  readonly today: number
}
type Facts = {
  readonly state: 'starting' | 'serving' | 'draining'
  readonly version: string
  readonly uptimeSeconds: number
  /** Fingerprint of the one in force. */
  readonly configuration: string
  readonly listeners: readonly Listener[]
  readonly managedSellers: number
  /** RDTs in the cache. */
  readonly cacheEntries: number
  /** Resources that wait for a mint. */
  readonly mintQueue: number
  /** Plans that were drawn on of late. */
  readonly usagePlans: number
  /** As configured. */
  readonly usagePlan: { readonly ratePerSecond: number; readonly burst: number }
  readonly store: { readonly state: 'shared' | 'alone'; readonly replicas: number } | null
}
type Listener = {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly socketPath?: string | undefined
  /** Origin. */
  readonly endpoint: string
}
type Row = { readonly id: string; readonly sunset?: string | undefined }

export const statusOf = ({
  facts,
  stats,
  operations,
  storeAlone,
  secretsRefused,
  insecureListeners,
  today,
}: StatusParts) => {
  const { troubles, reloadFailed, ...told } = stats
  const conditions: Condition[] = []
  if (storeAlone) conditions.push('store-alone')
  if (secretsRefused) conditions.push('secrets-refused')
  if (isUsedUp(stats.lastHour)) conditions.push('plan-used-up')
  if (reloadFailed) conditions.push('reload-failed')
  if (insecureListeners > 0) conditions.push('plaintext')
  return {
    ...facts,
    ...told,
    problems: problemsOf(conditions, troubles),
    sunsets: sunsetsOf(operations, stats.operations, today),
  }
}

export type Status = ReturnType<typeof statusOf>

/** As the alert has it: at any moment of the last ten whole minutes a mint waited, more often than not. */
const isUsedUp = ({ waitedSeconds }: StatusParts['stats']['lastHour']): boolean => {
  const seconds = waitedSeconds.slice(-11, -1).reduce<number>((sum, one) => sum + (one ?? 0), 0)
  return seconds > 300
}

/** Days on which Amazon removes operations, with the calls to them since the start. */
const sunsetsOf = (rows: readonly Row[], counts: StatusParts['stats']['operations'], today: number) => {
  const days = Map.groupBy(rows, ({ sunset }) => sunset)
  return [...days].flatMap(([on, removed]) => {
    if (on === undefined) return []
    const called = removed.flatMap(({ id }) => counts[id] ?? [])
    const seen = called.flatMap(({ lastCallSecondsAgo }) => lastCallSecondsAgo ?? [])
    return {
      on,
      daysLeft: Math.ceil((Date.parse(on) - today) / DAY_MS),
      families: [...new Set(removed.map(({ id }) => id.split('.')[0]))],
      operations: removed.length,
      calls: called.reduce((sum, { calls }) => sum + calls, 0),
      lastCallSecondsAgo: seen.length > 0 ? Math.min(...seen) : null,
    }
  })
}
const DAY_MS = 86_400_000
