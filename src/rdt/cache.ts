/**
 * Settled RDTs by key, bounded. Promises: what `get` returns has more life left than the margin; evicting a token evicts it
 * under all its keys, and no newer one. Does not hold mints in flight: evicting one would fail its waiters (broker.ts keeps them).
 */
import { createExpiringMap } from '../expiring-map.ts'

/** One answer of the Tokens API; the resources of a shared mint share it. */
export type Rdt = {
  readonly token: string
  /** On the minter's clock, in milliseconds; absent where Amazon did not say: use once, do not cache. */
  readonly expiresAt?: number
  /** When one in use is due for renewal. */
  readonly refreshAt?: number
  /** How many resources it opens. */
  readonly resources: number
}

/** An RDT under one key. */
export type Entry = {
  readonly rdt: Rdt
  /** No later use: expiry less the margin, or earlier where it is kept for less long. */
  readonly usableUntil: number
  /** Moved on by a renewal that failed. */
  refreshAt: number
  failedRefreshes: number
}

/** `rejected`: Amazon no longer took it, or the access token that it was had by. `flushed`: an operator's wish. */
export type Eviction = 'capacity' | 'expired' | 'rejected' | 'flushed'

export type CacheOptions = {
  /** Most entries held; the least recently used goes first. */
  readonly maxEntries: number
  /** An RDT is never used with less life left, in milliseconds. */
  readonly expiryMarginMs: number
  /** Milliseconds, monotonic, above 0. */
  readonly now: () => number
  readonly onEviction: (reason: Eviction) => void
}

export const createTokenCache = ({ maxEntries, expiryMarginMs, now, onEviction }: CacheOptions) => {
  // Of shared ones only: 100,000 entries here would double the time of a full garbage collection.
  const keysOf = new WeakMap<Rdt, string[]>()
  const entries = createExpiringMap<Entry>({ maxEntries, now, onRemoval: onEviction })
  const drop = (key: string, reason: Eviction): void => {
    entries.delete(key)
    onEviction(reason)
  }
  return {
    get: (key: string): Entry | undefined => entries.get(key),
    /** `until`: not to be used later, whatever its life. */
    set: (key: string, rdt: Rdt, until = Number.POSITIVE_INFINITY): void => {
      const { expiresAt, refreshAt = Number.POSITIVE_INFINITY } = rdt
      if (expiresAt === undefined) return
      const usableUntil = Math.min(expiresAt - expiryMarginMs, until)
      entries.set(key, { rdt, usableUntil, refreshAt, failedRefreshes: 0 }, usableUntil - now())
      if (rdt.resources > 1) keysOf.set(rdt, [...(keysOf.get(rdt) ?? []), key])
    },
    /** Drops `token`, and all that shares it, if it is still what the key holds: a newer one stays. */
    evict: (key: string, token: string): void => {
      const rdt = entries.get(key)?.rdt
      if (rdt?.token !== token) return
      for (const shared of keysOf.get(rdt) ?? [key]) if (entries.get(shared)?.rdt === rdt) drop(shared, 'rejected')
    },
    /** Drops what is held under the keys that match; returns how many. */
    flush: (matches: (key: string) => boolean, reason: Eviction = 'flushed'): number => {
      const keys = entries.keys().filter(matches)
      for (const key of keys) drop(key, reason)
      return keys.length
    },
    size: (): number => entries.size(),
  }
}
export type TokenCache = ReturnType<typeof createTokenCache>
