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
// Beyond the plain characters, only escapes of printable ASCII other than # % / ; ? \ { } are read alike by everybody.
const ODD = /[^\w~!$&'()*+,=:@./%-]|%(?:2[35f]|3[bf]|5c|7[bd]|[89a-f][0-9a-f])/i

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
  if (decodings(path).length > MAX_DECODINGS) return refused('it is percent-encoded over and over')
  return { safe: true, rawPath, path, query, odd: ODD.test(path) }
}

export const segmentsOf = (path: string): readonly string[] => path.slice(1).split('/')

/**
 * Every way in which another reader could split an odd path: percent-encoding decoded once more (several times),
 * cut at an encoded ? or #, encoded slashes (overlong ones too) or backslashes taken for slashes, `;parameters` dropped,
 * dot and empty segments then resolved.
 */
export function* readings(path: string): Generator<readonly string[]> {
  for (const text of new Set(decodings(path).flatMap((one) => [one, one.replace(/%(?:3f|23).*/i, '')]))) {
    for (const slash of SLASHES) {
      const segments = text.split(slash)
      yield resolved(segments)
      yield resolved(segments.map((segment) => segment.replace(/(?:;|%3b).*/i, '')))
    }
  }
}

const SLASHES = [/\//, /\/|%2f|%c0%af/i, /\/|\\|%5c/i, /\/|\\|%2f|%c0%af|%5c/i] as const

// Real chains decode a path once or twice; the bound keeps a hostile one from costing time.
const MAX_DECODINGS = 4

const decodings = (path: string): readonly string[] => {
  const texts = [path]
  for (let text = path; text.includes('%25') && texts.length <= MAX_DECODINGS; ) {
    text = writeOutUnreserved(text.replaceAll('%25', '%'))
    texts.push(text)
  }
  return texts
}

const resolved = (segments: readonly string[]): readonly string[] => {
  const out: string[] = []
  for (const segment of segments) {
    if (segment === '..') out.pop()
    else if (segment !== '' && segment !== '.') out.push(segment)
  }
  return out
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
