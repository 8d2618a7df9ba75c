/**
 * The one door to RDTs: cached, or minted once for all who wait. Promises: a caller waits no longer than `maxWaitMs`;
 * one who leaves fails nobody else; eviction never touches a mint in flight.
 */
import type { TokenCache } from './cache.ts'
import type { Credential } from './credential.ts'
import type { Minter, MintResult, Progress } from './minter.ts'
import { keyOf, type Need } from './need.ts'

type Abandoned = { readonly kind: 'abandoned' }
export type RdtResult =
  | { readonly kind: 'token'; readonly rdt: string; readonly from: 'hit' | 'minted' }
  | Exclude<MintResult, { kind: 'minted' | 'unwanted' }>
  | Abandoned

export type RdtRequest = {
  readonly origin: string
  readonly credential: Credential
  readonly need: Need
  /** Subscribes to the caller's leaving. */
  readonly whenGone: (listener: () => void) => void
}

export type BrokerOptions = {
  readonly cache: TokenCache
  readonly minter: Minter
  readonly onLookup: (result: 'hit' | 'miss' | 'coalesced') => void
  readonly maxWaitMs: number
  /** An RDT is never used from the cache with less life left, in milliseconds. */
  readonly expiryMarginMs: number
  readonly now: () => number
}

type Flight = {
  readonly result: Promise<MintResult>
  waiters: number
  progress: Progress
}

export const createBroker = ({ cache, minter, onLookup, maxWaitMs, expiryMarginMs, now }: BrokerOptions) => {
  const flights = new Map<string, Flight>()

  const take = (key: string, request: RdtRequest): Flight => {
    const flying = flights.get(key)
    onLookup(flying ? 'coalesced' : 'miss')
    if (flying) return flying
    const order = {
      ...request,
      wanted: () => flight.waiters > 0,
      onProgress: (progress: Progress) => {
        flight.progress = progress
      },
    }
    const start = async (): Promise<MintResult> => {
      try {
        const result = await minter.mint(order)
        if (result.kind === 'minted') keep(key, result)
        return result
      } finally {
        flights.delete(key)
      }
    }
    // The mint starts a microtask later, when `flight` exists and its first waiter is counted.
    const flight: Flight = { result: Promise.resolve().then(start), waiters: 0, progress: 'throttled' }
    flights.set(key, flight)
    return flight
  }

  const keep = (key: string, { rdt, expiresAt }: Extract<MintResult, { kind: 'minted' }>): void => {
    if (expiresAt !== undefined) cache.set(key, rdt, expiresAt - expiryMarginMs - now())
  }

  const wait = (flight: Flight, whenGone: RdtRequest['whenGone']): Promise<MintResult | Abandoned> =>
    new Promise((resolve, reject) => {
      let waiting = true
      const leave = (result: MintResult | Abandoned) => {
        if (!waiting) return
        waiting = false
        clearTimeout(timer)
        flight.waiters -= 1
        resolve(result)
      }
      const timer = setTimeout(() => leave(overdue(flight.progress)), maxWaitMs)
      whenGone(() => leave({ kind: 'abandoned' }))
      flight.waiters += 1
      flight.result.then(leave, reject)
    })

  /** Resolves to a token or to why there is none; rejects only on a bug. */
  const get = async (request: RdtRequest): Promise<RdtResult> => {
    const key = keyOf(request.origin, request.credential.id, request.need)
    const cached = cache.get(key)
    if (cached !== undefined) {
      onLookup('hit')
      return { kind: 'token', rdt: cached, from: 'hit' }
    }
    const result = await wait(take(key, request), request.whenGone)
    if (result.kind === 'unwanted') return get(request) // joined the moment after the last one had left
    return result.kind === 'minted' ? { kind: 'token', rdt: result.rdt, from: 'minted' } : result
  }

  return { get }
}
export type Broker = ReturnType<typeof createBroker>

/** Why a caller's patience ran out: a mint that fails or hangs is Amazon's trouble, waiting for its turn the usage plan's. */
const overdue = (progress: Progress): MintResult => {
  if (progress === 'throttled') return { kind: 'throttled', retryAfterS: 1 }
  const why = progress === 'attempting' ? 'the Tokens API did not answer in time' : progress.failed
  return { kind: 'unavailable', why, retryAfterS: 1 }
}
