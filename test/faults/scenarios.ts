/** The faults that are tried at each hop, and what is promised of each: what the caller gets, within which bound, when it is served again. */
import * as a from './answers.ts'
import type { Hop } from './relay.ts'
import type { Injection, Probe } from './trial.ts'

/** Which setting bounds the wait. `none`: nothing is waited for, pauses between attempts apart. `bytes`: it lasts as long as they come. */
export type Bound = 'none' | 'connect' | 'response' | 'attempts' | 'patience' | 'bytes'
/**
 * `retry-after`: once the seconds are over that the callers were told. `attempt`: once the attempt is over that is under way.
 * `refusal`: it counts as a refusal, and is held.
 */
export type Recovery = 'next' | 'retry-after' | 'attempt' | 'refusal'
export type Scenario = {
  readonly hop: Hop
  /** In the words of the table. */
  readonly fault: string
  readonly injection: Injection
  /** As `gotOf` has it (trial.ts). */
  readonly gets: string
  readonly bound: Bound
  readonly recovers: Recovery
  /** In the details of the caller's answer: the fault was the one that was meant. */
  readonly says?: RegExp
  /** Where not every call meets the fault alike. */
  readonly probes?: readonly Probe[]
}

export const SERVED = "Amazon's answer"
export const CUT = 'the head, then cut off'
export const ENDLESS = 'the bytes as they come'
export const asItCame = (status: number): string => `${status}, as it came`

const json = (target: string, body: object): Probe => ({ target, method: 'POST', body: JSON.stringify(body) })
export const RESTRICTED_POST = json('/mfn/v0/shipments', {})
export const OPEN_POST = json('/feeds/2021-06-30/feeds', { feedType: 'x' })
export const RESTRICTED_GET: Probe = { target: '/orders/v0/orders/902-1/address', method: 'GET' }
export const OWN_MINT = json('/tokens/2021-03-01/restrictedDataToken', {
  restrictedResources: [{ method: 'GET', path: '/orders/v0/orders/{orderId}' }],
})
/** What calls at each hop. */
export const PROBES: Readonly<Record<Hop, readonly Probe[]>> = {
  lwa: [RESTRICTED_POST, OPEN_POST, OWN_MINT],
  mint: [RESTRICTED_POST],
  call: [RESTRICTED_POST, OPEN_POST, RESTRICTED_GET],
}

type Row = readonly [
  fault: string,
  injection: Injection,
  gets: string,
  bound?: Bound,
  more?: Pick<Partial<Scenario>, 'says' | 'probes' | 'recovers'>,
]

/** What passes by itself takes no recovery; after a failure Login with Amazon is left alone for a second. */
const rowsOf = (hop: Hop, rows: readonly Row[]): readonly Scenario[] =>
  rows.map(([fault, injection, gets, bound = 'none', more]) => {
    const recovers = hop === 'lwa' && gets !== SERVED ? 'retry-after' : 'next'
    return { hop, fault, injection, gets, bound, recovers, ...more }
  })

/** `fails`: what is noticed at once; `late`: what a timeout must tell. */
const connections = (
  fails: string,
  late: string,
  { connecting, answering }: Readonly<Record<'connecting' | 'answering', Bound>>,
): readonly Row[] => {
  const says = (what: RegExp) => [fails, 'none', { says: what }] as const
  return [
    ['connection refused', { door: 'shut' }, ...says(/ECONNREFUSED/)],
    ['packets lost', { door: 'lost' }, late, connecting],
    ['connection taken and never answered', { door: 'silent' }, late, answering],
    ['connection reset as soon as it is there', { door: 'reset' }, ...says(RESET)],
    ['name that does not resolve', { name: 'unknown' }, ...says(/ENOTFOUND|EAI_AGAIN/)],
    ['name server that does not answer', { name: 'silent' }, late, connecting],
    ['TLS handshake that hangs', { door: 'silent', tls: true }, late, connecting],
    ['TLS handshake reset', { door: 'reset', tls: true }, ...says(RESET)],
    ['no TLS where it is expected', { door: 'plaintext', tls: true }, ...says(/EPROTO|SSL/)],
    ['certificate that nobody vouches for', { door: 'stranger', tls: true }, ...says(/SELF_SIGNED/)],
    ['certificate that has run out', { door: 'expired', tls: true }, ...says(/CERT_HAS_EXPIRED/)],
    ['certificate of another host', { door: 'elsewhere', tls: true }, ...says(/ALTNAME/)],
  ]
}
const RESET = /ECONNRESET|UND_ERR_SOCKET/

