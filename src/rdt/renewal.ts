/** Pure: when an RDT in use is renewed in the background, and when again if that failed. */

export type RenewalPolicy = {
  /** Share of its life past which an RDT in use is renewed; 1: never. */
  readonly refreshAfter: number
  /** Life that must be left for an RDT to be used, in milliseconds. */
  readonly expiryMarginMs: number
}

/**
 * The moment from which use renews it, spread over the first half of what is then left so that a fleet does not renew in
 * step. Where the margin begins before that share of its life is over, it is that share of its usable life. `random`: 0 to 1.
 * An hour's RDT, 0.8, a minute's margin: from 48:00 to 53:30.
 */
export const refreshAtOf = (policy: RenewalPolicy, mintedAt: number, expiresAt: number, random: number): number => {
  const life = expiresAt - mintedAt
  const usable = life - policy.expiryMarginMs
  const share = life * policy.refreshAfter
  const due = share < usable ? share : usable * policy.refreshAfter
  return due < usable ? mintedAt + due + ((usable - due) / 2) * random : Number.POSITIVE_INFINITY
}

/** How long a renewal may wait for company in its mint: a quarter of what the old RDT has left. Milliseconds. */
export const patienceMs = (usableLeftMs: number): number => Math.max(0, usableLeftMs / 4)

/** The pause after the nth failed renewal in a row: 1 to 2 s, then twice as long each time, a minute at most. Milliseconds. */
export const backoffMs = (failures: number, random: number): number =>
  Math.min(1000 * 2 ** failures, 60_000) * (0.5 + random / 2)
