/**
 * One usage plan for all replicas: a bucket at the store, in which they queue up. While the store is out of reach each replica takes
 * its own share of the plan.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Credential, identityOf } from '../rdt/credential.ts'
import type { Drawing, Permit, SharedPlan } from '../rdt/fleet.ts'
import type { Ask } from './ask.ts'
import type { Sealer } from './sealer.ts'

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

type TakeAnswer = readonly [kind: 'granted' | 'queued', told: string, fullInMs: number, number: string | number]

const SHORTEST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000 // scripts.ts takes who is silent for three times as long for gone

export const createSharedPlan = (options: SharedPlanOptions): SharedPlan => {
  const { ask, sealer, replica, origin, credential, leaseMs, now } = options
  let freeAt = 0 // when the next permit is to be had, as was last heard
  let paceMs = 0 // between that and the one after it
  let fullAt = 0 // when the bucket at the store is full again, as was last heard
  let ownFullAt = 0 // when all of this replica's own share is back, where it used some of which the store has not heard
  let ownUsed = 0 // whose mints are not answered
  let last: Promise<unknown> = Promise.resolve()

  const acquire = async (drawing: Drawing): Promise<Permit> => {
    const { burst, intervalMs, onRate } = drawing
    for (;;) {
      const lease = randomUUID()
      const names = sealer().names('plan', JSON.stringify([origin, identityOf(credential)]))
      const own = Math.max(0, ownFullAt - Math.max(fullAt, now())) * options.share()
      const args = [burst, intervalMs(), replica, lease, leaseMs, Math.max(0, fullAt - now()), own]
      const answer = await ask('quota', 'take', names, args, taken, (late) => {
        const [kind, , , granted] = late as TakeAnswer
        if (kind === 'granted') sharedPermit(drawing, names, lease, granted).unused() // it was gone on without
      })
      if (!answer) {
        const permit = ownPermit(drawing)
        if (permit) return permit
      } else {
        const [kind, told, fullInMs, number] = answer
        fullAt = now() + fullInMs
        ownFullAt = 0
        if (told !== '') onRate(Number(told))
        if (kind === 'granted') {
          freeAt = 0
          return sharedPermit(drawing, names, lease, number)
        }
        freeAt = now() + Number(number)
        paceMs = intervalMs()
      }
      const pauseMs = Math.min(Math.max(freeAt - now(), SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS)
      await delay(pauseMs, undefined, { ref: false })
    }
  }

  const sharedPermit = (
    { burst, intervalMs }: Drawing,
    names: readonly string[],
    lease: string,
    granted: string | number,
  ): Permit => {
    const settle = (outcome: 'unused' | 'answered' | 'throttled', told?: number): void =>
      void ask(
        'quota',
        'settle',
        names,
        [burst, intervalMs(), lease, granted, outcome, told ?? '', options.random()],
        settled,
      )
    return {
      shared: true,
      unused: () => settle('unused'),
      answered: ({ throttled, told }) => settle(throttled ? 'throttled' : 'answered', told),
    }
  }

  /**
   * Of a bucket of its own, as small as its share, which refills as slowly; from the answer on, as the whole one does. It begins as full
   * as that was.
   */
  const ownPermit = ({ burst, intervalMs }: Drawing): Permit | undefined => {
    const share = options.share()
    const interval = intervalMs() / share
    const back = Math.max(ownFullAt, fullAt, now())
    const owed = Math.ceil((back - now()) / interval)
    const lacking = ownUsed + owed + 1 - Math.max(1, Math.floor(burst * share))
    if (lacking > 0) {
      freeAt = back + (lacking - owed) * interval
      paceMs = interval
      return undefined
    }
    freeAt = 0
    ownUsed += 1
    return {
      shared: false,
      unused: () => {
        ownUsed -= 1
      },
      answered: () => {
        ownUsed -= 1
        ownFullAt = Math.max(ownFullAt, fullAt, now()) + interval
      },
    }
  }

  return {
    // One at a time: the store lets replicas in, one after the other, not their mints.
    permit: (drawing) => {
      const next = last.then(() => acquire(drawing))
      last = next.then(nothing, nothing) // not the permit, which knows the limiter that drew it
      return next
    },
    waitMs: (nth) => (freeAt <= now() ? 0 : freeAt - now() + (nth - 1) * paceMs),
  }
}

const nothing = (): void => {}

const taken = (answer: unknown) => {
  const result = answer as TakeAnswer
  return { outcome: result[0], result }
}
const settled = () => ({ outcome: 'settled' as const, result: undefined })
