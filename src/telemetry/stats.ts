/**
 * What the admin's page and /status tell of: counts since the start, the last hour's mints, and what went wrong of late. Promises: no token,
 * seller, credential or path with ids in what `read` returns.
 */
import type { LwaAnswer } from '../lwa/lwa-api.ts'
import type { MintAnswer } from '../rdt/tokens-api.ts'
import type { ErrorName } from '../sp-api/errors.ts'
import { type Call, cured } from './call.ts'
import { createHistory } from './history.ts'
import { createTroubles } from './troubles.ts'
import { codeIn } from './words.ts'

export type StatsOptions = {
  /** Of the usage plan that is configured. */
  readonly ratePerSecond: number
  readonly now: () => number
}

export type Lookup = 'hit' | 'miss' | 'coalesced' | 'negative'

type OperationStats = {
  calls: number
  /** Calls that were to go out with an RDT; those whose RDT was cached; those that waited for a mint. */
  needed: number
  hit: number
  minted: number
  /** Answered with an error of ours. */
  rejected: number
  /** createRestrictedDataToken requests that held a resource of it. */
  mints: number
  lastCallAt?: number
  lastRefusal?: {
    readonly reason: string
    readonly status: number
    readonly code?: string | undefined
    readonly at: number
  }
}

/** One createRestrictedDataToken. `expected`: a refusal that is an answer, not a trouble. */
export type MintTold = {
  readonly credential: string | undefined
  readonly operations: readonly string[]
  readonly outcome: MintAnswer['kind']
  readonly status?: number | undefined
  readonly code?: string | undefined
  /** Nobody's call hears of its failure. */
  readonly renewal: boolean
  readonly expected: boolean
  readonly ratePerSecond?: number
}

type LastError = { readonly at: string; readonly outcome: string; readonly status?: number; readonly code?: string }

export const createStats = ({ ratePerSecond, now }: StatsOptions) => {
  const lookups: Record<Lookup, number> = { hit: 0, miss: 0, coalesced: 0, negative: 0 }
  const operations = new Map<string, OperationStats>()
  const history = createHistory({ ratePerSecond, now })
  const troubles = createTroubles({ now })
  let calls = 0
  let mints = 0
  let lastMintError: LastError | undefined
  let lastLwaError: LastError | undefined
  let reloadFailed = false

  const statsOf = (operation: string): OperationStats => {
    const known = operations.get(operation)
    if (known) return known
    const made = { calls: 0, needed: 0, hit: 0, minted: 0, rejected: 0, mints: 0 }
    operations.set(operation, made)
    return made
  }
  const secondsAgo = (at: number): number => Math.round((now() - at) / 1000)

  const refused = (
    counts: OperationStats,
    { route, credential }: Call,
    failure: NonNullable<Call['failed']>,
    status: number,
  ): void => {
    const { name, cause } = failure
    const code = codeIn(failure.code)
    counts.rejected += 1
    counts.lastRefusal = { reason: name, status, code, at: now() }
    troubles.happened({ kind: name, cause, operation: route, status, code, who: credential })
  }

  return {
    call: (call: Call, status: number): void => {
      const { route, verdict, failed, credential } = call
      const counts = statsOf(route)
      calls += 1
      counts.calls += 1
      counts.lastCallAt = now()
      if (call.asked) counts.needed += 1
      if (verdict === 'hit' || verdict === 'minted') counts[verdict] += 1
      if (failed) refused(counts, call, failed, status)
      else if (verdict === 'fallback')
        troubles.happened({ kind: 'fallback', cause: call.reason, operation: route, who: credential })
      else if (call.replay && !cured(call, status))
        troubles.happened({ kind: 'replay-failed', operation: route, status, who: credential })
      else if (call.answeredAt !== undefined && status < 400) troubles.wentWell(credential, route)
    },
    /** Bytes that were no request. */
    unreadable: (kind: ErrorName): void => troubles.happened({ kind }),
    lookup: (result: Lookup): void => {
      lookups[result] += 1
    },
    mint: ({
      credential = '',
      operations,
      outcome,
      status,
      code,
      renewal,
      expected,
      ratePerSecond,
    }: MintTold): void => {
      mints += 1
      for (const operation of operations) statsOf(operation).mints += 1
      history.minted(credential, { throttled: outcome === 'throttled' }, ratePerSecond)
      const who = `mint ${credential}`
      if (outcome === 'success') troubles.wentWell(who)
      if (outcome === 'success' || expected) return
      lastMintError = { at: new Date().toISOString(), outcome, ...(status && { status }), ...(code && { code }) }
      // what is refused to a call, the call tells
      if (outcome !== 'refused' || renewal)
        troubles.happened({ kind: 'mint-failed', cause: outcome, status, code, who })
    },
    mintsWaiting: history.waiting,
    mintWaited: history.waited,
    lwa: (seller: string, outcome: LwaAnswer['kind'], status: number | undefined): void => {
      const who = `lwa ${seller}`
      if (outcome === 'success') {
        troubles.wentWell(who)
        return
      }
      lastLwaError = { at: new Date().toISOString(), outcome, ...(status !== undefined && { status }) }
      troubles.happened({ kind: 'lwa-failed', cause: outcome, status, who })
    },
    /** Whether secrets that have changed work. */
    secrets: (seller: string, work: boolean): void => {
      const who = `secrets ${seller}`
      if (work) troubles.wentWell(who)
      else troubles.happened({ kind: 'secrets-refused', who })
    },
    valueUnreadable: (): void => troubles.happened({ kind: 'store-unreadable' }),
    reloaded: (inForce: boolean): void => {
      reloadFailed = !inForce
    },

    /** Times as seconds ago: whoever reads it may have another clock. */
    read: () => {
      const { hit, miss, coalesced, negative } = lookups
      const needed = hit + miss + coalesced + negative
      return {
        calls,
        lookups: { ...lookups },
        hitRatio: needed === 0 ? null : hit / needed,
        mints,
        mintsSaved: needed - mints,
        operations: Object.fromEntries(
          [...operations].map(([id, { lastCallAt, lastRefusal, ...counts }]) => [
            id,
            {
              ...counts,
              lastCallSecondsAgo: lastCallAt === undefined ? null : secondsAgo(lastCallAt),
              lastRefusal: lastRefusal ? toldOf(lastRefusal, secondsAgo(lastRefusal.at)) : null,
            },
          ]),
        ),
        lastMintError: lastMintError ?? null,
        lastLwaError: lastLwaError ?? null,
        lastHour: history.read(),
        troubles: troubles.read(),
        reloadFailed,
      }
    },
  }
}
export type Stats = ReturnType<typeof createStats>

const toldOf = ({ at: _, ...refusal }: NonNullable<OperationStats['lastRefusal']>, secondsAgo: number) => ({
  ...refusal,
  secondsAgo,
})
