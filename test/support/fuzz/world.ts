/** A `serve` process between the callers of arbitrary cases and our own Amazon, and all that an oracle has to say about it. */
import type { TestContext } from 'node:test'
import { serving } from '../cli.ts'
import { until } from '../many.ts'
import { metric } from '../metric.ts'
import { CANARY, startAmazon } from './amazon.ts'
import { deliver } from './caller.ts'
import type { Case } from './cases.ts'
import { UNNUMBERED } from './framing.ts'
import { ACCESS_TOKENS } from './headers.ts'
import { createOracle } from './oracle.ts'

const ENV = {
  SIDECAR_MINT_RATE_PER_SECOND: '1000',
  SIDECAR_MINT_BURST: '500',
  SIDECAR_MINT_BATCH_WINDOW_MS: '1',
  SIDECAR_LOG_LEVEL: 'debug',
  // behind a wish for an upgrade Node says nothing of a body that is broken: its time ends it
  SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '5000',
  SIDECAR_LIMITS_REQUEST_TIMEOUT_MS: '5000',
  SIDECAR_OPERATIONS: '{mfn-v0.getShipment: {onMintFailure: forward}}',
}

/** Nothing is wrong with it: whatever came before, it gets what it asks for. */
const HONEST: Case = {
  bytes: `GET /orders/v0/orders/902-1/address HTTP/1.1\r\nHost: sidecar.local\r\nx-case: ${UNNUMBERED}\r\nx-amz-access-token: ${ACCESS_TOKENS[0]}\r\n\r\n`,
  cuts: [],
  ending: { kind: 'wait', after: 1 },
}

export const startFuzzWorld = async (t: TestContext, env: Readonly<Record<string, string>> = {}) => {
  const complaints: string[] = []
  const oracle = createOracle((what) => void complaints.push(what))
  const amazon = await startAmazon(t, {
    arrived: (arrival) => oracle.arrived(amazon, arrival),
    completed: oracle.completed,
    unreadable: oracle.unreadable,
  })
  const begin = () => serving(t, { SIDECAR_ENDPOINT: amazon.url, ...ENV, ...env })
  let sidecar = await begin()
  let numbered = 0
  const verdicts = new Map<string, number>()

  const number = (bytes: string): string =>
    bytes.replaceAll(UNNUMBERED, () => (++numbered).toString(36).padStart(UNNUMBERED.length, '0'))

  const runCase = async ({ bytes, cuts, ending }: Case): Promise<readonly string[]> => {
    const whole = number(bytes)
    const sent = whole.slice(0, Math.ceil(whole.length * ending.after))
    const connection = oracle.expect(sent)
    const port = Number(new URL(sidecar.base).port)
    const outcome = await deliver(port, connection.reading, piecesOf(sent, cuts), ending.kind)
    const told = oracle.ended(amazon, connection, outcome, ending.kind === 'wait')
    for (const verdict of told) verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    return told
  }

  const isAlive = (): boolean => sidecar.child.exitCode === null && sidecar.child.signalCode === null

  /** The process, after what it was sent: it lives, serves, and has said nothing that it must not say. */
  const lookAfter = async (): Promise<void> => {
    const [verdict = 'nothing'] = await runCase(HONEST)
    if (!/^(hit|minted|replayed)$/.test(verdict)) complaints.push(`an honest call after it got ${verdict}`)
    for (const word of [CANARY, 'a bug:']) {
      const at = sidecar.out().indexOf(word)
      if (at >= 0) complaints.push(`it printed ${sidecar.out().slice(Math.max(0, at - 300), at + 300)}`)
    }
    if (sidecar.err() !== '') complaints.push(`it printed ${sidecar.err()}`)
    if (!isAlive()) complaints.push('the process ended')
  }

  return {
    /** Runs them all at once; resolves to what is wrong. A process that has ended is started anew. */
    run: async (cases: readonly Case[]): Promise<readonly string[]> => {
      if (!isAlive()) sidecar = await begin()
      complaints.length = 0
      await Promise.all(cases.map(runCase))
      await lookAfter()
      return [...new Set(complaints)]
    },
    /** Resolves when nothing is in flight any more; rejects where something stays. */
    settled: () => until(async () => (await metric(sidecar, 'rdt_http_requests_in_flight')) === 0),
    /** How often each came back. */
    verdicts,
    /** Requests, those hidden in others included. */
    requests: () => numbered,
    mints: amazon.mints,
  }
}
export type FuzzWorld = Awaited<ReturnType<typeof startFuzzWorld>>

const piecesOf = (text: string, cuts: readonly number[]): readonly string[] => {
  const places = cuts.map((cut) => Math.floor(cut * text.length)).sort((a, b) => a - b)
  return [...places, text.length]
    .map((place, i) => text.slice(places[i - 1] ?? 0, place))
    .filter((piece) => piece !== '')
}
