/**
 * The mints of one selling partner at one endpoint: everybody who waits is answered, with as few of them as possible.
 * A mint that Amazon refuses for the sake of one resource is divided until the guilty are found; the innocent get theirs.
 * Of a family of resources that Amazon has not yet granted this credential, one mint flies ahead alone: were it refused, all
 * the others would be. Never throws.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { divide, familyOf } from './batch.ts'
import type { Breaker } from './breaker.ts'
import type { Rdt } from './cache.ts'
import { type Limiter, NOT_WANTED } from './limiter.ts'
import { createLine, type Waiting } from './line.ts'
import type { Order, Progress } from './minter.ts'
import type { Refused } from './refusal.ts'
import type { Refusals } from './refusals.ts'
import type { MintAnswer } from './tokens-api.ts'

type Minted = { readonly kind: 'minted'; readonly rdt: Rdt; readonly ratePerSecond?: number | undefined }
export type MintResult =
  | Minted
  | Refused
  /** `retryAfterS`: seconds until it is worth asking again. */
  | { readonly kind: 'throttled'; readonly retryAfterS: number }
  | { readonly kind: 'unavailable'; readonly why: string; readonly retryAfterS: number }
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
  /** Forgetting the desk loses nothing. */
  readonly onIdle: () => void
  readonly now: () => number
  readonly random: () => number
}
export type Attempt = Minted | Exclude<MintAnswer, { kind: 'success' }>
type Place = Waiting & Order & { readonly done: (result: MintResult) => void; readonly fail: (bug: unknown) => void }
type Places = readonly Place[]

// Three attempts, 100 to 400 ms apart: what passes by is passed, what lasts is told.
const MAX_FAILURES = 3
const BACKOFF_MS = 200
const RETRY_FIRST = 4 // below bottleneck's default of 5: whoever was tried before goes before newcomers

export const createDesk = (options: DeskOptions) => {
  const { plan, limiter, breaker, refusals, attempt, now } = options
  const { maxResources, maxQueue, maxWaitMs } = plan
  const line = createLine<Place>({
    maxResources,
    windowMs: plan.batchWindowMs,
    maxDistanceMs: () => Math.min(limiter.intervalMs(), maxWaitMs / 4),
    now,
  })
  const granted = new Set<string>()
  const scouting = new Map<string, Progress>() // how their scout is doing
  let flying = 0
  let turnAsked = false
  let timer: NodeJS.Timeout | undefined

  const join = (order: Order): Promise<MintResult> =>
    new Promise((done, fail) => {
      const place = { ...order, family: familyOf(order.need), since: now(), done, fail }
      const waitMs = tooLong(order)
      if (waitMs !== undefined) return done({ kind: 'throttled', retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) })
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
    if (waiters() > 0) discard() // renewals and those who left do not count against a caller
    const ahead = waiters() > 0 ? line.callers() : line.length()
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
    void turn(now())
  }

  const turn = async (askedAt: number): Promise<void> => {
    let batch: Places = []
    const mint = () => {
      options.onTurn(now() - askedAt)
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
      const answer = await limiter.run(mint, wanted)
      if (answer !== NOT_WANTED) await settle(batch, answer)
    } catch (bug) {
      for (const { fail } of batch) fail(bug)
    }
    if (batch.length === 0) return
    flying -= 1
    for (const { family } of batch) scouting.delete(family)
    arm()
  }

  /** Who goes with the mint whose turn has come. */
  const leave = (): Places => {
    discard()
    const batch = line.take(scouting, flying > 0)
    if (batch.length === 0) return []
    if (!breaker.admits()) {
      giveUp(batch)
      return []
    }
    flying += 1
    for (const { family, need } of batch)
      if (!need.exact && !need.unsure && !granted.has(family)) scouting.set(family, 'attempting')
    return batch
  }

  /** Lets go of those whom nobody waits for any more, and of those whose answer was learned from another's. */
  const discard = (): void => {
    for (const place of line.remove((one) => !one.wanted())) place.done({ kind: 'unwanted' })
    for (const place of line.remove((one) => refusals.of(one) !== undefined)) place.done(refusals.of(place) as Refused)
  }

  const giveUp = (places: Places): void => {
    const retryAfterS = Math.max(1, Math.ceil(breaker.openForMs() / 1000))
    for (const { done } of places) done({ kind: 'unavailable', why: 'the Tokens API is failing', retryAfterS })
  }

  /** Lets them know, and those who wait for their coming back. */
  const tell = (places: Places, progress: Progress): void => {
    for (const { onProgress } of places) onProgress(progress)
    const scouts = new Set(places.map(({ family }) => family).filter((family) => scouting.has(family)))
    for (const family of scouts) scouting.set(family, progress)
    if (scouts.size > 0) for (const { onProgress } of line.of(scouts)) onProgress(progress)
  }

  /** Answers them all. Resolves to whether all of them were minted. */
  const settle = async (places: Places, first?: Attempt): Promise<boolean> => {
    const [answer, left] = await persist(places, first)
    if (answer.kind === 'refused') {
      await blame(left, answer)
      return false
    }
    for (const { done, family } of left) {
      if (answer.kind === 'minted') granted.add(family)
      done(answer)
    }
    return answer.kind === 'minted' && left.length === places.length
  }

  /** Amazon refuses something among them. Where the one half is minted, it is in the other, which need not be asked for as a whole. */
  const blame = async (places: Places, refusal: Refused): Promise<void> => {
    const parts = divide(places, refusal)
    if (!parts) {
      for (const place of places) {
        refusals.remember(place, refusal)
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
      for (const one of left) if (!one.wanted()) one.done({ kind: 'unwanted' })
      left = left.filter((one) => one.wanted())
      return left.length > 0
    }
    for (let answer = first; ; ) {
      if (answer?.kind === 'minted' || answer?.kind === 'refused') return [answer, left]
      if (answer?.kind === 'throttled') tell(left, 'throttled')
      else if (answer) {
        failures += 1
        const why = reasonOf(answer)
        tell(left, { failed: why })
        if (failures === MAX_FAILURES || breaker.openForMs() > 0)
          return [{ kind: 'unavailable', why, retryAfterS: 1 }, left]
        await delay(BACKOFF_MS * failures * (0.5 + options.random() / 2))
      }
      const askedAt = now()
      const again = () => {
        options.onTurn(now() - askedAt)
        return attempt(left)
      }
      const next = await limiter.run(again, wanted, RETRY_FIRST)
      if (next === NOT_WANTED) return [{ kind: 'unwanted' }, []]
      answer = next
    }
  }

  const forgetIfIdle = (): void => {
    if (flying === 0 && !turnAsked && line.length() === 0 && limiter.full()) options.onIdle()
  }

  return {
    join,
    /** Somebody began to wait for one who had time. */
    hurry: arm,
    /** A permit of the plan for a mint that is made elsewhere. */
    pass: limiter.run,
    length: line.length,
    forgetIfIdle,
  }
}
export type Desk = ReturnType<typeof createDesk>

type Standing = Exclude<MintResult, { kind: 'throttled' }>

const reasonOf = (answer: Extract<MintAnswer, { kind: 'server_error' | 'network' | 'bad_response' }>): string => {
  if (answer.kind === 'server_error') return `the Tokens API answered ${answer.status}`
  if (answer.kind === 'bad_response') return `the Tokens API answered ${answer.status} without a readable token`
  return answer.timedOut
    ? 'the Tokens API did not answer in time'
    : `the Tokens API cannot be reached (${answer.cause})`
}
