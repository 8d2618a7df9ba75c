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
  | 'mint-failed'
  | 'lwa-failed'
  | 'secrets-refused'
  | 'store-unreadable'

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
  /** Whose it was. Never told. */
  readonly who?: string | undefined
}

export type Trouble = Omit<Occurrence, 'who'> & {
  readonly times: number
  readonly firstSecondsAgo: number
  readonly lastSecondsAgo: number
  /** Since its last time it went well for the one whose it was. */
  readonly wentWellSince: boolean
}

type Entry = { last: Occurrence; times: number; firstAt: number; lastAt: number; wentWell: boolean }

const OPEN_MS = 900_000

export const createTroubles = ({ now }: { readonly now: () => number }) => {
  const entries = new Map<string, Entry>()

  const prune = (): void => {
    for (const [key, { lastAt }] of entries) if (now() - lastAt > OPEN_MS) entries.delete(key)
  }
  const secondsAgo = (at: number): number => Math.round((now() - at) / 1000)

  return {
    happened: (occurrence: Occurrence): void => {
      prune()
      const { kind, cause, operation } = occurrence
      const key = JSON.stringify([kind, cause, operation])
      const { times = 0, firstAt = now() } = entries.get(key) ?? {}
      entries.set(key, { last: occurrence, times: times + 1, firstAt, lastAt: now(), wentWell: false })
    },
    wentWell: (who: string | undefined, operation?: string): void => {
      if (entries.size === 0 || who === undefined) return
      for (const entry of entries.values())
        if (entry.last.who === who && entry.last.operation === operation) entry.wentWell = true
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
