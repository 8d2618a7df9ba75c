/**
 * What the admin's page and /status tell of: counts since the start, the last hour's mints, and what went wrong of late. Promises: no token,
 * seller, credential or path with ids in what `read` returns.
 */
import type { LwaAnswer } from '../lwa/lwa-api.ts'
import type { MintAnswer } from '../rdt/tokens-api.ts'
import type { ErrorName } from '../sp-api/errors.ts'
import { type Call, cured, type Failure } from './call.ts'
import { createHistory } from './history.ts'
import { createTroubles, type Kind, type Occurrence } from './troubles.ts'
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

type End = { readonly status: number; readonly at: number }
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

  const refused = (counts: OperationStats, call: Call, failure: Failure, { status, at }: End): void => {
    const { name, cause } = failure
    const code = codeIn(failure.code)
    counts.rejected += 1
    counts.lastRefusal = { reason: name, status, code, at }
    happenedTo(call, { kind: name, cause, status, code })
  }
  const happenedTo = ({ route, credential }: Call, occurrence: Omit<Occurrence, 'operation' | 'who'>): void => {
    const sign = SIGN_OF[occurrence.kind]
    const who = sign && credential && `${sign} ${credential}`
    troubles.happened({ ...occurrence, operation: route, who })
  }

  return {
    /** `at`: when it ended. */
    call: (call: Call, status: number, at: number): void => {
      const { route, verdict, failed, credential } = call
      const left = status === 499
      const counts = statsOf(route)
      calls += 1
      counts.calls += 1
      counts.lastCallAt = at
      if (call.asked && verdict !== 'unrestricted-report') counts.needed += 1
      if (verdict === 'hit' || verdict === 'minted') counts[verdict] += 1
      if (failed) refused(counts, call, failed, { status, at })
      else if (verdict === 'fallback') happenedTo(call, { kind: 'fallback', cause: call.reason })
      else if (call.replay && !left && !cured(call, status)) happenedTo(call, { kind: 'replay-failed', status })
      else if (call.answeredAt !== undefined && status >= 500 && !call.streamsMint)
        happenedTo(call, { kind: 'amazon-failing', status })
      else if (status < 400 && troubles.anyOpen())
        for (const sign of signsOf(call)) troubles.wentWell(`${sign} ${credential}`, route)
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
      const failure = { cause: outcome, status, code, who }
      if (renewal) troubles.happened({ kind: 'renewal-failed', ...failure })
      else if (outcome !== 'refused') troubles.happened({ kind: 'mint-failed', ...failure }) // what is refused to a call, the call tells
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
    valueUnreadable: (): void => troubles.happened({ kind: 'store-unreadable' }),
    connectionRefused: (): void => troubles.happened({ kind: 'connections-refused' }),
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
        /** Below zero where Amazon was asked more often than callers asked: failures are tried again, what is refused is divided. */
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

/**
 * What shows that it goes well again, for the same one and operation: an answer of Amazon's, an access token, an RDT. What is the
 * caller's own mistake has no such sign: a call without it says nothing of the next.
 */
type Sign = 'answer' | 'access' | 'mint'
const SIGN_OF: Partial<Record<Kind, Sign>> = {
  'upstream-unreachable': 'answer',
  'upstream-timeout': 'answer',
  'amazon-failing': 'answer',
  'replay-failed': 'answer',
  'lwa-refused': 'access',
  'lwa-unavailable': 'access',
  'mint-refused': 'mint',
  'mint-throttled': 'mint',
  'mint-unavailable': 'mint',
  fallback: 'mint',
}

/** Of a call that was answered well. An RDT that was there shows nothing of the next one, nor of the access token. */
const signsOf = ({ verdict, asked, answeredAt, credential }: Call): readonly Sign[] => {
  if (credential === undefined) return []
  const answer: readonly Sign[] = answeredAt === undefined ? [] : ['answer']
  if (verdict === 'hit') return answer
  const minted = verdict === 'minted' || (verdict === 'replayed' && asked !== undefined)
  return [...answer, 'access', ...(minted ? (['mint'] as const) : [])]
}

const toldOf = ({ at: _, ...refusal }: NonNullable<OperationStats['lastRefusal']>, secondsAgo: number) => ({
  ...refusal,
  secondsAgo,
})
