/** Keeps an API that is down from being hammered: after five failures in a row nothing is sent, but for one now and then, to see. */
import { createExpiringMap } from '../expiring-map.ts'

export type BreakerOptions = {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  readonly random: () => number
  /** Between two probes, at the most. */
  readonly longestPauseMs?: number
}

const THRESHOLD = 5
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

export const createBreaker = ({ now, random, longestPauseMs = LONGEST_PAUSE_MS }: BreakerOptions) => {
  let failuresInARow = 0
  let probes = 0
  let openUntil = 0

  const pause = (): void => {
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** probes, longestPauseMs)
    openUntil = now() + longest * (0.75 + random() / 4)
  }
  /** Milliseconds until the next request may leave; 0 while all is well. */
  const openForMs = (): number => (failuresInARow < THRESHOLD ? 0 : Math.max(0, openUntil - now()))

  return {
    openForMs,
    /** Whether a request may leave now. While the breaker is open, the one that is let through is the probe for its pause. */
    admits: (): boolean => {
      if (failuresInARow < THRESHOLD) return true
      if (openForMs() > 0) return false
      probes += 1
      pause()
      return true
    },
    failed: (): void => {
      failuresInARow += 1
      if (failuresInARow === THRESHOLD) pause()
    },
    /** Any answer that shows it alive, a refusal or a 429 too. */
    answered: (): void => {
      failuresInARow = 0
      probes = 0
    },
  }
}
export type Breaker = ReturnType<typeof createBreaker>

const TROUBLED = 10_000
const TROUBLE_MS = 300_000

/**
 * One for each key: whoever fails holds up itself and nobody else, for what it sends may be to blame. Kept while there is trouble, a few
 * minutes longer than nothing is sent.
 */
export const createBreakers = (options: BreakerOptions) => {
  const troubled = createExpiringMap<Breaker>({ maxEntries: TROUBLED, now: options.now })
  return (key: string): Breaker => ({
    openForMs: () => troubled.get(key)?.openForMs() ?? 0,
    admits: () => troubled.get(key)?.admits() ?? true,
    failed: () => {
      const breaker = troubled.get(key) ?? createBreaker(options)
      breaker.failed()
      troubled.set(key, breaker, TROUBLE_MS)
    },
    answered: () => troubled.delete(key),
  })
}