/** Of the two POSTs that the sidecar makes itself: it needs the answer whole. */
const posts = (gets: string): readonly Row[] => {
  const fails = (fault: string, answer: a.Fault): Row => [fault, { answer }, gets]
  const late = (fault: string, answer: a.Fault): Row => [fault, { answer }, gets, 'attempts']
  const says = (fault: string, answer: a.Fault, what: RegExp): Row => [fault, { answer }, gets, 'none', { says: what }]
  return [
    ...connections(gets, gets, { connecting: 'attempts', answering: 'attempts' }),
    late('silence', a.hang),
    ['silence, longer than callers may wait', { answer: a.hang }, gets, 'patience', { recovers: 'attempt' }],
    says('reset before the head', a.resetBeforeHead, RESET),
    fails('closed before the head', a.endBeforeHead),
    fails('reset in the head', a.resetInHead),
    late('silence in the head', a.silenceInHead),
    late('head a byte at a time, without end', a.endlessHead),
    late('102 after 102, without end', a.endlessProcessing),
    fails('reset after the head', a.resetAfterHead),
    late('silence after the head', a.silenceAfterHead),
    fails('reset in the body', a.resetInBody),
    late('silence in the body', a.silenceInBody),
    late('body a byte at a time, without end', a.endlessTrickle),
    ['body a byte at a time', { answer: a.trickle }, SERVED],
    ['answer late, but in time', { answer: a.slow(300) }, SERVED, 'attempts'],
    fails('body shorter than its length', a.endInBody),
    fails('chunked body cut short', a.endInChunks),
    fails('chunk without a length', a.brokenChunk),
    fails('bytes that are no HTTP', a.garbage),
    fails('two Content-Lengths', a.twoLengths),
    fails('Content-Length and chunks', a.lengthAndChunks),
    fails('head of 200 kB', a.longHead),
    fails('101 that nobody asked for', a.unaskedUpgrade),
    fails('100 that nobody asked for', a.everyHint),
    ['102 and 103 before the answer', { answer: a.earlyHints }, SERVED],
    says('200 without a body', a.emptyBody, /answered 200/),
    says('200 with a web page', a.webPage(200), /answered 200/),
    says('200 with JSON of another shape', a.wrongShape, /answered 200/),
    says('200 with `null`', a.notAnObject, /answered 200/),
    says('200 with JSON cut short', a.cutJson, /answered 200/),
    says('200 with an answer of a megabyte', a.farTooLarge, /answered 200/),
    says('200 with a body without end', a.endlessBody, /answered 200/),
    says('200 that unpacks to 50 MB', a.bomb, /answered 200/),
    fails('200 that says gzip and is not', a.falseEncoding),
    says('500', a.status(500), /answered 500/),
    says('503 with Retry-After', a.status(503, { 'retry-after': '7' }), /answered 503/),
    says('redirect', a.redirectTo('/elsewhere'), /answered 307/),
  ]
}

const LWA_DOWN = '503 lwa-unavailable'
export const LWA = rowsOf('lwa', [
  ...posts(LWA_DOWN),
  ['429', { answer: a.status(429) }, LWA_DOWN],
  ['429 with Retry-After', { answer: a.status(429, { 'retry-after': '7' }) }, LWA_DOWN],
  ["403 with a proxy's web page", { answer: a.webPage(403) }, '403 lwa-refused', 'none', { recovers: 'refusal' }],
])

const NO_MINT = '503 mint-unavailable'
const PLAN_RATE = { 'x-amzn-ratelimit-limit': '0.5', 'retry-after': '7' }
export const TOKENS_API = rowsOf('mint', [
  ...posts(NO_MINT),
  ['429', { answer: a.status(429) }, '429 mint-throttled', 'patience', { recovers: 'retry-after' }],
  [
    '429 with headers',
    { answer: a.status(429, PLAN_RATE) },
    '429 mint-throttled',
    'patience',
    { recovers: 'retry-after' },
  ],
  ["403 with a proxy's web page", { answer: a.webPage(403) }, '403 mint-refused', 'none', { recovers: 'refusal' }],
  ["400 with a proxy's web page", { answer: a.webPage(400) }, '400 mint-refused', 'none', { recovers: 'refusal' }],
])

