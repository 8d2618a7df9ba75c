/** A limiter per endpoint and credential, kept only while it has something to remember. */
import { createLimiter, intervalMsOf, type Limiter, type LimiterOptions } from './limiter.ts'

export type UsagePlan = {
  /** Mints a second, and at once. Amazon's defaults: 1 and 10 per application and selling partner. */
  readonly ratePerSecond: number
  readonly burst: number
  readonly maxQueue: number
  /** Longest a caller waits, in milliseconds: more jobs than fit in it are not let into the queue. */
  readonly maxWaitMs: number
}

export const createLimiters = (plan: UsagePlan, clock: Pick<LimiterOptions, 'now' | 'random'>) => {
  const limiters = new Map<string, Limiter>()
  const maxQueue = Math.min(plan.maxQueue, Math.floor(plan.maxWaitMs / intervalMsOf(plan.ratePerSecond)))
  return {
    for: (key: string): Limiter => {
      const known = limiters.get(key)
      if (known) return known
      const { ratePerSecond, burst } = plan
      const onIdle = () => limiters.delete(key)
      const fresh = createLimiter({ ...clock, ratePerSecond, burst, maxQueue, onIdle })
      limiters.set(key, fresh)
      return fresh
    },
    queued: (): number => [...limiters.values()].reduce((sum, limiter) => sum + limiter.queued(), 0),
  }
}
export type Limiters = ReturnType<typeof createLimiters>
