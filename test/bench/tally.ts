/** Counts a simulator's log entry by entry as it grows, because the simulator keeps the last 100 000 alone. */
import type { LogEntry, Simulator } from '../../src/simulator/types.ts'

export type Tally = {
  /** Calls that reached an operation with an RDT. */
  readonly restricted: number
  /** Answers with personal data in them. */
  readonly personal: number
  /** createRestrictedDataToken calls; of these, answered 429 and 400. */
  readonly mints: number
  readonly throttled: number
  readonly refused: number
}

/** Calls between two readings: the log must not grow by 100 000 entries meanwhile. */
const EVERY = 200

export const createTally = (simulator: Pick<Simulator, 'log'>) => {
  const counts = { restricted: 0, personal: 0, mints: 0, throttled: 0, refused: 0 }
  let last: LogEntry | undefined
  let calls = 0

  /** As far as all is answered. */
  const read = (): void => {
    const log = simulator.log()
    const from = last ? log.lastIndexOf(last) + 1 : 0
    for (const entry of log.slice(from)) {
      if (entry.status === 0) return
      add(entry)
      last = entry
    }
  }
  const add = ({ kind, token, pii, status }: LogEntry): void => {
    if (kind === 'call' && token === 'rdt') counts.restricted += 1
    if (pii) counts.personal += 1
    if (kind !== 'mint') return
    counts.mints += 1
    if (status === 429) counts.throttled += 1
    if (status === 400) counts.refused += 1
  }

  return {
    /** To be told of each call. */
    look: (): void => {
      calls += 1
      if (calls % EVERY === 0) read()
    },
    counts: (): Tally => {
      read()
      return { ...counts }
    },
  }
}
