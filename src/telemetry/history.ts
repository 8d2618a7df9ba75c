/**
 * Mints and their queue minute by minute, for the last hour: a ring of fixed size, written only when a mint is asked for. Nothing is
 * read or counted for it while nothing is minted.
 */

export type HistoryOptions = {
  /** Of the usage plan that is configured. */
  readonly ratePerSecond: number
  /** Milliseconds, monotonic. */
  readonly now: () => number
}

type Minute = {
  /** Since the clock's zero. */
  readonly at: number
  mints: number
  throttled: number
  /** Mints of the seller that made most of them, and what its plan would allow. */
  busiest: number
  plan: number
  /** Resources that waited when it began; most of them at once. */
  readonly waitingBefore: number
  mostWaiting: number
  longestWaitMs: number
  waitedMs: number
}

export const MINUTES = 60
const MINUTE_MS = 60_000
const MOST_SELLERS = 1000 // told apart within a minute: worthless access tokens, each of them refused, must not take memory

export const createHistory = ({ ratePerSecond, now }: HistoryOptions) => {
  const ring: Minute[] = []
  const startedAt = Math.floor(now() / MINUTE_MS)
  const sellers = new Map<string, number>() // their mints in this minute
  const planOf = (rate: number): number => Math.round(rate * 60)
  let waiting = 0

  const begun = (at: number): Minute => ({
    at,
    mints: 0,
    throttled: 0,
    busiest: 0,
    plan: planOf(ratePerSecond),
    waitingBefore: waiting,
    mostWaiting: waiting,
    longestWaitMs: 0,
    waitedMs: 0,
  })
  const current = (): Minute => {
    const at = Math.floor(now() / MINUTE_MS)
    const there = ring[at % MINUTES]
    if (there?.at === at) return there
    sellers.clear()
    const minute = begun(at)
    ring[at % MINUTES] = minute
    return minute
  }

  return {
    /** `seller`: whose usage plan, of `rate` mints a second, it drew on. */
    minted: (seller: string, outcome: { readonly throttled: boolean }, rate = ratePerSecond): void => {
      const minute = current()
      minute.mints += 1
      if (outcome.throttled) minute.throttled += 1
      const mints = (sellers.get(seller) ?? 0) + 1
      if (mints > 1 || sellers.size < MOST_SELLERS) sellers.set(seller, mints)
      if (mints < minute.busiest) return
      minute.busiest = mints
      minute.plan = planOf(rate)
    },
    /** Resources that wait for a mint from now on. */
    waiting: (resources: number): void => {
      const minute = current() // begins with those who waited at the end of the one before
      waiting = resources
      minute.mostWaiting = Math.max(minute.mostWaiting, resources)
    },
    /** A mint got its turn of the usage plan after so many milliseconds. */
    waited: (ms: number): void => {
      const minute = current()
      minute.longestWaitMs = Math.max(minute.longestWaitMs, ms)
      minute.waitedMs += ms
    },
    /** Minute by minute, oldest first, the last one being under way; null before the start. */
    read: () => {
      const last = Math.floor(now() / MINUTE_MS)
      const minutes: (Minute | undefined)[] = []
      let before = waiting // of those who waited when the minute ended, while nothing happened in it
      for (let at = last; minutes.length < MINUTES; at -= 1) {
        const written = ring[at % MINUTES]
        const there = written?.at === at ? written : undefined
        minutes.unshift(there ?? (at < startedAt ? undefined : { ...begun(at), mostWaiting: before }))
        before = there?.waitingBefore ?? before
      }
      const column = (read: (minute: Minute) => number) => minutes.map((minute) => (minute ? read(minute) : null))
      return {
        mints: column(({ mints }) => mints),
        throttled: column(({ throttled }) => throttled),
        busiest: column(({ busiest }) => busiest),
        plan: column(({ plan }) => plan),
        mostWaiting: column(({ mostWaiting }) => mostWaiting),
        longestWaitSeconds: column(({ longestWaitMs }) => seconds(longestWaitMs)),
        /** Of all its mints together. */
        waitedSeconds: column(({ waitedMs }) => seconds(waitedMs)),
      }
    },
  }
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10
