/**
 * Reads a raw request target the one way Amazon must read it too, or refuses it.
 * Promises: what is returned as safe has one spelling. Does not know which operations are restricted.
 */

export type SafeTarget = {
  readonly safe: true
  /** The path as the caller wrote it. */
  readonly rawPath: string
  /** The path in its one spelling: unreserved characters written out, no trailing slash. */
  readonly path: string
  /** From the question mark on, or empty. */
  readonly query: string
  /** True where another reader could split or decode the path differently: see {@link readings}. */
  readonly odd: boolean
}
export type Target = SafeTarget | { readonly safe: false; readonly why: string }

// Nothing but characters that everybody reads alike (RFC 3986 pchar less `;` and `%`), no segment that starts with a dot.
const PLAIN = /^(?:\/(?!\.)[\w~!$&'()*+,=:@.-]+)+\/?$/
const ESCAPE = /%([0-9a-f]{2})/gi
const UNRESERVED = /[\w.~-]/
// Beyond the plain characters, only escapes of printable ASCII other than # % / ; ? \ { } are read alike by everybody; a space at the
// end is not.
const ODD = /[^\w~!$&'()*+,=:@./%-]|%(?:2[35f]|3[bf]|5c|7[bd]|[89a-f][0-9a-f]|20$)/i

const RULES: readonly (readonly [RegExp, string])[] = [
  [/\p{Cc}/u, 'it holds a control character'],
  [/\\/, 'it holds a backslash'],
  [/%(?![0-9a-f]{2})/i, 'its percent-encoding is broken'],
  [/%(?:[01][0-9a-f]|7f)/i, 'it holds an encoded control character'],
]

/** Parses `req.url`. Never throws. */
export const parseTarget = (raw: string): Target => {
  if (!raw.startsWith('/')) return refused('the request target is not a path (origin form)')
  if (raw.includes('#')) return refused('it holds a fragment')
  const mark = raw.indexOf('?')
  const rawPath = mark < 0 ? raw : raw.slice(0, mark)
  const query = mark < 0 ? '' : raw.slice(mark)
  if (PLAIN.test(rawPath)) return { safe: true, rawPath, path: withoutTrailingSlash(rawPath), query, odd: false }
  const broken = RULES.find(([rule]) => rule.test(rawPath))
  if (broken) return refused(broken[1])
  const path = withoutTrailingSlash(writeOutUnreserved(rawPath))
  const segments = segmentsOf(path)
  if (segments.some(isDots)) return refused('it holds a dot segment')
  if (rawPath !== '/' && segments.includes('')) return refused('it holds an empty segment')
  if (isDecodedOften(path)) return refused('it is percent-encoded over and over')
  return { safe: true, rawPath, path, query, odd: ODD.test(path) }
}

export const segmentsOf = (path: string): readonly string[] => path.slice(1).split('/')

/**
 * Every way in which other readers, one behind another, could split an odd path: whatever comes of these steps in any order and any
 * number. Undefined where there are too many ways to tell.
 */
export const readings = (path: string): readonly (readonly string[])[] | undefined => {
  const texts = new Set([path])
  for (const text of texts) {
    for (const step of STEPS) texts.add(step(text))
    if (texts.size > MOST_READINGS || texts.size * path.length > MOST_CHARACTERS) return undefined
  }
  return [...texts].map(segmentsOf)
}
// An honest path has some ten, of a hundred characters each, and a hostile one must not cost time.
const MOST_READINGS = 100
const MOST_CHARACTERS = 100_000

const STEPS: readonly ((path: string) => string)[] = [
  (path) => (path.includes('%25') ? writeOutUnreserved(path.replaceAll('%25', '%')) : path), // decoded once more
  (path) => writeOutUnreserved(path.replace(OVERLONG, shortened)),
  (path) => path.replace(/%(?:3f|23).*/i, ''),
  (path) => path.replace(/%2f/gi, '/'),
  (path) => path.replace(/\\|%5c/gi, '/'),
  (path) => path.replace(/(?:;|%3b)[^/]*/gi, ''), // parameters
  (path) => path.replace(/^\/{2,}[^/]*/, ''), // a host
  (path) => path.replace(/%20$/, ''),
  (path) => path.replace(/\/{2,}/g, '/'),
  (path) => withoutTrailingSlash(path),
  (path) => resolved(path),
]

// ASCII in two to six bytes of UTF-8 (RFC 3629 §10), which lenient decoders take for what it would be in one.
const OVERLONG = /%(?:c[01]|(?:e0|f0%80|f8%80%80|fc%80%80%80)%8[01])%[89ab][0-9a-f]/gi

const shortened = (overlong: string): string => {
  const [high = 0, low = 0] = overlong
    .slice(-5)
    .split('%')
    .map((hex) => Number.parseInt(hex, 16))
  return `%${(((high & 1) << 6) | (low & 0x3f)).toString(16).padStart(2, '0')}`
}

// Real chains decode a path once or twice; the bound keeps a hostile one from costing time.
const MAX_DECODINGS = 3

const isDecodedOften = (path: string): boolean => {
  let text = path
  for (let times = 0; times < MAX_DECODINGS; times += 1) text = text.replaceAll('%25', '%')
  return text.includes('%25')
}

/** Without its dot segments; an empty one in the way is taken up as a name is (RFC 3986 §5.2.4). */
const resolved = (path: string): string => {
  const out: string[] = []
  for (const segment of segmentsOf(path)) {
    if (segment === '..') out.pop()
    else if (segment !== '.') out.push(segment)
  }
  return `/${out.join('/')}`
}

const writeOutUnreserved = (path: string): string =>
  path.replace(ESCAPE, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return UNRESERVED.test(character) ? character : encoded
  })

const withoutTrailingSlash = (path: string): string =>
  path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
const isDots = (segment: string): boolean => segment === '.' || segment === '..'
const refused = (why: string): Target => ({ safe: false, why })
