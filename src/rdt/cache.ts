/**
 * Settled RDTs, bounded, on lru-cache. Promises: what `get` returns has more life left than the margin.
 * Does not hold mints in flight: evicting one would fail its waiters (broker.ts keeps them).
 */
import { LRUCache } from 'lru-cache'

export type CacheOptions = {
  /** Most RDTs held; the least recently used goes first. */
  readonly maxEntries: number
  /** Milliseconds, monotonic, above 0. */
  readonly now: () => number
  readonly onEviction: (reason: 'capacity' | 'expired') => void
}

export const createTokenCache = ({ maxEntries, now, onEviction }: CacheOptions) => {
  const entries = new LRUCache<string, string>({
    max: maxEntries,
    perf: { now },
    ttlResolution: 0,
    dispose: (_rdt, _key, reason) => {
      if (reason === 'evict') onEviction('capacity')
      if (reason === 'expire') onEviction('expired')
    },
  })
  return {
    get: (key: string): string | undefined => entries.get(key),
    /** `usableMs`: life left less the margin; above 0 (lru-cache takes 0 for "for ever"). */
    set: (key: string, rdt: string, usableMs: number): void => {
      if (usableMs > 0) entries.set(key, rdt, { ttl: usableMs })
    },
    size: (): number => entries.size,
  }
}
export type TokenCache = ReturnType<typeof createTokenCache>
