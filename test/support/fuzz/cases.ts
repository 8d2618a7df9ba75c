/** Arbitrary connections: one request or several, their bytes cut in pieces, and how the caller goes. */
import fc from 'fast-check'
import { MARKER } from './amazon.ts'
import { ENDINGS, type Ending } from './caller.ts'
import { type Framed, framings, UNNUMBERED } from './framing.ts'
import { lines, tokens } from './headers.ts'
import { type Start, starts } from './targets.ts'

export type Case = {
  /** What the caller means to send, latin1; its requests not yet numbered. */
  readonly bytes: string
  /** Where the pieces end, as shares of the length. */
  readonly cuts: readonly number[]
  /** `after`: the share of the bytes that is sent. */
  readonly ending: { readonly kind: Ending; readonly after: number }
}

const mostly = <T>(usual: T, weight: number, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, fc.constantFrom(...others))

const hosts = mostly<readonly string[]>(['Host: sidecar.local'], 120, [], ['Host: a', 'Host: b'], ['Host:'])
const versions = mostly(
  ' HTTP/1.1',
  120,
  ' HTTP/1.0',
  ' HTTP/1.0',
  ' HTTP/0.9',
  ' HTTP/2.0',
  ' HTTP/1.2',
  ' HTTP/1.10',
  ' http/1.1',
  ' HTTP/01.1',
  '',
  '  HTTP/1.1',
  '\tHTTP/1.1',
  ' HTTP/1.1 ',
  ' HTTP /1.1',
  ' ICE/1.0',
  ' RTSP/1.0',
)
const breaks = mostly('\r\n', 160, '\n', '\r', '\r\r\n', '\n\r')
const connections = mostly<readonly string[]>([], 3, ['Connection: keep-alive'], ['Connection: close'])

type Parts = {
  readonly start: Start
  readonly version: string
  readonly host: readonly string[]
  readonly token: readonly string[]
  readonly others: readonly string[]
  readonly connection: readonly string[]
  readonly framed: Framed
  readonly turn: number
  readonly eol: string
}

const write = ({ start, version, host, token, others, connection, framed, turn, eol }: Parts): string => {
  const all = [...host, `${MARKER}: ${UNNUMBERED}`, ...token, ...others, ...connection, ...framed.lines]
  const at = turn % all.length
  const head = [`${start.method} ${start.target}${version}`, ...all.slice(at), ...all.slice(0, at)]
  return head.join(eol) + eol + eol + framed.body
}

const requests: fc.Arbitrary<string> = fc
  .record({
    start: starts,
    version: versions,
    host: hosts,
    token: tokens,
    others: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 3, arbitrary: fc.array(lines, { maxLength: 3 }) },
    ),
    connection: connections,
    framed: framings,
    turn: fc.nat(20),
    eol: breaks,
  })
  .map(write)

const TAILS = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  '\0',
  'GARBAGE\r\n\r\n',
  'GET',
  'GET /sellers/v1/account\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\0\x01\0\x01\xfc',
  '0\r\n\r\n',
]
const STREAMS = [
  'GET /orders/v0/orders\r\n',
  'GET /orders/v0/orders\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
  '\x16\x03\x01\0\x05hello',
  'SSH-2.0-OpenSSH_9\r\n',
  'HTTP/1.1 200 OK\r\n\r\n',
  '\0',
  '\r\n',
  '\n\n\n',
]
const noise = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 60 })

const streams: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: requests },
  { weight: 8, arbitrary: fc.array(requests, { minLength: 2, maxLength: 4 }).map((several) => several.join('')) },
  {
    weight: 2,
    arbitrary: fc.tuple(requests, fc.oneof(fc.constantFrom(...TAILS), noise)).map(([one, tail]) => one + tail),
  },
  { weight: 1, arbitrary: fc.oneof(fc.constantFrom(...STREAMS), noise) },
)

const share = fc.nat(1000).map((thousandths) => thousandths / 1000)
const endings = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'wait', after: 1 } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom(...ENDINGS), after: share }) },
)

const parts: fc.Arbitrary<Case> = fc.record({
  bytes: streams,
  cuts: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(share, { minLength: 1, maxLength: 4 }) },
  ),
  ending: endings,
})

/** Written in short where a counterexample is shown. */
export const cases: fc.Arbitrary<Case> = parts.map((one) => ({
  ...one,
  [fc.toStringMethod]: () =>
    JSON.stringify(one).replace(/(.)\1{50,}/g, (run, [character]) => `${character}…${run.length}`),
}))
