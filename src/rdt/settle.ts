/**
 * What becomes of a mint that has left: it is tried again where that can help and somebody still waits, and taken apart where
 * Amazon refuses it for the sake of one resource, until the guilty are found and the innocent have theirs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { divide } from './batch.ts'
import type { Breaker } from './breaker.ts'
import type { Attempt, MintResult, Place, Places } from './desk.ts'
import { NOT_WANTED } from './limiter.ts'
import type { Progress } from './minter.ts'
import type { Refused } from './refusal.ts'
import type { Refusals } from './refusals.ts'
import type { MintAnswer } from './tokens-api.ts'

export type SettlerOptions = {
  readonly inTurn: InTurn
  readonly breaker: Breaker
  readonly refusals: Refusals
  readonly attempt: (places: Places) => Promise<Attempt>
  readonly onOutcome: (place: Place, outcome: 'minted' | 'refused') => void
  readonly tell: (places: Places, progress: Progress) => void
  readonly random: () => number
}
/** Makes a mint when the usage plan allows it; see limiter.ts. */
export type InTurn = (
  mint: () => Promise<Attempt>,
  wanted: () => boolean,
  priority?: number,
) => Promise<Attempt | typeof NOT_WANTED>
type Standing = Exclude<MintResult, { kind: 'throttled' }>

// Three attempts, 100 to 400 ms apart: what passes by is passed, what lasts is told.
const MAX_FAILURES = 3
const BACKOFF_MS = 200
const RETRY_FIRST = 4 // below bottleneck's default of 5: whoever was tried before goes before newcomers

export const createSettler = (options: SettlerOptions) => {
  const { inTurn, breaker, refusals, attempt, tell } = options

  /** Answers them all; `first` is the answer that has come already. Resolves to whether all of them were minted. */
  const settle = async (places: Places, first?: Attempt): Promise<boolean> => {
    const [answer, left] = await persist(places, first)
    if (answer.kind === 'refused') {
      await blame(left, answer)
      return false
    }
    for (const place of left) {
      if (answer.kind === 'minted') options.onOutcome(place, 'minted')
      place.done(answer)
    }
    return answer.kind === 'minted' && left.length === places.length
  }

  /** Amazon refuses something among them. Where the one half is minted, it is in the other, which need not be asked for as a whole. */
  const blame = async (places: Places, refusal: Refused): Promise<void> => {
    const parts = divide(places, refusal)
    if (!parts) {
      for (const place of places) {
        refusals.remember(place, refusal)
        options.onOutcome(place, 'refused')
        place.done(refusal)
      }
      return
    }
    const [half, suspects] = parts
    if (await settle(half)) await blame(suspects, refusal)
    else await settle(suspects)
  }

  /** Tries until an answer stands or nobody waits. Resolves to it and to those whom it is for; the others have left. */
  const persist = async (places: Places, first?: Attempt): Promise<[Standing, Places]> => {
    let left = places
    let failures = 0
    const wanted = (): boolean => {
      left = left.filter((one) => {
        const is = one.wanted()
        if (!is) one.done(UNWANTED)
        return is
      })
      return left.length > 0
    }
    for (let answer = first; ; ) {
      if (answer && stands(answer)) return [answer, left]
      if (answer?.kind === 'throttled') tell(left, 'throttled')
      else if (answer && answer.kind !== 'stale_access') {
        failures += 1
        const why = reasonOf(answer)
        tell(left, { failed: why })
        if (failures === MAX_FAILURES || breaker.openForMs() > 0)
          return [{ kind: 'unavailable', why, retryAfterS: retryAfterS(breaker.openForMs()) }, left]
        await delay(BACKOFF_MS * failures * (0.5 + options.random() / 2))
      }
      const next = await inTurn(() => attempt(left), wanted, RETRY_FIRST)
      if (next === NOT_WANTED) return [UNWANTED, []]
      answer = next
    }
  }

  return settle
}

type Final = Extract<Attempt, { kind: 'minted' | 'refused' | 'access-refused' | 'access-unavailable' }>

const stands = (answer: Attempt): answer is Final =>
  ['minted', 'refused', 'access-refused', 'access-unavailable'].includes(answer.kind)

/** Everybody has left. */
export const UNWANTED = { kind: 'unwanted' } as const

/** Whole seconds, one at the least. */
export const retryAfterS = (ms: number): number => Math.max(1, Math.ceil(ms / 1000))

const reasonOf = (answer: Extract<MintAnswer, { kind: 'server_error' | 'network' | 'bad_response' }>): string => {
  if (answer.kind === 'server_error') return `the Tokens API answered ${answer.status}`
  if (answer.kind === 'bad_response') return `the Tokens API answered ${answer.status} without a readable token`
  return answer.timedOut
    ? 'the Tokens API did not answer in time'
    : `the Tokens API cannot be reached (${answer.cause})`
}
