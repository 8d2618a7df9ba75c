/**
 * Where the store is: `redis://[user@]host[:port][/db]`, `rediss://` with TLS. Read by a pattern: what WHATWG makes of schemes that
 * it does not know lets too much pass (no host, case, percent signs in hosts, an empty password).
 */

export type StoreAddress = {
  readonly tls: boolean
  readonly username: string | undefined
  /** In lower case; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  readonly db: number
}

const SHAPE = /^redis(s?):\/\/(?:([^:@/?#\s]+)@)?([\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?(?:\/(\d{1,9})?)?$/i
const PORT = 6379

/** Undefined where the text is none. */
export const readStoreUrl = (text: string): StoreAddress | undefined => {
  const [shaped, tls, user, name = '', digits = PORT, db = 0] = SHAPE.exec(text) ?? []
  const [username, host, port] = [decoded(user ?? ''), hostOf(name), Number(digits)]
  if (shaped === undefined || username === undefined || host === undefined || port < 1 || port > 65_535)
    return undefined
  return { tls: tls !== '', username: username || undefined, host, port, db: Number(db) }
}

/** Whether a password stands in it, whatever else is wrong with it. */
export const holdsPassword = (text: string): boolean => /:\/\/.*(:|%3a).*@/is.test(text)

/** As it is connected to: an IPv4 address is that, however it is written. */
const hostOf = (text: string): string | undefined =>
  URL.canParse(`http://${text}`) ? new URL(`http://${text}`).hostname.replace(/^\[|\]$/g, '') : undefined

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
