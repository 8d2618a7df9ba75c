/**
 * The mints of one selling partner at one endpoint: everybody who waits is answered, with as few of them as possible.
 * Of a family of resources that Amazon has not yet granted this credential, one mint flies ahead alone: were it refused, all
 * the others would be. Rejects only on a bug.
 */
import { familyOf } from './batch.ts'
import type { Breaker } from './breaker.ts'
import type { Rdt } from './cache.ts'
import type { NoAccess } from './credential.ts'
import { type Limiter, NOT_WANTED } from './limiter.ts'
import { createLine, type Waiting } from './line.ts'
import type { Order, Progress } from './minter.ts'
import type { Refused } from './refusal.ts'
import type { Refusals } from './refusals.ts'
import { createSettler, type InTurn, retryAfterS, UNWANTED } from './settle.ts'
import type { MintAnswer } from './tokens-api.ts'

type Minted = { readonly kind: 'minted'; readonly rdt: Rdt; readonly ratePerSecond?: number | undefined }
/** `usableUntil`: as it is there, on our clock in milliseconds. */
type Elsewhere = { readonly usableUntil: number | undefined }
export type MintResult =
  /** `elsewhere`: by another replica. */
  | (Minted & { readonly elsewhere?: Elsewhere })
  | Refused
  /** `retryAfterS`: seconds until it is worth asking again. */
  | { readonly kind: 'throttled'; readonly retryAfterS: number }
  | { readonly kind: 'unavailable'; readonly why: string; readonly retryAfterS: number }
  /** A managed seller without an access token. */
  | NoAccess
  /** Everybody had left before its turn came. */
  | { readonly kind: 'unwanted' }

/** Bounds of a caller's waiting, and of a mint. */
export type DeskPlan = {
  readonly maxResources: number
  readonly batchWindowMs: number
  readonly maxQueue: number
  readonly maxWaitMs: number
}

export type DeskOptions = {
  readonly plan: DeskPlan
  readonly limiter: Limiter
  readonly breaker: Breaker
  readonly refusals: Refusals
  /** One createRestrictedDataToken for all of them. */
  readonly attempt: (orders: readonly Order[]) => Promise<Attempt>
  /** A mint got its turn after waiting so long for the usage plan. */
  readonly onTurn: (waitedMs: number) => void
  /** So many more resources wait here; below zero: fewer. */
  readonly onLine: (by: number) => void
  /** Forgetting the desk loses nothing. */
  readonly onIdle: () => void
  readonly now: () => number
  readonly random: () => number
}
export type Attempt =
  | Minted
  | Exclude<MintAnswer, { kind: 'success' }>
  | NoAccess
  /** The mint was refused for the sake of an access token that is being replaced. */
  | { readonly kind: 'stale_access' }
/** Somebody's place in the line, and in the mint. */
export type Place = Waiting &
  Order & { readonly done: (result: MintResult) => void; readonly fail: (bug: unknown) => void }
export type Places = readonly Place[]

const GUESSES = 16

