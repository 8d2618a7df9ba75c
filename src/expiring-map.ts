/** A bounded map whose entries may have a life, on lru-cache. What is used least recently goes first. */
import { LRUCache } from 'lru-cache'

export type ExpiringMapOptions = {
  readonly maxEntries: number
  /** Milliseconds, monotonic, above 0. */
  readonly now: () => number
  readonly onRemoval?: (reason: Removal) => void
}
/** `deleted`: asked for. An entry that is replaced is not removed. */
export type Removal = 'capacity' | 'expired' | 'deleted'

export type ExpiringMap<V> = {
  readonly get: (key: string) => V | undefined
  /** `lifeMs` must be above 0; without it the entry stays until there is no room. */
  readonly set: (key: string, value: V, lifeMs?: number) => void
  readonly delete: (key: string) => void
  readonly size: () => number
}

const REMOVALS: Readonly<Record<string, Removal>> = { evict: 'capacity', expire: 'expired', delete: 'deleted' }

export const createExpiringMap = <V extends object>(options: ExpiringMapOptions): ExpiringMap<V> => {
  const { maxEntries, now, onRemoval } = options
  const entries = new LRUCache<string, V>({
    max: maxEntries,
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
    size: () => entries.size,
  }
}
