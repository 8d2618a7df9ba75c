/**
 * Pure: which headers are read, stripped and set. Of a request: hop-by-hop first, then look-alikes, then ours, so that nothing
 * a caller sends can undo the swap. Of an answer: what is Amazon's connection's, and what poses as ours.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Steering } from '../rdt/need.ts'
import {
  APPLICATION_ID,
  DATA_ELEMENTS,
  type DataElement,
  REPORT_TYPE,
  SCOPES,
  SELLER_ID,
} from '../sp-api/operations.ts'

export const ACCESS_TOKEN = 'x-amz-access-token'

/** RFC 9110 §7.6.1 and its predecessors; `expect` is answered by our own server and would hide the call from the proxy's events. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
]
/** A Connection list must not take these away: they frame and route the message. */
const PROTECTED = new Set(['host', 'content-length', 'transfer-encoding', ACCESS_TOKEN])

export type CallerHeaders =
  | {
      readonly ok: true
      readonly accessToken: string | undefined
      readonly steering: Steering
      /** The managed seller in whose name the call is to go out, and what proves that the caller may. */
      readonly seller: string | undefined
      readonly callerToken: string | undefined
    }
  | { readonly ok: false; readonly why: string }

/** Reads the access token and the x-rdt-* headers. */
export const readHeaders = (headers: IncomingHttpHeaders): CallerHeaders => {
  const accessToken = headers[ACCESS_TOKEN]
  // Node joins repeated headers with a comma, which no token holds.
  if (Array.isArray(accessToken) || /[\s,]/.test(accessToken ?? '')) {
    return { ok: false, why: `${ACCESS_TOKEN} must hold one token` }
  }
  const steering: Record<string, unknown> = {}
  for (const name in headers) {
    const reader = name.startsWith('x-rdt-') ? STEERING.get(name) : undefined
    if (!reader) continue
    const { key, read, expected } = reader
    const value = headers[name]
    const meaning = typeof value === 'string' ? read(value.trim()) : undefined
    if (meaning === undefined) return { ok: false, why: `${name} must be ${expected}` }
    steering[key] = meaning
  }
  const seller = named(headers['x-rdt-seller'])
  if (seller === '') return { ok: false, why: `x-rdt-seller must be the id of a managed seller` }
  if (seller && accessToken) return { ok: false, why: `x-rdt-seller and ${ACCESS_TOKEN} exclude each other` }
  const callerToken = headers['x-rdt-caller-token']?.toString()
  return { ok: true, accessToken: accessToken || undefined, steering, seller, callerToken }
}

/** Empty where the value can be nobody's id. */
const named = (value: string | string[] | undefined): string | undefined =>
  value === undefined || SELLER_ID.test(value.toString()) ? value?.toString() : ''

/** What Amazon may see of a request's headers. A new object: V8 is slow with one from which names were deleted, wherever it is read. */
export const strippedHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders => {
  const nominated = nominatedIn(headers)
  const kept: IncomingHttpHeaders = {}
  for (const name in headers)
    if (!OF_THE_CONNECTION.has(name) && !nominated.includes(name) && !isOurs(name)) kept[name] = headers[name]
  return kept
}

/** What a Connection header names as meant for this connection alone. */
const nominatedIn = ({ connection = '' }: IncomingHttpHeaders): readonly string[] =>
  USUAL.test(connection)
    ? [] // nothing that is not stripped anyway
    : connection
        .toLowerCase()
        .split(',')
        .map((name) => name.trim())
        .filter((name) => !PROTECTED.has(name))
const USUAL = /^(?:keep-alive)?$/i

/**
 * Of an answer's headers those that are read, by us or by Node's agent, as Node gives them. All of them, of which it makes an object at
 * the first look, cost as much as to pass them on.
 */
export const headersRead = (rawHeaders: readonly string[]): IncomingHttpHeaders => {
  const headers: IncomingHttpHeaders = {}
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [raw = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    const name = READ_LENGTHS.has(raw.length) ? raw.toLowerCase() : ''
    if (READ.has(name)) headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  return headers
}
const READ = new Set(['connection', 'content-encoding', 'keep-alive', 'x-amzn-requestid'])
const READ_LENGTHS = new Set([...READ].map(({ length }) => length))

type Answer = Pick<IncomingMessage, 'statusCode' | 'headers' | 'rawHeaders'>

/** Amazon's headers for the caller, names and values in turn: as they came, less those of Amazon's connection and what poses as ours. */
export const answerHeaders = (
  { statusCode, headers: read, rawHeaders }: Answer,
  { httpVersion }: Pick<IncomingMessage, 'httpVersion'>,
  { shouldKeepAlive }: Pick<ServerResponse, 'shouldKeepAlive'>,
): string[] => {
  const chunkable = httpVersion !== '1.0' && statusCode !== 204 && statusCode !== 304
  const nominated = nominatedIn(read)
  const headers: string[] = []
  let ends = httpVersion !== '1.0' // the caller can tell where the body does
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    const plain = name.toLowerCase()
    if (OF_THE_CONNECTION.has(plain) || nominated.includes(plain) || plain.startsWith('x-rdt-')) continue
    const coding = plain === 'transfer-encoding'
    if (coding && !/\bchunked\s*$/i.test(value)) ends = false
    if (chunkable || !coding) headers.push(name, value)
  }
  headers.push('connection', shouldKeepAlive && ends ? 'keep-alive' : 'close')
  return headers
}
const OF_THE_CONNECTION = new Set(HOP_BY_HOP)

// Servers behind Amazon's edge may read x_amz_access_token or x.rdt.scope as the header proper.
const isOurs = (name: string): boolean => name !== ACCESS_TOKEN && POSING.test(name)
const POSING = /^x[^a-z0-9](?:rdt[^a-z0-9]|amz[^a-z0-9]access[^a-z0-9]token$)/

type Reader = { readonly key: keyof Steering; readonly expected: string; readonly read: (value: string) => unknown }

const oneOf =
  <T extends string>(...values: readonly T[]) =>
  (value: string): T | undefined =>
    values.find((known) => known === value)

const matching =
  (pattern: RegExp) =>
  (value: string): string | undefined =>
    pattern.test(value) ? value : undefined

const readElements = (value: string): readonly DataElement[] | undefined => {
  if (value === 'none') return []
  const named = value.split(',').map((part) => oneOf(...DATA_ELEMENTS)(part.trim()))
  return named.every((element) => element !== undefined) ? [...new Set(named)] : undefined
}

const STEERING: ReadonlyMap<string, Reader> = new Map(
  Object.entries({
    'x-rdt-mode': { key: 'mode', expected: 'auto, skip or force', read: oneOf('auto', 'skip', 'force') },
    'x-rdt-scope': { key: 'scope', expected: 'generic or specific', read: oneOf(...SCOPES) },
    'x-rdt-data-elements': {
      key: 'dataElements',
      expected: `none, or a list of ${DATA_ELEMENTS.join(', ')}`,
      read: readElements,
    },
    'x-rdt-target-application': {
      key: 'targetApplication',
      expected: 'an application id (amzn1.…)',
      read: matching(APPLICATION_ID),
    },
    'x-rdt-report-type': { key: 'reportType', expected: 'a report type (GET_…)', read: matching(REPORT_TYPE) },
  }),
)
