/**
 * Usage plans: one token bucket per key, refilled continuously, in fractions. Reads no clock: time is a parameter.
 * Keys are never forgotten (a few dozen bytes each).
 */

export type Plan = { readonly ratePerSecond: number; readonly burst: number }

export type Buckets = {
  /** Takes one request's worth from a key's bucket; false when there is not a whole one in it. `now` in ms. */
  readonly take: (key: string, now: number, plan: Plan) => boolean
  /** Fills every bucket. */
  readonly clear: () => void
}

/** Forgives floating point: ten refills of 0.1 make one request. */
const EPSILON = 1e-9

export const createBuckets = (): Buckets => {
  const buckets = new Map<string, { level: number; at: number }>()

  const take = (key: string, now: number, plan: Plan): boolean => {
    const bucket = buckets.get(key) ?? { level: plan.burst, at: now }
    const level = Math.min(plan.burst, bucket.level + ((now - bucket.at) / 1000) * plan.ratePerSecond)
    const taken = level >= 1 - EPSILON
    buckets.set(key, { level: taken ? level - 1 : level, at: now })
    return taken
  }

  return { take, clear: () => buckets.clear() }
}
