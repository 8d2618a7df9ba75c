/** Arbitrary header lines, without their line ends: tokens, what steers, what names other headers, and what is no header at all. */
import fc from 'fast-check'
import { CANARY } from './amazon.ts'

/** Of selling partners: `no-role` gets no RDT. */
export const ACCESS_TOKENS = ['a', 'b', 'c', 'no-role'].map((seller) => `Atza|${CANARY}-${seller}`)
const [A = '', B = ''] = ACCESS_TOKENS
const OWN_RDT = `Atz.sprdt|${CANARY}-own`

const plainToken = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...ACCESS_TOKENS).map((token) => [`x-amz-access-token: ${token}`]) },
  { weight: 1, arbitrary: fc.constant([`x-amz-access-token: ${OWN_RDT}`]) },
  { weight: 1, arbitrary: fc.constant([]) },
)
const STRANGE_TOKENS: readonly (readonly string[])[] = [
  [`X-AMZ-ACCESS-TOKEN:${A}`],
  [`x-amz-access-token:\t${A} \t`],
  [`x-amz-access-token: ${A}`, `x-amz-access-token: ${B}`],
  [`x-amz-access-token: ${A}`, `X-Amz-Access-Token: ${OWN_RDT}`],
  [`x-amz-access-token: ${A},${OWN_RDT}`],
  [`x-amz-access-token: ${OWN_RDT}\t${A}`],
  ['x-amz-access-token:', `x-amz-access-token: ${A}`],
  [`x_amz_access_token: ${A}`],
  [`x-amz-access-token: ${A}`, `x_amz_access_token: ${B}`],
  [`x-amz-access-token: ${A}`, `X.Amz.Access~Token: ${A}`],
  [`x-amz-access-token : ${A}`],
  [`x-amz-access-token\t: ${A}`],
  [`x-amz-access-token: ${OWN_RDT}`, ` ${A}`],
  ['x-amz-access-token:', `\t${A}`],
  [` x-amz-access-token: ${A}`],
  [`x-amz-access-token\0: ${A}`],
  [`x-amz-access-token: ${A}\0${B}`],
  [`x-amz-access-token: ${A}\r`],
  [`x-amz-access-token: ${A}\nx-rdt-mode: skip`],
  [`x-amz-access-token: ${A}\rx-rdt-mode: skip`],
  [`x-amz-access-token: ${A}\xff`],
  [`\xefx-amz-access-token: ${A}`],
  [`x-amz-access-token: Bearer ${A}`],
  ['x-amz-access-token: '],
  [`authorization: Bearer ${A}`],
]
export const tokens: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 12, arbitrary: plainToken },
  { weight: 1, arbitrary: fc.constantFrom(...STRANGE_TOKENS) },
)

const STEERING = [
  'x-rdt-mode: skip',
  'X-Rdt-Mode:skip',
  'x-rdt-mode: auto',
  'x-rdt-mode: force',
  'x-rdt-mode: SKIP',
  'x-rdt-mode: skip,skip',
  'x-rdt-mode:',
  'x-rdt-scope: specific',
  'x-rdt-scope: generic',
  'x-rdt-scope: all',
  'x-rdt-data-elements: everything',
  'x-rdt-report-type: GET_ORDER_REPORT_DATA_TAX',
  'x-rdt-report-type: GET_MERCHANT_LISTINGS_ALL_DATA',
  'x-rdt-report-type: \xff',
  'x-rdt-target-application: amzn1.one',
  'x-rdt-target-application: two',
  'x-rdt-seller: nobody',
  'x-rdt-anything: 1',
]
const ELEMENTS = [
  'x-rdt-data-elements: none',
  'x-rdt-data-elements: buyerInfo',
  'x-rdt-data-elements: shippingAddress, buyerTaxInformation',
]
const LOOK_ALIKES = [
  'x_rdt_mode: skip',
  'X.RDT.MODE: skip',
  'x-rdt_mode: skip',
  'x!rdt-mode: skip',
  'x_rdt_scope: specific',
  'x-rdt-mode : skip',
  ' x-rdt-mode: skip',
]

const CONNECTION = [
  'Connection: close',
  'Connection: keep-alive',
  'Connection: close, x-amz-access-token',
  'Connection: x-amz-access-token, x-rdt-mode, keep-alive',
  'Connection: Host, Content-Length, Transfer-Encoding',
  'Connection: x-rdt-data-elements',
  'Connection: ,,__proto__,constructor',
  'Connection: Upgrade, HTTP2-Settings',
  'Connection: Upgrade',
  'connection: upgrade, content-length',
  'Upgrade: h2c',
  'Connection: Upgrade\r\nUpgrade: h2c',
  'Connection: keep-alive, Upgrade\r\nUpgrade: websocket',
  'Upgrade: TLS/1.3, HTTP/2.0',
  'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Keep-Alive: timeout=5, max=1000',
  'Proxy-Connection: keep-alive',
  'Proxy-Authorization: Basic eA==',
  'TE: trailers',
  'TE: chunked;q=1',
  'Trailer: x-amz-access-token',
  'Expect: 100-continue',
  'Expect: 100-Continue',
  'Expect: 200-ok',
  'Expect: y 100-continue',
  'Expect:',
  'Expect : 100-continue',
]
const HOSTS = [
  'Host: sellingpartnerapi-na.amazon.com',
  'Host:',
  'host: a, b',
  'Host : a',
  'Host: a:b@c',
  'Host: \xff',
  'HOST: 127.0.0.1',
  'X-Forwarded-Host: evil.example',
]
const JUNK = [
  ': nameless',
  'no colon here',
  ' folded',
  '\tfolded',
  'x-a: b\0c',
  'x-a: b\rc',
  'x-a: b\nc: d',
  'x\0a: b',
  'x a: b',
  '\xe9: b',
  'x-a: \xe9\xff\x80',
  'x-a: \x7f',
  'x-a: \x1b[31m',
  '__proto__: a',
  'constructor: a',
  'toString: a',
  'x-original-url: /orders/v0/orders',
  'x-rewrite-url: /orders/v0/orders',
  'x-http-method-override: GET',
  'cookie: a=b',
  'cookie: c=d',
  'user-agent: fuzz',
  'user-agent:',
  'accept-encoding: gzip, br',
  'range: bytes=0-1',
  'x-rdt-verdict: hit',
  'x-rdt-error: none',
  `x-long: ${'a'.repeat(20_000)}`,
  `x-long: ${'a'.repeat(70_000)}`,
  `${'n'.repeat(20_000)}: a`,
  '',
  ...[30, 300].map((count) => Array.from({ length: count }, (_, i) => `x-many-${i}: ${i}`).join('\r\n')),
]

const some = (lines: readonly string[], weight: number) => ({ weight, arbitrary: fc.constantFrom(...lines) })
export const lines: fc.Arbitrary<string> = fc.oneof(
  some(STEERING, 6),
  some(ELEMENTS, 3),
  some(LOOK_ALIKES, 1),
  some(CONNECTION, 5),
  some(HOSTS, 1),
  some(JUNK, 2),
)
