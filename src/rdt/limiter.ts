/**
 * One usage plan on bottleneck: `burst` permits, each given back one by one, 1/rate apart, no sooner than the answer to
 * its mint arrived. Amazon's bucket starts to refill when the request arrives there, which is earlier, so ours never holds
 * more than Amazon's, whatever the network's jitter. (A refill on a fixed tick, bottleneck's own, can be a permit ahead.)
 * Example, 1/s burst 10: ten mints at once answered at 0.1 s, the eleventh leaves at 1.1 s, then one a second.
 */
import Bottleneck from 'bottleneck'

export type LimiterOptions = {
  readonly ratePerSecond: number
  readonly burst: number
  /** Jobs that may wait; one more is refused at once. */
  readonly maxQueue: number
  /** Milliseconds, monotonic. */
  readonly now: () => number
  readonly random: () => number
  /** All permits are back and nobody waits: forgetting the limiter loses nothing. */
  readonly onIdle: () => void
}

/** What the limiter reads of an answer: `throttled` is Amazon's 429. */
type Answered = { readonly kind: string }

export const FULL = Symbol('the queue is full')
export const NOT_WANTED = Symbol('nobody waits for it any more')

// Timers may fire a millisecond early, and two machines' clocks do not run alike.
const SLACK_MS = 5
const MAX_PENALTY = 16

/** Milliseconds between two permits. */
export const intervalMsOf = (ratePerSecond: number): number => 1000 / ratePerSecond + SLACK_MS

export const createLimiter = ({ ratePerSecond, burst, maxQueue, now, random, onIdle }: LimiterOptions) => {
  const queue = new Bottleneck({ reservoir: burst, highWater: maxQueue, strategy: Bottleneck.strategy.OVERFLOW })
  const intervalMs = intervalMsOf(ratePerSecond)
  let outstanding = 0
  let lastReturnAt = Number.NEGATIVE_INFINITY
  let throttledInARow = 0

  const giveBack = (): void => {
    outstanding -= 1
    void queue.incrementReservoir(1)
    if (outstanding === 0 && queue.empty()) onIdle()
  }
  const giveBackInTurn = (): void => {
    lastReturnAt = Math.max(lastReturnAt, now()) + intervalMs
    setTimeout(giveBack, lastReturnAt - now()).unref()
  }

  /** Amazon said 429: somebody else draws on the plan too. Empties the bucket and waits longer, twice as long each time. */
  const backOff = async (): Promise<void> => {
    throttledInARow += 1
    const penalty = Math.min(2 ** throttledInARow, MAX_PENALTY) - 1
    lastReturnAt = Math.max(lastReturnAt, now()) + intervalMs * penalty * random()
    const left = (await queue.currentReservoir()) ?? 0
    if (left <= 0) return
    await queue.incrementReservoir(-left)
    outstanding += left
    for (let i = 0; i < left; i += 1) giveBackInTurn()
  }

  const turnOf =
    <T extends Answered>(mint: () => Promise<T>, wanted: () => boolean) =>
    async (): Promise<T | typeof NOT_WANTED> => {
      outstanding += 1
      if (!wanted()) {
        giveBack()
        return NOT_WANTED
      }
      try {
        const answer = await mint()
        if (answer.kind === 'throttled') await backOff()
        else throttledInARow = 0
        return answer
      } finally {
        giveBackInTurn()
      }
    }

  /**
   * Runs the mint when the plan allows it, lower `priority` first. A mint that nobody wants when its turn comes costs no
   * permit. Resolves to FULL or NOT_WANTED where it did not run.
   */
  const run = async <T extends Answered>(mint: () => Promise<T>, wanted: () => boolean, priority = 5) => {
    try {
      return await queue.schedule({ priority }, turnOf(mint, wanted))
    } catch (error) {
      if (error instanceof Bottleneck.BottleneckError) return FULL
      throw error
    }
  }

  return {
    run,
    queued: (): number => queue.queued(),
    /** Seconds until somebody who comes now may expect a permit. */
    retryAfterS: (): number => Math.max(1, Math.ceil(((queue.queued() + 1) * intervalMs) / 1000)),
  }
}
export type Limiter = ReturnType<typeof createLimiter>
