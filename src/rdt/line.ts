/**
 * Who waits for a mint of one selling partner, when the next mint is due, and who goes with it. Starts no timer and mints nothing.
 *
 * A mint leaves `windowMs` after its first resource came, or as soon as it is full. Where many come at once, small mints would
 * use up the plan's burst before the crowd has arrived: so as long as others wait or fly, each mint that is not full keeps
 * three times the distance of the one before it (15, 45, 135 ms, …, one permit's time at most). Callers go before renewals.
 */
import { pickBatch } from './batch.ts'
import type { Need } from './need.ts'

export type Waiting = {
  readonly need: Need
  /** Callers who wait for it; a renewal may have none. */
  readonly waiters: () => number
  /** When it joined, in milliseconds. */
  readonly since: number
  /** When a renewal leaves at the latest, in company or alone. */
  readonly leaveBy: number | undefined
  /** Whether it is still of use. */
  readonly wanted: () => boolean
  readonly family: string
}

export type LineOptions = {
  /** Most resources of one mint. */
  readonly maxResources: number
  readonly windowMs: number
  /** Longest distance that is kept between two mints that are not full, in milliseconds. */
  readonly maxDistanceMs: () => number
  /** So many more wait; below zero: fewer. */
  readonly onChange: (by: number) => void
  readonly now: () => number
}

/** Families that wait for one of theirs to come back. */
export type Held = { readonly size: number; readonly has: (family: string) => boolean }

const SPREAD = 3

export const createLine = <W extends Waiting>(options: LineOptions) => {
  const { maxResources, windowMs, maxDistanceMs, onChange, now } = options
  let waiting: W[] = []
  let crowd = 0 // mints that left with room to spare, though not alone
  let leftAt = Number.NEGATIVE_INFINITY

  /** The moment from which it may go alone; whom nobody waits for any more, at once: it is let go then. */
  const dueAt = ({ need, since, leaveBy, waiters, wanted }: W): number => {
    if (waiters() === 0) return wanted() ? (leaveBy ?? since) : since
    if (need.exact) return since // nothing can join it
    const distanceMs = crowd === 0 ? 0 : Math.min(windowMs * SPREAD ** crowd, maxDistanceMs())
    return Math.max(since + windowMs, leftAt + distanceMs)
  }
  const takeOut = (some: ReadonlySet<W>): void => {
    if (some.size === 0) return
    waiting = waiting.filter((one) => !some.has(one))
    onChange(-some.size)
  }

  return {
    join: (one: W): void => {
      waiting.push(one)
      onChange(1)
    },
    callers: (): number => waiting.reduce((sum, { waiters }) => sum + (waiters() > 0 ? 1 : 0), 0),
    length: (): number => waiting.length,
    of: (families: Held): readonly W[] => waiting.filter(({ family }) => families.has(family)),
    /** Takes out all of whom `which` is true. */
    remove: (which: (one: W) => boolean): readonly W[] => {
      const removed = waiting.filter(which)
      takeOut(new Set(removed))
      return removed
    },
    /** Milliseconds until the next mint is due; undefined where nobody waits whose family is not `held`. */
    dueInMs: (held: Held): number | undefined => {
      const free = held.size === 0 ? waiting : waiting.filter(({ family }) => !held.has(family))
      if (free.length === 0) return undefined
      if (free.length >= maxResources) return 0
      return Math.max(0, Math.min(...free.map(dueAt)) - now())
    },
    /** The next mint's resources, callers first. `inCompany`: others are flying. `mostUnsure`: bound of those of unsure outcome. */
    take: (held: Held, { inCompany, mostUnsure }: { inCompany: boolean; mostUnsure: number }): readonly W[] => {
      const free = waiting.filter(({ family }) => !held.has(family))
      const callers = free.filter(({ waiters }) => waiters() > 0)
      const renewals = free.filter(({ waiters }) => waiters() === 0)
      const at = now()
      const first = callers.find((one) => dueAt(one) <= at) ?? callers[0] ?? renewals[0]
      if (!first) return []
      const others = [...callers, ...renewals].filter((one) => one !== first)
      const most = first.need.unsure ? Math.min(mostUnsure, maxResources) : maxResources
      const batch = pickBatch([first, ...others], most)
      takeOut(new Set(batch))
      if (batch.length < most) crowd = batch.length > 1 || inCompany ? crowd + 1 : Math.max(0, crowd - 1)
      leftAt = at
      return batch
    },
  }
}
