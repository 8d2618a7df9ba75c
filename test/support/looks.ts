/** Looks at a process, one after the other, and what they say of its growth. */
import type { Vitals } from './vitals.ts'

export type Look = Vitals & {
  /** Since the beginning. */
  readonly minutes: number
  /** So far. */
  readonly calls: number
  /** Milliseconds: half the turns of its event loop were later than that. */
  readonly lagMs: number
  readonly cacheEntries: number
}
type Of = (look: Look) => number

const MB = 2 ** 20
const tenth = (n: number): number => Math.round(n * 10) / 10

/** By least squares: how much `y` grows for each `x`. */
export const slopeOf = (looks: readonly Look[], y: Of, x: Of): number => {
  const mean = (of: Of) => looks.reduce((sum, look) => sum + of(look), 0) / looks.length
  const [mx, my] = [mean(x), mean(y)]
  const covariance = looks.reduce((sum, look) => sum + (x(look) - mx) * (y(look) - my), 0)
  return covariance / looks.reduce((sum, look) => sum + (x(look) - mx) ** 2, 0)
}

const medianOf = (looks: readonly Look[], of: Of): number =>
  looks.map(of).sort((a, b) => a - b)[Math.floor(looks.length / 2)] ?? Number.NaN

/** The first half is for growing up: code is compiled, caches fill. Pairs are of the first half and of the second. */
export const figuresOf = (looks: readonly Look[]) => {
  const middle = Math.floor(looks.length / 2)
  const [early, late] = [looks.slice(0, middle), looks.slice(middle)]
  const both = (figure: (half: readonly Look[]) => number): readonly number[] => [early, late].map(figure)
  const most = (of: Of): readonly number[] => both((half) => Math.max(...half.map(of)))
  const [first, last] = [late[0], late.at(-1)]
  if (!first || !last) throw new Error('nobody has looked')
  const live = slopeOf(
    late,
    ({ live }) => live,
    ({ calls }) => calls,
  )
  const perMinute = (of: Of): number => slopeOf(late, of, ({ minutes }) => minutes)
  return {
    looks: looks.length,
    minutes: tenth(last.minutes),
    liveMb: both((half) => tenth(medianOf(half, (look) => look.live) / MB)),
    liveBytesACall: Math.round(live),
    liveKbAMinute: Math.round(perMinute((look) => look.live) / 1024),
    /** Over the second half. */
    liveGrownMb: tenth((live * (last.calls - first.calls)) / MB),
    rssMb: both((half) => tenth(medianOf(half, (look) => look.rss) / MB)),
    rssKbAMinute: Math.round(perMinute((look) => look.rss) / 1024),
    descriptors: most((look) => look.descriptors),
    handles: most((look) => look.handles),
    lagMs: both((half) => tenth(medianOf(half, (look) => look.lagMs))),
    cacheEntries: most((look) => look.cacheEntries),
  }
}
