/**
 * Time that stands still while anything happens: clients, sidecar and simulator run in this process over real sockets, and
 * when nothing moves any more the clock jumps to the next timer. Hours pass in seconds of processor time, whatever the
 * machine, and what depends on time (usage plans, back-off, expiry) comes out the same in every run.
 *
 * Only timers and Date are replaced; sockets, immediates and `performance` stay Node's own. Whatever waits for something else
 * than a socket or a timer (a file, DNS, zlib) would be overtaken by the clock: there must be nothing of the kind in what runs.
 */
import { syncBuiltinESMExports } from 'node:module'
import { install } from '@sinonjs/fake-timers'

export type Clock = {
  /** Milliseconds, above 0. */
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
}

const START = Date.parse('2026-11-01T00:00:00Z')
const LONGEST_MS = 7 * 24 * 3_600_000
/** Turns of the event loop without an event of any socket, after which nothing more is on its way. */
const QUIET_TURNS = 3

/** Runs `work` in virtual time; one at a time in one process. @throws when it is not over after a week */
export const inVirtualTime = async <T>(work: (clock: Clock) => Promise<T>): Promise<T> => {
  const clock = install({ now: START, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
  syncBuiltinESMExports() // what was imported from 'node:timers/promises' is replaced, too
  const now = () => clock.now
  const sleep = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms))
  let over = false
  const end = work({ now, sleep }).finally(() => {
    over = true
  })
  end.catch(() => {}) // it is awaited below
  try {
    for (await quiet(); !over; await quiet()) {
      if (now() > START + LONGEST_MS) throw new Error('a week has passed, and the work is not done')
      clock.next()
    }
    return await end
  } finally {
    clock.uninstall()
    syncBuiltinESMExports()
  }
}

/** Resolves when nothing moves: the loop has turned a few times and no socket had anything to say. */
const quiet = async (): Promise<void> => {
  let seen = socketEvents()
  for (let turns = 0; turns < QUIET_TURNS; ) {
    await new Promise((resolve) => setImmediate(resolve))
    const events = socketEvents()
    turns = events === seen ? turns + 1 : 0
    seen = events
  }
}

const socketEvents = (): number => performance.nodeTiming.uvMetricsInfo.events
