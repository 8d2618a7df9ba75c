/** Pure: when an RDT in use is renewed in the background, and when again if that failed. */

export type RenewalPolicy = {
  /** Share of its life past which an RDT in use is renewed; 1: never. */
  readonly refreshAfter: number
  /** Life that must be left for an RDT to be used, in milliseconds. */
  readonly expiryMarginMs: number
}

/**
 * The moment from which use renews it, spread over the first half of what is then left so that a fleet does not renew in
 * step. Never, where its life is too short. `random`: 0 to 1. An hour's RDT, 0.8, a minute's margin: from 48:00 to 53:30.
 */
export const refreshAtOf = (policy: RenewalPolicy, mintedAt: number, expiresAt: number, random: number): number => {
  const due = (expiresAt - mintedAt) * policy.refreshAfter
  const last = expiresAt - mintedAt - policy.expiryMarginMs
  return due < last ? mintedAt + due + ((last - due) / 2) * random : Number.POSITIVE_INFINITY
}

/** How long a renewal may wait for company in its mint: a quarter of what the old RDT has left. Milliseconds. */
export const patienceMs = (usableLeftMs: number): number => Math.max(0, usableLeftMs / 4)

/** The pause after the nth failed renewal in a row: 1 to 2 s, then twice as long each time, a minute at most. Milliseconds. */
export const backoffMs = (failures: number, random: number): number =>
  Math.min(1000 * 2 ** failures, 60_000) * (0.5 + random / 2)
