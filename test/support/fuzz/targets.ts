/** Arbitrary request targets: real ones of Amazon's, most of them bent in the ways in which paths are bent to be read as others. */
import fc from 'fast-check'
import { modelOperations } from '../models.ts'
import { restrictedOnes } from './path-readings.ts'

export type Start = { readonly method: string; readonly target: string }

const IDS = ['902-1', '902-2', 'A-1', 'plain-1', '902-1%2D', '%39', '~x_y.z', 'a b'.replace(' ', '%20'), '{orderId}']

const open = modelOperations.filter(({ restricted }) => !restricted)
const takingElements = restrictedOnes.filter(({ restricted }) => (restricted?.takes.length ?? 0) > 0)
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...restrictedOnes) },
  { weight: 2, arbitrary: fc.constantFrom(...takingElements) },
  { weight: 3, arbitrary: fc.constantFrom(...open) },
)
const real: fc.Arbitrary<Start> = fc
  .tuple(
    operation,
    fc.oneof({ weight: 6, arbitrary: fc.constantFrom('902-1', '902-2', 'A-1', 'plain-1') }, fc.constantFrom(...IDS)),
  )
  .map(([{ method, path }, id]) => ({ method, target: path.replace(/\{\w+\}/g, id) }))
/** Where the caller's own token may go out, announced. */
const announced: readonly Start[] = [
  { method: 'GET', target: '/reports/2021-06-30/documents/plain-1' },
  { method: 'GET', target: '/mfn/v0/shipments/902-1' },
]

const SLASHES = [
  '//',
  '/./',
  '%2f',
  '%2F',
  '\\',
  '%5C',
  '/%2e/',
  '%252f',
  '%255c',
  ';a=b/',
  '%3b/',
  '/x/../',
  '/x/%2e%2e/',
  '%c0%af',
  '%e0%80%af',
  '%c1%9c',
  '/\\',
  '%u002f',
  '%25252f',
  '/;/',
]
const INSERTS = [
  '..',
  '/..',
  '/../',
  '.',
  '%2e%2e',
  '/%2e%2e/',
  '%252e%252e',
  '..;',
  '/..;/',
  ';',
  ';x',
  '%3b',
  '%00',
  '%0d%0a',
  '%09',
  '%20',
  '%',
  '%2',
  '%zz',
  '%u2215',
  '\0',
  '\x01',
  '\t',
  ' ',
  '\x7f',
  '\x80',
  '\xff',
  '\xc3\xa9',
  '%c3%a9',
  '%c0%ae%c0%ae',
  '/%c0%ae%c0%ae/',
  '%e0%80%ae',
  '{',
  '}',
  '|',
  '^',
  '`',
  '"',
  '<',
  '[',
  '#',
  '%23',
  '?',
  '%3f',
  '%253f',
  '&',
  '+',
  '*',
  '@',
  ':',
  '\\',
  '%5c..%5c',
]
const PREFIXES = [
  'http://sellingpartnerapi-na.amazon.com',
  'http://127.0.0.1:1',
  'HTTPS://a',
  'http://',
  'foo:',
  '//',
  '//a',
  '/.',
  '/..',
  '/x/..',
  '/sellers/..;',
  '/%2e',
  '/%2e%2e',
  '/;',
  '/sellers/v1/..%2f..',
  '/sellers/%c0%ae%c0%ae',
  '/\\..',
  '*',
  '',
  ' ',
  '\\',
  '/%2f',
  '/x%2f..',
  '/x%5c..',
  '#',
  '?',
  '/?',
  '/#',
]
const SUFFIXES = [
  '/',
  '//',
  '/.',
  '/..',
  '?',
  '?a=1',
  '?a=/../b%2f%00',
  '?#',
  '#',
  '#f',
  '%23',
  '%3f',
  ';',
  ';v=1',
  '%2f',
  '%2f..',
  '/../x',
  '/%2e%2e/x',
  '%20',
  '%00',
  '%',
  '.json',
  '\\',
  '?x= ',
  '?x=\xe9',
  '/x/..',
  '/;/',
  '%c0%af',
  '?MarketplaceIds=A1&CreatedAfter=2026-01-01',
]

