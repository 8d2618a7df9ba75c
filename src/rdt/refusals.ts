/**
 * Remembers what Amazon refused, so that it is not asked twice: a 400 is permanent (a few minutes, for roles are granted in
 * the end), a 403 may be a credential being replaced. A new access token is a new credential: nothing of the old is held against it.
 */
import { createExpiringMap } from '../expiring-map.ts'
import { familyOf } from './batch.ts'
import type { Credential } from './credential.ts'
import { keyOf, type Need } from './need.ts'
import { type Reach, type Refused, reachOf } from './refusal.ts'

/** Who asks for what. */
export type Question = { readonly origin: string; readonly credential: Credential; readonly need: Need }

const PERMANENT_MS = 300_000
const PASSING_MS = 10_000
const MOST_TEXT = 16_384 // Amazon's refusals have some hundred characters

export const createRefusals = (options: { readonly maxEntries: number; readonly now: () => number }) => {
  const entries = createExpiringMap<Refused>(options)
  return {
    remember: (question: Question, refusal: Refused): void => {
      if (refusal.answer.body.length > MOST_TEXT) return
      const life = refusal.status === 400 ? PERMANENT_MS : PASSING_MS
      entries.set(keyFor(reachOf(refusal), question), refusal, life)
    },
    of: (question: Question): Refused | undefined => {
      if (entries.size() === 0) return undefined
      for (const reach of ['credential', 'operation', 'resource'] as const) {
        const known = entries.get(keyFor(reach, question))
        if (known) return known
      }
      return undefined
    },
    forget: (): void => entries.clear(),
  }
}
export type Refusals = ReturnType<typeof createRefusals>

const keyFor = (reach: Reach, { origin, credential, need }: Question): string => {
  if (reach === 'credential') return JSON.stringify([origin, credential.id])
  if (reach === 'operation' && need.operation) return JSON.stringify([origin, credential.id, familyOf(need)])
  return keyOf(origin, credential.id, need)
}
