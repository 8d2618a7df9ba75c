/**
 * How the simulator reads a request target: as strictly as Amazon's edge plausibly does. Percent-encoded unreserved
 * characters (RFC 3986 section 2.3) are equal to themselves written out; nothing else is decoded, nothing is repaired.
 */

export type Target =
  | { readonly kind: 'read'; readonly path: string; readonly query: ReadonlyMap<string, string> }
  /** The edge refuses it: 400 with a web page. */
  | { readonly kind: 'odd' }
  /** Empty or dot segments: there is nothing at such a path. */
  | { readonly kind: 'nowhere' }

/** @param raw the request target as it came, `req.url`. */
export const readTarget = (raw: string): Target => {
  if (!raw.startsWith('/') || !/^[\x21-\x7e]*$/.test(raw) || /[#\\]|%(?![0-9a-f]{2})/i.test(raw)) return { kind: 'odd' }
  const mark = raw.indexOf('?')
  const path = sameSpelling(mark === -1 ? raw : raw.slice(0, mark))
  if (path.slice(1).split('/').some(isEmptyOrDots)) return { kind: 'nowhere' }
  return { kind: 'read', path, query: readQuery(mark === -1 ? '' : raw.slice(mark + 1)) }
}

/** One spelling of equal paths: unreserved characters written out, the remaining escapes in upper case. */
export const sameSpelling = (path: string): string =>
  path.replace(/%[0-9a-f]{2}/gi, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : triplet.toUpperCase()
  })

/** Percent-decodes, or gives the text back where it is not valid UTF-8. */
export const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const isEmptyOrDots = (segment: string): boolean => segment === '' || segment === '.' || segment === '..'

/** `+` stays a plus: next tokens are base64 and some clients do not encode it. */
const readQuery = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const [name = '', ...value] = pair.split('=')
        return [decoded(name), decoded(value.join('='))]
      }),
  )
