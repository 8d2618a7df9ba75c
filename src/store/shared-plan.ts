/**
 * One usage plan for all replicas: a bucket at the store, in which they queue up. While the store is out of reach each replica takes
 * its own share of the plan.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Credential, identityOf } from '../rdt/credential.ts'
import type { Permit, SharedPlan } from '../rdt/fleet.ts'
import type { Sealer } from './sealer.ts'
import type { Ask } from './store.ts'

export type SharedPlanOptions = {
  readonly ask: Ask
  readonly sealer: () => Sealer
  readonly replica: string
  readonly origin: string
  readonly credential: Credential
  /** After so many milliseconds the permit of a replica that has died comes back: no mint takes longer. */
  readonly leaseMs: number
  /** Of the plan, while the store is out of reach: above 0, at most 1. */
  readonly share: () => number
  readonly now: () => number
  readonly random: () => number
}

const SHORTEST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000 // scripts.ts takes who is silent for three times as long for gone

export const createSharedPlan = (options: SharedPlanOptions): SharedPlan => {
  const { ask, sealer, replica, origin, credential, leaseMs, now } = options
  let freeAt = 0 // when the next permit is to be had, as was last heard
  let ownFullAt = 0 // when this replica's own share is whole again
  let last: Promise<unknown> = Promise.resolve()

  const acquire = async (burst: number, intervalMs: number): Promise<Permit> => {
    const lease = randomUUID()
    for (;;) {
      const names = sealer().names('plan', JSON.stringify([origin, identityOf(credential)]))
      const answer = await ask('quota', 'take', names, [leaseMs, burst, intervalMs, replica, lease])
      if (!answer) {
        const own = ownPermit(burst, intervalMs)
        if (own) return own
      } else {
        const [kind, told, number] = answer as readonly [string, string, string | number]
        const rate = told === '' ? undefined : Number(told)
        if (kind === 'granted') {
          freeAt = 0
          return sharedPermit(names, lease, String(number), rate, burst, intervalMs)
        }
        freeAt = now() + Number(number)
      }
      await delay(Math.min(Math.max(freeAt - now(), SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS))
    }
  }

  const sharedPermit = (
    names: readonly string[],
    lease: string,
    granted: string,
    told: number | undefined,
    burst: number,
    usedMs: number,
  ): Permit => {
    const settle = (outcome: string, rate: number | undefined, intervalMs: number): void => {
      const args = [leaseMs, burst, intervalMs, lease, granted, outcome, rate ?? '', options.random()]
      void ask('quota', 'settle', names, args)
    }
    return {
      told,
      shared: true,
      unused: () => settle('unused', undefined, usedMs),
      answered: ({ throttled, told: rate, intervalMs }) =>
        settle(throttled ? 'throttled' : 'answered', rate, intervalMs),
    }
  }

  /** As of a small bucket of its own, which refills as slowly as the share is small. */
  const ownPermit = (burst: number, intervalMs: number): Permit | undefined => {
    const share = options.share()
    const own = intervalMs / share
    const room = (Math.max(1, Math.floor(burst * share)) - 1) * own
    const at = now()
    if (ownFullAt > at + room) {
      freeAt = ownFullAt - room
      return undefined
    }
    freeAt = 0
    ownFullAt = Math.max(ownFullAt, at) + own
    return {
      told: undefined,
      shared: false,
      unused: () => {
        ownFullAt -= own
      },
      answered: () => {},
    }
  }

  return {
    // One at a time: the store lets replicas in, one after the other, not their mints.
    permit: (burst, intervalMs) => {
      const next = last.then(() => acquire(burst, intervalMs))
      last = next
      return next
    },
    waitMs: () => Math.max(0, freeAt - now()),
  }
}