const GONE = '502 upstream-unreachable'
const LATE = '504 upstream-timeout'
const HELD = { probes: [RESTRICTED_POST, RESTRICTED_GET] } // of the token's 403 nothing goes out before it is whole
const gone = (fault: string, answer: a.Fault, says: RegExp): Row => [fault, { answer }, GONE, 'none', { says }]
const cut = (fault: string, answer: a.Fault, bound: Bound = 'none'): Row => [fault, { answer }, CUT, bound]
const passed = (status: number, headers?: Record<string, string>): Row['1'] => ({ answer: a.status(status, headers) })
export const SP_API = rowsOf('call', [
  ...connections(GONE, LATE, { connecting: 'connect', answering: 'response' }),
  ['kept connections gone, new ones taken', { door: 'cut' }, SERVED],
  ['silence', { answer: a.hang }, LATE, 'response'],
  gone('reset before the head', a.resetBeforeHead, RESET),
  gone('closed before the head', a.endBeforeHead, RESET),
  gone('reset in the head', a.resetInHead, RESET),
  ['silence in the head', { answer: a.silenceInHead }, LATE, 'response'],
  ['head a byte at a time, without end', { answer: a.endlessHead }, LATE, 'response'],
  ['102 after 102, without end', { answer: a.endlessProcessing }, LATE, 'response'],
  cut('reset after the head', a.resetAfterHead),
  cut('silence after the head', a.silenceAfterHead, 'response'),
  cut('reset in the body', a.resetInBody),
  cut('silence in the body', a.silenceInBody, 'response'),
  ['body a byte at a time, without end', { answer: a.endlessTrickle }, ENDLESS, 'bytes'],
  ['body a byte at a time', { answer: a.trickle }, SERVED, 'response'],
  ['answer late, but in time', { answer: a.slow(300) }, SERVED, 'response'],
  cut('body shorter than its length', a.endInBody),
  cut('chunked body cut short', a.endInChunks),
  cut('chunk without a length', a.brokenChunk),
  ['403 reset in the body', { answer: a.resetInForbidden }, GONE, 'none', HELD],
  ['403 shorter than its length', { answer: a.endInForbidden }, GONE, 'none', HELD],
  ['403 with silence in the body', { answer: a.silenceInForbidden }, LATE, 'response', HELD],
  gone('bytes that are no HTTP', a.garbage, /HPE_/),
  gone('two Content-Lengths', a.twoLengths, /HPE_/),
  gone('Content-Length and chunks', a.lengthAndChunks, /HPE_/),
  gone('head of 200 kB', a.longHead, /HPE_HEADER_OVERFLOW/),
  gone('101 that nobody asked for', a.unaskedUpgrade, /UNASKED_UPGRADE/),
  ['100, 102 and 103 before the answer', { answer: a.everyHint }, SERVED],
  ['an answer more than was asked for', { answer: a.oneTooMany }, SERVED],
  ['200 with JSON cut short', { answer: a.cutJson }, asItCame(200)],
  ['200 that says gzip and is not', { answer: a.falseEncoding }, asItCame(200)],
  ['500', passed(500), asItCame(500)],
  ['503 with Retry-After', passed(503, { 'retry-after': '7' }), asItCame(503)],
  ['429', passed(429), asItCame(429)],
  ['429 with headers', passed(429, PLAN_RATE), asItCame(429)],
  ['redirect', { answer: a.redirectTo('/elsewhere') }, asItCame(307)],
])

/** By hop, in the order of a call's way. */
export const ALL: readonly (readonly Scenario[])[] = [LWA, TOKENS_API, SP_API]
export const NAMES: Readonly<Record<Hop, string>> = { lwa: 'Login with Amazon', mint: 'Tokens API', call: 'SP-API' }

/** How often a POST arrives at SP-API that meets the fault: not without its token, nor where there is no connection. */
export const timesPosted = ({ hop, gets, injection }: Scenario): number =>
  gets === SERVED || (hop === 'call' && 'answer' in injection) ? 1 : 0
