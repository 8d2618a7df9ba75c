/** What replicas that share a store have of each other; the store itself is none of this folder's business. */
import type { MintResult } from './desk.ts'
import type { Order } from './minter.ts'

export type Fleet = {
  /**
   * What another replica was answered, or else the answer of `mint`, which one replica at a time asks for and tells the others. Where
   * the store is out of reach, that of `mint`. Rejects only on a bug.
   */
  readonly once: (order: Order, circumstances: Circumstances, mint: () => Promise<MintResult>) => Promise<MintResult>
  /** Amazon no longer takes this RDT, whoever holds it. */
  readonly rejected: (rdt: string) => void
}

export type Circumstances = {
  /** The RDT that is to be renewed, if one is: nobody waits for another, so nobody else need wait for that mint. */
  readonly renewed: string | undefined
  /** Usable life that it has left, in milliseconds: one with less will not do either. */
  readonly leastLifeMs: number
  /** It must not be told: what was asked for is not what would be asked for now. */
  readonly stale: () => boolean
  /** Amazon has granted what was asked for. Until when that is used, on our clock in milliseconds; Infinity: as long as it lives. */
  readonly granted: () => number
  /** Nothing that others have will do: Amazon refuses the credential since. */
  readonly lost: () => boolean
}

/** One usage plan that replicas draw on together. */
export type SharedPlan = {
  /** This replica's next permit, in its turn; or, while the store is out of reach, one of its own share. Never rejects. */
  readonly permit: (drawing: Drawing) => Promise<Permit>
  /** Milliseconds until the `nth` permit from now, as was last heard; 0 where there was no wait. */
  readonly waitMs: (nth: number) => number
}

export type Drawing = {
  readonly burst: number
  /** Between two permits, by the rate that is known so far. */
  readonly intervalMs: () => number
  /** The rate a second that Amazon has named, to whomever of the replicas. */
  readonly onRate: (told: number) => void
}

export type Permit = {
  /** Others see to the waiting after a 429: it is the whole fleet's. */
  readonly shared: boolean
  /** Nobody wanted it. */
  readonly unused: () => void
  /** `told`: the rate a second that Amazon has named, if it has. */
  readonly answered: (outcome: { readonly throttled: boolean; readonly told: number | undefined }) => void
}
