/**
 * The one door to RDTs: cached and renewed in the background while in use, refused as Amazon refused before, or minted once for
 * all who wait. Promises: a caller waits no longer than `maxWaitMs`; one who leaves fails nobody else; eviction never touches a
 * mint in flight; a renewal that fails is felt only when the old RDT ends, unless Amazon refuses a caller's access token itself:
 * then nothing that was had by it is used any more, nor is it an hour after the first RDT that was (standing.ts).
 */
import { MOST_PATH } from '../sp-api/operations.ts'
import type { Entry, Eviction, Rdt, TokenCache } from './cache.ts'
import type { MintResult } from './desk.ts'
import type { Circumstances, Fleet } from './fleet.ts'
import type { Minter, Order, Progress, Trigger } from './minter.ts'
import { asksFor, credentialIn, keyOf, type Need, servedBy, without } from './need.ts'
import { refusedElements } from './refusal.ts'
import type { Question, Refusals } from './refusals.ts'
import { backoffMs, patienceMs } from './renewal.ts'
import { createStandings } from './standing.ts'

export type RdtResult =
  | {
      readonly kind: 'token'
      readonly rdt: Rdt
      readonly from: 'hit' | 'minted'
      /** What it was asked for: the need, less the elements that Amazon refused where these are dropped. */
      readonly need: Need
    }
  | Exclude<MintResult, { kind: 'minted' | 'unwanted' }>
  | { readonly kind: 'abandoned' }

export type RdtRequest = Question & {
  readonly trigger: Exclude<Trigger, 'refresh'>
  /** Ask again without the data elements that Amazon refuses. */
  readonly dropRefusedElements?: boolean
  /** Subscribes to the caller's leaving. */
  readonly whenGone: (listener: () => void) => void
}

export type BrokerOptions = {
  readonly cache: TokenCache
  readonly refusals: Refusals
  readonly minter: Minter
  /** Other replicas, where there is a store that they share. */
  readonly fleet?: Fleet | undefined
  readonly onLookup: (result: 'hit' | 'miss' | 'coalesced' | 'negative') => void
  readonly maxWaitMs: number
  /** A renewal, which nobody waits for, failed by a fault of ours. */
  readonly onBug: (error: unknown) => void
  readonly now: () => number
  readonly random: () => number
}

type Minted = Extract<MintResult, { kind: 'minted' }>

type Flight = {
  readonly result: Promise<MintResult>
  readonly renews: boolean
  waiters: number
  progress: Progress
  /** When it came to that, in milliseconds. */
  progressAt: number
  /** Asked for before a flush. */
  stale?: boolean
}

