/** A bounded map whose entries may have a life, on lru-cache. What is used least recently goes first. */
import { LRUCache } from 'lru-cache'

export type ExpiringMapOptions = {
  readonly maxEntries: number
  /** Milliseconds, monotonic, above 0. */
  readonly now: () => number
  readonly onRemoval?: (reason: Removal) => void
}
/** Why an entry went by itself: one that is deleted or replaced is not told. */
export type Removal = 'capacity' | 'expired'

export type ExpiringMap<V> = {
  readonly get: (key: string) => V | undefined
  /** `lifeMs` must be above 0; without it the entry stays until there is no room. */
  readonly set: (key: string, value: V, lifeMs?: number) => void
  readonly delete: (key: string) => void
  readonly clear: () => void
  /** A copy, of those that still live. */
  readonly keys: () => readonly string[]
  readonly size: () => number
}

const REMOVALS: Readonly<Record<string, Removal>> = { evict: 'capacity', expire: 'expired' }

export const createExpiringMap = <V extends object>(options: ExpiringMapOptions): ExpiringMap<V> => {
  const { maxEntries, now, onRemoval } = options
  const entries = new LRUCache<string, V>({
    // Not as `max`: for that it takes the memory of all entries at once, and with it a tenth of the time to start.
    maxSize: maxEntries,
    sizeCalculation: () => 1,
    perf: { now },
    ttlResolution: 0,
    ...(onRemoval && {
      dispose: (_value: V, _key: string, reason: string) => {
        const removal = REMOVALS[reason]
        if (removal) onRemoval(removal)
      },
    }),
  })
  return {
    get: (key) => entries.get(key),
    set: (key, value, lifeMs) => {
      if (lifeMs === undefined) entries.set(key, value)
      else if (lifeMs > 0) entries.set(key, value, { ttl: lifeMs }) // lru-cache takes 0 for "for ever"
    },
    delete: (key) => {
      entries.delete(key)
    },
    clear: () => entries.clear(),
    keys: () => [...entries.keys()],
    size: () => entries.size,
  }
}
