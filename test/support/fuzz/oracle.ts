/**
 * Holds what arrived where Amazon would be, and what the caller got, against a strict reading of what the caller sent. Everything it
 * finds is a sentence; a sidecar that keeps its promises gives it nothing to say.
 */
import { type Amazon, type Arrival, isMint, markerOf } from './amazon.ts'
import type { Outcome } from './caller.ts'
import { judgeAnswers } from './judge-answers.ts'
import { judgeHead } from './judge-head.ts'
import { judgeToken } from './judge-token.ts'
import { spelled } from './path-readings.ts'
import { type Head, type Reading, readRequests } from './strict-http.ts'

/** A request that the caller has sent, as far as it can be read in one way. */
export type Sent = {
  readonly head: Head
  /** All of it, or its beginning. */
  readonly body: string
  readonly whole: boolean
  readonly arrivals: Arrival[]
  /** Restricted operations that went out with the caller's own token: the verdict must say so. */
  unswapped: readonly string[]
}
/** What a connection held. */
export type Connection = { readonly bytes: string; readonly reading: Reading; readonly sent: readonly Sent[] }
export type Complain = (what: string) => void

export const createOracle = (complain: Complain) => {
  const byMarker = new Map<string, Sent>()
  const unmarked = new Set<Sent>() // an empty line came before the marker
  const sentAs = new WeakMap<Arrival, Sent>()

  /** Before they are sent: the bytes that a caller will have sent in the end. */
  const expect = (bytes: string): Connection => {
    const reading = readRequests(bytes)
    const { messages, end } = reading
    const sent = messages.map((message) => sentOf(message, message.body, true))
    if (end?.head) sent.push(sentOf(end.head, end.body, false))
    for (const one of sent) {
      const marker = markerOf(one.head.fields)
      if (marker === undefined) unmarked.add(one)
      else byMarker.set(marker, one)
    }
    return { bytes, reading, sent }
  }

  const arrived = (amazon: Amazon, arrival: Arrival): void => {
    const { head, marker } = arrival
    for (const fault of judgeHead(head, amazon.host)) complain(fault)
    if (marker === undefined && isMint(head)) return
    const sent = marker === undefined ? unmarkedLike(head) : byMarker.get(marker)
    if (!sent) {
      complain(`smuggled: ${startOf(head)} (${marker}) is in no strict reading of what was sent`)
      return
    }
    sentAs.set(arrival, sent)
    if (!isSame(head, sent.head)) complain(`${startOf(head)} for ${startOf(sent.head)}`)
    const before = sent.arrivals.at(-1)
    if (before && !(before.tokenRefused && sent.arrivals.length === 1)) complain(`${startOf(head)} came again`)
    sent.arrivals.push(arrival)
    judgeToken(amazon, sent, head, complain)
  }

  const unmarkedLike = (head: Head): Sent | undefined =>
    [...unmarked].find((one) => one.arrivals.length === 0 && isSame(head, one.head))

  const completed = (arrival: Arrival): void => {
    const sent = sentAs.get(arrival)
    if (!sent) return
    if (!sent.whole) complain(`${startOf(arrival.head)} arrived whole, but was not sent whole`)
    else if (arrival.body !== sent.body) complain(`${startOf(arrival.head)}: another body arrived than was sent`)
  }

  return {
    expect,
    arrived,
    completed,
    unreadable: (why: string, bytes: string): void =>
      complain(`Amazon could not read what came: ${why} in ${JSON.stringify(bytes.slice(0, 300))}`),
    /** Once a connection has ended. Returns the verdicts that it saw. */
    ended: (amazon: Amazon, connection: Connection, outcome: Outcome, waited: boolean): readonly string[] =>
      judgeAnswers(amazon, connection, outcome, waited, complain),
  }
}
export type Oracle = ReturnType<typeof createOracle>

const sentOf = ({ method, target, version, fields }: Head, body: string, whole: boolean): Sent => ({
  head: { method, target, version, fields },
  body,
  whole,
  arrivals: [],
  unswapped: [],
})

export const startOf = ({ method, target }: Head): string => `${method} ${target}`

/** Byte for byte, or in the one spelling (contract §3). */
const isSame = (arrived: Head, sent: Head): boolean => {
  const { path, query } = spelled(sent.target)
  return arrived.method === sent.method && (arrived.target === sent.target || arrived.target === path + query)
}