export const createDesk = (options: DeskOptions) => {
  const { plan, limiter, breaker, refusals, attempt, now } = options
  const { maxResources, maxQueue, maxWaitMs } = plan
  const line = createLine<Place>({
    maxResources,
    windowMs: plan.batchWindowMs,
    maxDistanceMs: () => Math.min(limiter.intervalMs(), maxWaitMs / 4),
    onChange: options.onLine,
    now,
  })
  const granted = new Set<string>()
  const scouting = new Map<string, Progress>() // how their scout is doing
  let guesses: readonly ('minted' | 'refused')[] = [] // what became of the last resources of unsure outcome
  let flying = 0
  let turnAsked = false
  let timer: NodeJS.Timeout | undefined

  const join = (order: Order): Promise<MintResult> =>
    new Promise((done, fail) => {
      const place = { ...order, family: familyOf(order.need), since: now(), done, fail }
      const waitMs = tooLong(order)
      if (waitMs !== undefined) return done({ kind: 'throttled', retryAfterS: retryAfterS(waitMs) })
      const progress = scouting.get(place.family)
      if (progress) order.onProgress(progress)
      line.join(place)
      arm()
    })

  /** The wait in milliseconds, where it is longer than a caller may wait or the queue is full. */
  const tooLong = ({ waiters }: Order): number | undefined => {
    const waitMs = (ahead: number) => limiter.waitMs(Math.ceil((ahead + 1) / maxResources))
    const fits = (ahead: number) => waitMs(ahead) === 0 || (ahead < maxQueue && waitMs(ahead) <= maxWaitMs)
    if (fits(line.length())) return undefined
    const ahead = waiters() > 0 ? line.callers() : line.length() // who left, and renewals, do not count against a caller
    return fits(ahead) ? undefined : waitMs(ahead)
  }

  /** Sees to it that the next mint leaves when it is due. */
  const arm = (): void => {
    clearTimeout(timer)
    if (turnAsked) return
    if (breaker.openForMs() > 0) {
      giveUp(line.remove(() => true))
      forgetIfIdle()
      return
    }
    const ms = line.dueInMs(scouting)
    if (ms === undefined) return
    if (ms > 0) {
      timer = setTimeout(arm, Math.ceil(ms)).unref()
      return
    }
    turnAsked = true
    void turn()
  }

  const turn = async (): Promise<void> => {
    let batch: Places = []
    const mint = () => {
      tell(batch, 'attempting')
      return attempt(batch)
    }
    const wanted = () => {
      turnAsked = false
      batch = leave()
      arm()
      return batch.length > 0
    }
    try {
      const answer = await inTurn(mint, wanted)
      if (answer !== NOT_WANTED) await settle(batch, answer)
    } catch (bug) {
      for (const { fail } of batch) fail(bug)
    }
    if (batch.length === 0) return
    flying -= 1
    for (const { family } of batch) scouting.delete(family)
    arm()
    forgetIfIdle() // its permits may have come back before
  }

  const inTurn: InTurn = (mint, wanted, priority) => {
    const askedAt = now()
    const measured = () => {
      options.onTurn(now() - askedAt)
      return mint()
    }
    return limiter.run(measured, wanted, priority)
  }

  /** Who goes with the mint whose turn has come. */
  const leave = (): Places => {
    discard()
    const batch = line.take(scouting, { inCompany: flying > 0, mostUnsure: mostUnsure() })
    if (batch.length === 0) return []
    if (!breaker.admits()) {
      giveUp(batch)
      return []
    }
    flying += 1
    for (const { family, need } of batch)
      if (need.operation && !need.unsure && !granted.has(family)) scouting.set(family, 'attempting')
    return batch
  }

  /** Lets go of those whom nobody waits for any more, and of those whose answer was learned from another's. */
  const discard = (): void => {
    line.remove((one) => {
      const answer = one.wanted() ? refusals.of(one) : UNWANTED
      if (answer) one.done(answer)
      return answer !== undefined
    })
  }

  const giveUp = (places: Places): void => {
    const retryMs = breaker.openForMs()
    for (const { done } of places) {
      done({ kind: 'unavailable', why: 'the Tokens API is failing', retryAfterS: retryAfterS(retryMs) })
    }
  }

  /** Lets them know, and those who wait for their coming back. */
  const tell = (places: Places, progress: Progress): void => {
    for (const { onProgress } of places) onProgress(progress)
    const scouts = new Set(places.map(({ family }) => family).filter((family) => scouting.has(family)))
    for (const family of scouts) scouting.set(family, progress)
    if (scouts.size > 0) for (const { onProgress } of line.of(scouts)) onProgress(progress)
  }

  const onOutcome = ({ family, need }: Place, outcome: 'minted' | 'refused'): void => {
    if (outcome === 'minted' && !granted.has(family)) {
      granted.add(family)
      // whoever waited for it as for a scout has the usage plan alone to wait for
      for (const { onProgress } of line.of(new Set([family]))) onProgress('throttled')
    }
    if (need.unsure) guesses = [...guesses.slice(1 - GUESSES), outcome]
  }
  /** Where more than a third of them was refused of late, asking one by one costs less than dividing refused mints. */
  const mostUnsure = (): number => {
    const refusedOnes = guesses.filter((outcome) => outcome === 'refused').length
    return refusedOnes * 3 > guesses.length ? 1 : maxResources
  }
  const settle = createSettler({ ...options, inTurn, tell, onOutcome })

  const forgetIfIdle = (): void => {
    if (flying === 0 && !turnAsked && line.length() === 0 && limiter.full()) options.onIdle()
  }

  return {
    join,
    /** Somebody began to wait for one who had time. */
    hurry: arm,
    /** A permit of the plan for a mint that is made elsewhere. */
    pass: limiter.run,
    forgetIfIdle,
  }
}
export type Desk = ReturnType<typeof createDesk>
