/**
 * Remembers what Amazon refused, so that it is not asked twice: a 400 is permanent (a few minutes, for roles are granted in
 * the end), a 403 may be a credential being replaced, and what is not in Amazon's words a proxy's on the way. A new access token is
 * a new credential: nothing of the old is held against it.
 */
import { hash } from 'node:crypto'
import { createExpiringMap } from '../expiring-map.ts'
import { familyOf } from './batch.ts'
import type { Credential } from './credential.ts'
import { keyOf, type Need } from './need.ts'
import { REACHES, type Reach, type Refused, reachOf, UNEXPLAINED } from './refusal.ts'

/** Who asks for what. */
export type Question = { readonly origin: string; readonly credential: Credential; readonly need: Need }

const PERMANENT_MS = 300_000
const PASSING_MS = 10_000
const MOST_TEXT = 16_384 // Amazon's refusals have some hundred characters

/** `maxEntries`: of each reach. */
export const createRefusals = (options: { readonly maxEntries: number; readonly now: () => number }) => {
  // A map each: worthless access tokens, each refused as a whole, must not take the place of what is known of the honest.
  const known = new Map(REACHES.map((reach) => [reach, createExpiringMap<Refused>(options)] as const))
  return {
    /** `lifeMs`: what is left of it, where another replica has learned it. */
    remember: (question: Question, refusal: Refused, lifeMs = lifeOf(refusal)): void => {
      const reach = reachOf(refusal)
      known.get(reach)?.set(refusalKey(reach, question), refusal, lifeMs)
    },
    of: (question: Question): Refused | undefined => {
      for (const [reach, entries] of known) {
        const refusal = entries.size() > 0 && entries.get(refusalKey(reach, question))
        if (refusal) return refusal
      }
      return undefined
    },
    forget: (): void => {
      for (const entries of known.values()) entries.clear()
    },
  }
}
export type Refusals = ReturnType<typeof createRefusals>

/** Milliseconds for which a refusal is held against its question; 0: not at all. */
export const lifeOf = ({ status, code, answer }: Refused): number => {
  if (answer.body.length > MOST_TEXT) return 0
  return status === 400 && code !== UNEXPLAINED.code ? PERMANENT_MS : PASSING_MS
}

/** What a refusal of such reach is remembered under; `who`: the credential. As short as a digest, however long a path a caller has named. */
export const refusalKey = (reach: Reach, { origin, credential, need }: Question, who = credential.id): string => {
  if (reach === 'credential') return JSON.stringify([origin, who])
  const whole =
    reach === 'operation' && need.operation ? JSON.stringify([origin, who, familyOf(need)]) : keyOf(origin, who, need)
  return whole.length > LONG ? hash('sha256', whole, 'hex') : whole
}
const LONG = 1024