const encoded = (character: string): string => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
/** An ASCII character in two or three bytes of UTF-8, as no encoder writes it. */
const overlong = (character: string): string => {
  const code = character.charCodeAt(0)
  return `%${(0xc0 | (code >> 6)).toString(16)}%${(0x80 | (code & 0x3f)).toString(16)}`
}
const SPELLINGS = [
  encoded,
  (c: string) => encoded(c).toUpperCase(),
  (c: string) => encoded(c).replace('%', '%25'),
  (c: string) => encoded(c).replace('%', '%2525'),
  overlong,
  (c: string) => c.toUpperCase(),
]

type Edit = (target: string) => string
/** Where: a share of the length. */
const where = fc.nat(999).map((thousandths) => thousandths / 1000)

const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(where, fc.constantFrom(...SLASHES)).map(
    ([at, slash]): Edit =>
      (target) => {
        const places = [...target.matchAll(/\//g)].map(({ index }) => index)
        const place = places[Math.floor(at * places.length)] ?? 0
        return target.slice(0, place) + slash + target.slice(place + 1)
      },
  ),
  fc.tuple(where, fc.constantFrom(...SPELLINGS)).map(
    ([at, spell]): Edit =>
      (target) => {
        const place = Math.floor(at * target.length)
        return target.slice(0, place) + spell(target[place] ?? 'a') + target.slice(place + 1)
      },
  ),
  fc.tuple(where, fc.constantFrom(...INSERTS)).map(
    ([at, text]): Edit =>
      (target) => {
        const place = Math.floor(at * target.length) + 1
        return target.slice(0, place) + text + target.slice(place)
      },
  ),
  fc.constantFrom(...PREFIXES).map(
    (prefix): Edit =>
      (target) =>
        prefix + target,
  ),
  fc.constantFrom(...SUFFIXES).map(
    (suffix): Edit =>
      (target) =>
        target + suffix,
  ),
)

/** Out of an open path and into a restricted one, with one kind of slash and one kind of dots. */
const climbing: fc.Arbitrary<Start> = fc
  .tuple(
    fc.constantFrom('/sellers/v1', '/listings/2021-08-01/items/S', '/orders/v0/orders/902-1/shipment', '/x'),
    fc.constantFrom('/', '%2f', '%252F', '\\', '%5c', '%c0%af', '%e0%80%af'),
    fc.constantFrom('..', '%2e%2e', '.%2E', '%252e.', '%c0%ae%c0%ae', '..;', '..%3bx'),
    real,
  )
  .map(([from, slash, dots, { method, target }]) => {
    const up = from
      .split('/')
      .slice(1)
      .map(() => slash + dots)
      .join('')
    return { method, target: from + up + target.replaceAll('/', slash) }
  })

const STRANGE: readonly Start[] = [
  { method: 'CONNECT', target: 'sellingpartnerapi-na.amazon.com:443' },
  { method: 'CONNECT', target: '/orders/v0/orders' },
  { method: 'OPTIONS', target: '*' },
  { method: 'PRI', target: '*' },
  { method: 'GET', target: '' },
  { method: 'GET', target: '/' },
  { method: 'POST', target: '/tokens/2021-03-01/restrictedDataToken' },
  { method: 'POST', target: '/tokens/2021-03-01/restrictedDataToken/' },
  { method: 'POST', target: '/tokens/2021-03-01//restrictedDataToken' },
]
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'PURGE',
  'M-SEARCH',
  'QUERY',
  'get',
  'Get',
  'FETCH',
  'GET\t',
  ' GET',
  'G\0ET',
  '',
]

const bent = fc
  .tuple(real, fc.array(edits, { minLength: 1, maxLength: 4 }))
  .map(([start, changes]) => ({ ...start, target: changes.reduce((target, change) => change(target), start.target) }))
const renamed = fc.tuple(real, fc.constantFrom(...METHODS)).map(([start, method]) => ({ ...start, method }))

export const starts: fc.Arbitrary<Start> = fc.oneof(
  { weight: 14, arbitrary: real },
  { weight: 1, arbitrary: fc.constantFrom(...announced) },
  { weight: 6, arbitrary: bent },
  { weight: 2, arbitrary: climbing },
  { weight: 1, arbitrary: renamed },
  { weight: 1, arbitrary: fc.constantFrom(...STRANGE) },
)
