/**
 * The simulator's memory of what it was asked: the last 100 000 requests, without a single token in them. An entry is
 * there from the request's arrival and is completed when it is answered.
 */
import type { IncomingMessage } from 'node:http'
import type { LogEntry } from './types.ts'

/** An entry still being filled in. */
export type OpenEntry = { -readonly [K in keyof LogEntry]: LogEntry[K] }

export type Log = {
  readonly open: (req: IncomingMessage, at: number, kind: LogEntry['kind']) => OpenEntry
  readonly entries: () => readonly LogEntry[]
  readonly clear: () => void
}

const MOST_ENTRIES = 100_000
const SECRET_HEADERS = ['x-amz-access-token', 'authorization', 'cookie']

export const createLog = (): Log => {
  let entries: OpenEntry[] = []

  return {
    open: (req, at, kind) => {
      const entry: OpenEntry = {
        at,
        kind,
        method: req.method ?? '',
        target: withoutTokens(req.url ?? ''),
        status: 0,
        token: 'none',
        pii: false,
        headers: safeHeaders(req),
        bodyBytes: 0,
      }
      entries.push(entry)
      // Trimmed in one go now and then: shifting one by one would move the whole array each time.
      if (entries.length > MOST_ENTRIES * 1.1) entries = entries.slice(-MOST_ENTRIES)
      return entry
    },
    entries: () => entries.slice(-MOST_ENTRIES),
    clear: () => {
      entries = []
    },
  }
}

/** Takes anything that looks like an LWA or restricted data token, and a client secret by its name, out of a text. */
const withoutTokens = (text: string): string =>
  text
    .replace(/At(za|zr|z\.sprdt)(\||%7C)[^\s"'\\&,;]*/gi, '<removed>')
    .replace(/(client_secret=)[^\s"'\\&,;]*/gi, '$1<removed>')

/** A copy of a parsed body without tokens; undefined for one that cannot be written down again (nested too deeply). */
export const safeCopy = (body: unknown): unknown => {
  try {
    return body === undefined ? undefined : JSON.parse(withoutTokens(JSON.stringify(body)))
  } catch {
    return undefined
  }
}

const safeHeaders = (req: IncomingMessage): LogEntry['headers'] =>
  Object.fromEntries(
    Object.entries(req.headers).map(([name, value]) => [
      name,
      SECRET_HEADERS.includes(name) ? '<removed>' : safeValue(value),
    ]),
  )

const safeValue = (value: string | string[] | undefined): string | string[] | undefined =>
  typeof value === 'string' ? withoutTokens(value) : value?.map(withoutTokens)
