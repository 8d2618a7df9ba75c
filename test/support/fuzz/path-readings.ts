/**
 * Every path that some server could make of a request target, and which restricted operations it could be then. By Amazon's own list
 * (test/fixtures), and written without a look at how src/ does it: where this finds one, a call is not to go out unannounced.
 * Not read: other letter case (Amazon's paths are case-sensitive), headers that rewrite the path or the method.
 */
import { type ModelOperation, modelOperations } from '../models.ts'

type Step = (path: string) => string

const HEX = /%([0-9a-f]{2})/gi
// What lenient decoders take two, three or four bytes of UTF-8 for, where one would do.
const OVERLONG = /(?:([\xc0\xc1])|\xe0([\x80\x81])|\xf0\x80([\x80\x81]))([\x80-\xbf])/g

const overlong = (_: string, two: string, three: string, four: string, last: string): string =>
  String.fromCharCode((((two ?? three ?? four).charCodeAt(0) & 1) << 6) | (last.charCodeAt(0) & 0x3f))

const resolveDots: Step = (path) => {
  const out: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') out.pop()
    else if (segment !== '.' && segment !== '') out.push(segment)
  }
  return `/${out.join('/')}`
}

const asUrl: Step = (target) => {
  if (/[^\x20-\x7e]/.test(target)) return target // it would grow by every turn of encoding and decoding
  try {
    return new URL(target, 'http://amazon.example').pathname
  } catch {
    return target
  }
}

const STEPS: readonly Step[] = [
  (path) => path.replace(HEX, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  (path) => path.replace(OVERLONG, overlong),
  (path) => path.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, ''), // absolute form
  (path) => path.replace(/^\/\/[^/?#]*/, ''), // network path
  (path) => path.replace(/[?#\0].*$/s, ''),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/[\t\r\n]/g, ''),
  resolveDots,
  asUrl,
]
const MOST = 2000 // readings of one target: a hostile one must not cost the test its time

/** All that these steps make of what is before the query, in any order and any number of times. */
export const readingsOf = (target: string): ReadonlySet<string> => {
  const found = new Set([target.replace(/\?.*$/s, '')])
  for (const path of found) {
    for (const step of STEPS) if (found.size < MOST) found.add(step(path))
  }
  return found
}

const REMOVED = '/reports/2020-09-04/' // by Amazon, in 2024

export const restrictedOnes = modelOperations.filter(({ restricted, path }) => restricted && !path.startsWith(REMOVED))

/** The restricted operations that the target could be. */
export const restrictedIn = (method: string, target: string): readonly ModelOperation[] => {
  const candidates = restrictedOnes.filter((one) => one.method === method)
  if (candidates.length === 0) return []
  const paths = [...readingsOf(target)].map((path) => path.replace(/(?<=.)\/$/, ''))
  return candidates.filter(({ path: template }) => paths.some((path) => isOf(template, path)))
}

/** Whether a path is one of a template's. Dots that nobody resolves are no resource's name. */
export const isOf = (template: string, path: string): boolean => {
  const [parts, given] = [template.split('/'), path.split('/')]
  return (
    parts.length === given.length &&
    parts.every((part, i) => (part.startsWith('{') ? !NAMELESS.has(given[i] ?? '') : part === given[i]))
  )
}

const NAMELESS = new Set(['', '.', '..'])

/** The one spelling of a target's path (contract §3): unreserved characters written out, no trailing slash. */
export const spelled = (target: string): { readonly path: string; readonly query: string } => {
  const [, raw = '', query = ''] = /^([^?]*)(.*)$/s.exec(target) ?? []
  const path = raw.replace(HEX, (escaped, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : escaped
  })
  return { path: path.replace(/(?<=.)\/$/, ''), query }
}
