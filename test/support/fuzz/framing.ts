/** Arbitrary bodies and what says where they end: plainly, or so that two readers may find two ends. */
import fc from 'fast-check'
import { MARKER } from './amazon.ts'
import { ACCESS_TOKENS } from './headers.ts'

/** Stands for a number of six characters that is drawn when the request is sent, so that lengths are as they were. */
export const UNNUMBERED = '@@@@@@'

/** What a smuggler wants Amazon, or the sidecar, to find behind the request. */
const hidden = (start: string): string =>
  `${start} HTTP/1.1\r\nHost: a\r\n${MARKER}: ${UNNUMBERED}\r\nx-amz-access-token: ${ACCESS_TOKENS[0]}\r\n\r\n`

const MINT = JSON.stringify({ restrictedResources: [{ method: 'GET', path: '/orders/v0/orders/902-1/address' }] })
const payloads = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      hidden('GET /orders/v0/orders/902-1/address'),
      hidden('GET /sellers/v1/account'),
      hidden('POST /mfn/v0/shipments'),
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom('{}', '{"ShipmentRequestDetails":{}}', MINT, '0\r\n\r\n', 'x'.repeat(5000)) },
  { weight: 1, arbitrary: fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 40 }) },
)

export type Framed = { readonly lines: readonly string[]; readonly body: string }
type Frame = (payload: string, n: number) => Framed

const chunk = (text: string, extension = ''): string =>
  text === '' ? '' : `${text.length.toString(16)}${extension}\r\n${text}\r\n`
const END = '0\r\n\r\n'
const CHUNKED = 'Transfer-Encoding: chunked'

const GOOD: readonly Frame[] = [
  (payload) => ({ lines: [`Content-Length: ${payload.length}`], body: payload }),
  (payload) => ({ lines: [CHUNKED], body: chunk(payload) + END }),
  (payload, n) => {
    const at = n % (payload.length + 1)
    return {
      lines: ['transfer-encoding: Chunked'],
      body: chunk(payload.slice(0, at), ';a=b') + chunk(payload.slice(at), ';c="d e"') + END,
    }
  },
  (payload) => ({
    lines: [CHUNKED, 'Trailer: x-amz-access-token'],
    body: `${chunk(payload)}0\r\nx-amz-access-token: ${ACCESS_TOKENS[1]}\r\nx-rdt-mode: skip\r\n\r\n`,
  }),
]

/** Two ends, by a length and by chunks. */
const both = (...lines: string[]): readonly Frame[] => [
  (payload) => ({ lines: lines.map((line) => line.replace('$', String(payload.length + 5))), body: END + payload }),
  (payload) => ({ lines: lines.map((line) => line.replace('$', '4')), body: chunk(payload) + END }),
]
const CODINGS = [
  'xchunked',
  'chunked, identity',
  'identity, chunked',
  'identity',
  'gzip, chunked',
  'chunked, chunked',
  'chunked;q=1',
  '"chunked"',
  'chunked,',
  ',chunked',
  'chunke\xe4',
  '\x0bchunked',
  'chunked\x0b',
  'chunked\0',
  '',
  'chunked\r',
  '\tchunked',
  'chunked \t',
]
const LENGTHS = [
  '+$',
  '-$',
  '$ ',
  '\t$',
  '0x$',
  '$,$',
  '$, $',
  '0, $',
  '$;a',
  '$e0',
  '$.0',
  '00$',
  '',
  ' ',
  '\xa0$',
  '99999999999999999999',
  '18446744073709551617',
  '4294967296',
  '$_0',
  '$\0',
  "'$'",
]
const CHUNKS = [
  '+0',
  '-1',
  ' 0',
  '0 ',
  '0x0',
  '0;',
  '0;a',
  '0;a=',
  '0;a="',
  '0; a = b',
  '0;\n',
  '0\n',
  '0\r',
  'fffffffffffffffff',
  'ffffffff',
  '100000000',
  '00000000000',
  'g',
  '',
  '1',
  '\0',
  '0\0',
  '0;\xff',
  '0;a\rb',
  `0;${'a'.repeat(20_000)}`,
]
const ENDS = ['', '\n', '\r', 'X', '\n\n', '\r\r\n', '\r\n\r\n', '0']
const TRAILERS = [
  'x',
  ' x: y',
  'x : y',
  'x: y\n',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
  '\0: x',
  'x: y\r\n\r\nx',
]

const BAD: readonly Frame[] = [
  ...both('Content-Length: $', CHUNKED),
  ...both(CHUNKED, 'Content-Length: $'),
  ...both('Transfer-Encoding : chunked', 'Content-Length: $'),
  ...both('Content-Length : $', CHUNKED),
  ...both(' Transfer-Encoding: chunked', 'Content-Length: $'),
  ...both('Transfer_Encoding: chunked', 'Content-Length: $'),
  ...both('x-a: b\r\n Transfer-Encoding: chunked', 'Content-Length: $'),
  ...both('x-a: b\nTransfer-Encoding: chunked', 'Content-Length: $'),
  ...both(CHUNKED, 'Transfer-Encoding: identity'),
  ...both('Transfer-Encoding: identity', CHUNKED),
  ...both(CHUNKED, CHUNKED),
  ...both('Content-Length: 0', 'Content-Length: $'),
  ...both('Content-Length: $', 'Content-Length: $'),
  ...both('Content_Length: $'),
  ...both('Content-Length\0: $'),
  ...CODINGS.flatMap((coding) => [
    ...both(`Transfer-Encoding: ${coding}`),
    ...both(`Transfer-Encoding: ${coding}`, 'Content-Length: $'),
  ]),
  ...LENGTHS.map(
    (length): Frame =>
      (payload) => ({ lines: [`Content-Length: ${length.replaceAll('$', String(payload.length))}`], body: payload }),
  ),
  ...CHUNKS.map(
    (size): Frame =>
      (payload) => ({ lines: [CHUNKED], body: `2\r\n{}\r\n${size}\r\n\r\n${payload}` }),
  ),
  ...ENDS.map(
    (end): Frame =>
      (payload) => ({ lines: [CHUNKED], body: `2\r\n{}${end}${END}${payload}` }),
  ),
  ...TRAILERS.map(
    (trailer): Frame =>
      (payload) => ({ lines: [CHUNKED], body: `2\r\n{}\r\n0\r\n${trailer}\r\n\r\n${payload}` }),
  ),
  (payload) => ({ lines: [], body: payload }),
  (payload, n) => ({ lines: [`Content-Length: ${payload.length + 1 + (n % 9)}`], body: payload }),
  (payload, n) => ({ lines: [`Content-Length: ${Math.max(0, payload.length - 1 - (n % 9))}`], body: payload }),
  (payload) => ({ lines: [CHUNKED], body: chunk(payload) }),
  (payload) => ({ lines: [CHUNKED], body: payload }),
]

const NONE: fc.Arbitrary<Framed> = fc.constant({ lines: [], body: '' })
const framed = (frames: readonly Frame[]): fc.Arbitrary<Framed> =>
  fc.tuple(fc.constantFrom(...frames), payloads, fc.nat(9999)).map(([frame, payload, n]) => frame(payload, n))

export const framings: fc.Arbitrary<Framed> = fc.oneof(
  { weight: 8, arbitrary: NONE },
  { weight: 5, arbitrary: framed(GOOD) },
  { weight: 2, arbitrary: framed(BAD) },
)
