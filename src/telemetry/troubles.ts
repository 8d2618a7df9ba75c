/**
 * What went wrong of late, by kind: how often, since when, and whether it has gone well for the same one since. Forgotten a quarter of
 * an hour after its last time. Kinds, causes and operations are closed sets, so there are never many.
 */
import type { ErrorName } from '../sp-api/errors.ts'

/** An error of ours to a call, or what no call hears of. */
export type Kind =
  | ErrorName
  | 'fallback'
  | 'replay-failed'
  | 'amazon-failing'
  | 'mint-failed'
  | 'renewal-failed'
  | 'lwa-failed'
  | 'store-unreadable'
  | 'connections-refused'

/** Of something that went wrong. */
export type Occurrence = {
  readonly kind: Kind
  /** Within the kind. */
  readonly cause?: string | undefined
  /** Catalogue id, or `other`. */
  readonly operation?: string | undefined
  readonly status?: number | undefined
  /** Amazon's. */
  readonly code?: string | undefined
  /** Whose it was, where it may go well for them again. Never told. */
  readonly who?: string | undefined
}

export type Trouble = Omit<Occurrence, 'who'> & {
  readonly times: number
  readonly firstSecondsAgo: number
  readonly lastSecondsAgo: number
  /** Since its last time it went well for the one whose it was. */
  readonly wentWellSince: boolean
}

type Entry = {
  readonly last: Occurrence
  readonly times: number
  readonly firstAt: number
  readonly lastAt: number
  wentWell: boolean
}

const OPEN_MS = 900_000

export const createTroubles = ({ now }: { readonly now: () => number }) => {
  const entries = new Map<string, Entry>() // in the order of their last times: whoever floods must not have all of them looked at
  const open = new Map<string, Set<Entry>>() // that may go well, by whose they are and the operation

  const openKey = (who: string, operation = ''): string => `${operation} ${who}`
  const remove = (key: string, entry: Entry): void => {
    entries.delete(key)
    const { who, operation } = entry.last
    if (who === undefined) return
    const others = open.get(openKey(who, operation))
    others?.delete(entry)
    if (others?.size === 0) open.delete(openKey(who, operation))
  }
  const prune = (): void => {
    const at = now()
    for (const [key, entry] of entries) {
      if (at - entry.lastAt <= OPEN_MS) return
      remove(key, entry)
    }
  }
  const secondsAgo = (at: number): number => Math.round((now() - at) / 1000)

  return {
    happened: (occurrence: Occurrence): void => {
      prune()
      const { kind, cause, operation, who } = occurrence
      const key = JSON.stringify([kind, cause, operation])
      const before = entries.get(key)
      if (before) remove(key, before)
      const at = now()
      const { times = 0, firstAt = at } = before ?? {}
      const entry = { last: occurrence, times: times + 1, firstAt, lastAt: at, wentWell: false }
      entries.set(key, entry)
      if (who === undefined) return
      const others = open.get(openKey(who, operation))
      if (others) others.add(entry)
      else open.set(openKey(who, operation), new Set([entry]))
    },
    /** Whether there is anything that may go well. */
    anyOpen: (): boolean => open.size > 0,
    wentWell: (who: string, operation?: string): void => {
      const key = openKey(who, operation)
      for (const entry of open.get(key) ?? []) entry.wentWell = true
      open.delete(key)
    },
    /** The latest first; those that went well since behind the others. */
    read: (): readonly Trouble[] => {
      prune()
      const all = [...entries.values()].sort((a, b) => Number(a.wentWell) - Number(b.wentWell) || b.lastAt - a.lastAt)
      return all.map(({ last: { who: _, ...last }, times, firstAt, lastAt, wentWell }) => ({
        ...last,
        times,
        firstSecondsAgo: secondsAgo(firstAt),
        lastSecondsAgo: secondsAgo(lastAt),
        wentWellSince: wentWell,
      }))
    },
  }
}
