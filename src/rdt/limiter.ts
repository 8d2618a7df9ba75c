/**
 * One usage plan on bottleneck: `burst` permits, each given back one by one, 1/rate apart, no sooner than the answer to
 * its mint arrived. Amazon's bucket starts to refill when the request arrives there, which is earlier, so ours never holds
 * more than Amazon's, whatever the network's jitter. (A refill on a fixed tick, bottleneck's own, can be a permit ahead.)
 * Example, 1/s burst 10: ten mints at once answered at 0.1 s, the eleventh leaves at 1.1 s, then one a second.
 */
import Bottleneck from 'bottleneck'
import type { Permit, SharedPlan } from './fleet.ts'

export type LimiterOptions = {
  /** Mints a second until Amazon says more. */
  readonly ratePerSecond: number
  readonly burst: number
  /** Milliseconds, monotonic. */
  readonly now: () => number
  readonly random: () => number
  /** Where other replicas draw on the plan too: a mint needs a permit of theirs besides one of ours. */
  readonly shared?: SharedPlan | undefined
  /** All permits are back and nobody waits for one. */
  readonly onFull: () => void
}

/** What the limiter reads of an answer: `throttled` is Amazon's 429; the rate is what Amazon says the plan is, if it does. */
type Answered = { readonly kind: string; readonly ratePerSecond?: number | undefined }

export const NOT_WANTED = Symbol('nobody waits for it any more')

// Timers may fire a millisecond early, and two machines' clocks do not run alike.
const SLACK_MS = 5
const MAX_PENALTY = 16

/** Milliseconds between two permits. */
const intervalMsOf = (ratePerSecond: number): number => 1000 / ratePerSecond + SLACK_MS

/**
 * The rate in force once Amazon has named `told` (x-amzn-RateLimit-Limit): never below the configured one, and a configured
 * share of the default plan (0.25 for each of four replicas) stays a share. Amazon's default is 1.
 */
export const learnedRate = (configured: number, told: number): number =>
  Math.max(configured, Math.min(configured, 1) * told)

export const createLimiter = ({ ratePerSecond, burst, now, random, shared, onFull }: LimiterOptions) => {
  const queue = withoutClock(new Bottleneck({ reservoir: burst }))
  let rate = ratePerSecond
  let outstanding = 0 // permits that are not in the bucket
  const owed: number[] = [] // of these, when those whose mint was answered were: they come back in turn
  let returning: NodeJS.Timeout | undefined
  let lastReturnAt = 0
  let pausedUntil = 0
  let throttledInARow = 0

  const intervalMs = (): number => intervalMsOf(rate)
  const full = (): boolean => outstanding === 0 && queue.empty()

  const giveBack = (): void => {
    outstanding -= 1
    void queue.incrementReservoir(1)
    if (full()) onFull()
  }
  const giveBackInTurn = (): void => {
    owed.push(now())
    if (!returning) returnNext()
  }
  const returnNext = (): void => {
    const [answeredAt] = owed
    if (answeredAt === undefined) return
    lastReturnAt = Math.max(lastReturnAt, answeredAt, pausedUntil) + intervalMs()
    returning = setTimeout(
      () => {
        returning = undefined
        if (pausedUntil < lastReturnAt) {
          owed.shift()
          giveBack()
        }
        returnNext()
      },
      Math.max(0, lastReturnAt - now()),
    ).unref()
  }

  /** Amazon said 429: somebody else draws on the plan too. Empties the bucket and waits longer, twice as long each time. */
  const backOff = async (): Promise<void> => {
    throttledInARow += 1
    const penalty = Math.min(2 ** throttledInARow, MAX_PENALTY) - 1
    pausedUntil = Math.max(pausedUntil, now()) + intervalMs() * penalty * random()
    const left = (await queue.currentReservoir()) ?? 0
    if (left <= 0) return
    await queue.incrementReservoir(-left)
    outstanding += left
    for (let i = 0; i < left; i += 1) giveBackInTurn()
  }

  const onRate = (told: number): void => {
    rate = learnedRate(ratePerSecond, told)
  }
  const learn = async ({ kind, ratePerSecond: told }: Answered, permit: Permit | undefined): Promise<void> => {
    if (told !== undefined) onRate(told)
    if (kind !== 'throttled') throttledInARow = 0
    else if (!permit?.shared) await backOff()
  }

  const turnOf =
    <T extends Answered>(mint: () => Promise<T>, wanted: () => boolean) =>
    async (): Promise<T | typeof NOT_WANTED> => {
      outstanding += 1
      const permit = shared && (await shared.permit({ burst, intervalMs, onRate }))
      if (!wanted()) {
        permit?.unused()
        giveBack()
        return NOT_WANTED
      }
      let answer: T | undefined
      try {
        answer = await mint()
        await learn(answer, permit)
        return answer
      } finally {
        permit?.answered({ throttled: answer?.kind === 'throttled', told: answer?.ratePerSecond })
        giveBackInTurn()
      }
    }

  return {
    /**
     * Runs the mint when the plan allows it, lower `priority` first. Resolves to NOT_WANTED where nobody wanted it when its
     * turn came: that costs no permit.
     */
    run: <T extends Answered>(mint: () => Promise<T>, wanted: () => boolean, priority = 5) =>
      queue.schedule({ priority }, turnOf(mint, wanted)),
    intervalMs,
    /** In force: as configured, or as Amazon has said since. */
    ratePerSecond: (): number => rate,
    /** Forgetting the limiter loses nothing. */
    full,
    /** Milliseconds until the `nth` mint from now may leave, if none comes between. */
    waitMs: (nth: number): number =>
      Math.max(0, (nth - (burst - outstanding)) * intervalMs(), shared?.waitMs(nth) ?? 0),
  }
}
export type Limiter = ReturnType<typeof createLimiter>

/**
 * bottleneck notes by the wall clock when its last job went, and has the next one wait until then: a clock that is put back by an hour
 * would stop the seller's mints for an hour. It has no option for that; we have it keep no distance, so that the note is of no use.
 */
const withoutClock = (queue: Bottleneck): Bottleneck => {
  const { _store: store } = queue as unknown as { readonly _store: object }
  Object.defineProperty(store, '_nextRequest', { get: () => 0, set: () => {} })
  return queue
}