export const createBroker = (options: BrokerOptions) => {
  const { cache, refusals, minter, fleet, onLookup, maxWaitMs, now } = options
  const flights = new Map<string, Flight>()
  const standings = createStandings(now)
  let closed = false

  const start = (key: string, question: Question, trigger: Trigger, renewing?: Entry): Flight => {
    const { credential } = question
    const current = () => renewing !== undefined && !closed && cache.get(key) === renewing
    const order: Order = {
      ...question,
      trigger,
      waiters: () => flight.waiters,
      wanted: () => flight.waiters > 0 || current(),
      leaveBy: renewing && now() + patienceMs(renewing.usableUntil - now()),
      onProgress: (progress) => {
        flight.progress = progress
        flight.progressAt = now()
      },
    }
    const ask = () => minter.mint(order)
    const circumstances: Circumstances = {
      renewed: renewing?.rdt.token,
      leastLifeMs: renewing ? renewing.usableUntil - now() : 0,
      stale: () => flight.stale === true,
      granted: () => standings.granted(credential),
      lost: () => standings.lost(credential),
    }
    const mint = async (): Promise<MintResult> => {
      try {
        const result = await (fleet ? fleet.once(order, circumstances, ask) : ask())
        if (result.kind === 'minted' && !flight.stale) keep(question, result)
        else if (result.kind === 'refused' && standings.refused(credential, result)) drop(credential.id, 'rejected')
        return result
      } finally {
        if (flights.get(key) === flight) flights.delete(key)
      }
    }
    // The mint starts a microtask later, when `flight` exists and its first waiter is counted.
    const result = Promise.resolve().then(mint)
    const renews = renewing !== undefined
    const flight: Flight = { result, renews, waiters: 0, progress: 'throttled', progressAt: now() }
    flights.set(key, flight)
    return flight
  }

  const keep = ({ origin, credential, need }: Question, { rdt, elsewhere }: Minted): void => {
    const until = elsewhere
      ? standings.grantedElsewhere(credential, elsewhere.usableUntil)
      : standings.granted(credential)
    if (need.resources.some(({ path }) => path.length > MOST_PATH)) return
    for (const served of servedBy(need)) cache.set(keyOf(origin, credential.id, served), rdt, until)
  }

  const drop = (credentialId: string, reason: Eviction): void => {
    cache.flush((key) => credentialIn(key) === credentialId, reason)
  }

  const renew = async (key: string, question: Question, entry: Entry): Promise<void> => {
    if (closed || flights.has(key)) return
    const { kind } = await start(key, question, 'refresh', entry).result
    if (kind === 'minted' || kind === 'unwanted') return
    entry.failedRefreshes += 1
    entry.refreshAt = now() + backoffMs(entry.failedRefreshes, options.random())
  }

  const join = (key: string, request: RdtRequest): Flight => {
    const flying = flights.get(key)
    onLookup(flying ? 'coalesced' : 'miss')
    return flying ?? start(key, request, request.trigger)
  }

  const wait = (flight: Flight, request: RdtRequest, until: number): Promise<MintResult | { kind: 'abandoned' }> =>
    new Promise((resolve, reject) => {
      let waiting = true
      const leave = (result: MintResult | { kind: 'abandoned' }) => {
        if (!waiting) return
        waiting = false
        clearTimeout(timer)
        flight.waiters -= 1
        resolve(result)
      }
      const from = now()
      const timer = setTimeout(() => leave(overdue(flight, from, now())), Math.max(0, until - from))
      request.whenGone(() => leave({ kind: 'abandoned' }))
      flight.waiters += 1
      if (flight.renews && flight.waiters === 1) minter.hurry(request)
      flight.result.then(leave, reject)
    })

  const find = (request: RdtRequest, askedAt: number): RdtResult | Promise<RdtResult> => {
    const { origin, credential, need } = request
    const key = keyOf(origin, credential.id, need)
    const entry = cache.get(key)
    if (entry && suits(entry.rdt, need)) {
      onLookup('hit')
      if (askedAt >= entry.refreshAt) renew(key, request, entry).catch(options.onBug)
      return { kind: 'token', rdt: entry.rdt, from: 'hit', need }
    }
    const refused = refusals.of(request)
    if (refused) {
      onLookup('negative')
      return refused
    }
    return findMinted(key, request, askedAt)
  }

  const findMinted = async (key: string, request: RdtRequest, askedAt: number): Promise<RdtResult> => {
    const { need } = request
    const result = await wait(join(key, request), request, askedAt + maxWaitMs)
    if (result.kind === 'unwanted') return find(request, askedAt) // joined the moment after the last one had left
    if (result.kind !== 'minted') return result
    if (!suits(result.rdt, need)) return find(request, askedAt) // joined a mint that was shared with others
    return { kind: 'token', rdt: result.rdt, from: result.elsewhere ? 'hit' : 'minted', need }
  }

  const findLean = async (request: RdtRequest, askedAt: number): Promise<RdtResult> => {
    const asked = lean(request)
    const result = await find(asked, askedAt)
    return result.kind === 'refused' && lean(asked) !== asked ? findLean(asked, askedAt) : result
  }

  /** The request less the elements that Amazon is known to refuse. */
  const lean = (request: RdtRequest): RdtRequest => {
    const refusal = refusals.of(request)
    const elements = refusal ? refusedElements(refusal) : []
    if (!asksFor(request.need, elements)) return request
    return lean({ ...request, need: without(request.need, elements) })
  }

  /** What was asked for before serves those alone who wait for it by now. */
  const outdate = (which: (key: string, flight: Flight) => boolean): void => {
    for (const [key, flight] of flights) {
      if (!which(key, flight)) continue
      flight.stale = true
      flights.delete(key)
    }
    refusals.forget()
  }

  /** A token or why there is none, at once where that is known; rejects only on a bug. */
  const get = (request: RdtRequest): RdtResult | Promise<RdtResult> =>
    request.dropRefusedElements ? findLean(request, now()) : find(request, now())

  return {
    get,
    /** Amazon no longer takes `token`: another one, minted once for all who say so. */
    replace: (request: RdtRequest, token: string): RdtResult | Promise<RdtResult> => {
      cache.evict(keyOf(request.origin, request.credential.id, request.need), token)
      fleet?.rejected(token)
      return get(request)
    },
    /**
     * Drops the RDTs under the keys that match, and forgets all refusals. A mint that Amazon has been asked for still serves those
     * who wait for it by now: nothing asked for before serves a call that comes after. Returns how many keys were dropped.
     */
    flush: (matches: (key: string) => boolean): number => {
      outdate((key, { progress }) => progress === 'attempting' && matches(key)) // what waits in line is asked for afterwards
      return cache.flush(matches)
    },
    /** The credential now speaks for somebody else, perhaps: nothing that was asked for before serves a call that comes after. */
    disown: (credentialId: string): void => {
      outdate((key) => credentialIn(key) === credentialId)
      drop(credentialId, 'flushed')
    },
    /** From now on nothing is renewed. */
    close: (): void => {
      closed = true
    },
  }
}
export type Broker = ReturnType<typeof createBroker>

/** An RDT to hand over opens what was asked for and nothing else. */
const suits = (rdt: Rdt, need: Need): boolean => !need.exact || rdt.resources === need.resources.length

/**
 * Why a caller's patience ran out: a mint that fails or hangs is Amazon's trouble, as is an access token that does not come; waiting
 * for its turn is the usage plan's, also where the turn came at last and the caller had waited longer for it than for the answer.
 */
const overdue = ({ progress, progressAt }: Flight, from: number, at: number): MintResult => {
  if (progress === 'throttled') return { kind: 'throttled', retryAfterS: 1 }
  if (progress !== 'attempting') {
    if ('noAccess' in progress) return { kind: 'access-unavailable', why: progress.noAccess, retryAfterS: 1 }
    return { kind: 'unavailable', why: progress.failed, retryAfterS: 1 }
  }
  if (progressAt - from > at - progressAt) return { kind: 'throttled', retryAfterS: 1 }
  return { kind: 'unavailable', why: 'the Tokens API did not answer in time', retryAfterS: 1 }
}
