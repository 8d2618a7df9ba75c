/**
 * Our own reader of HTTP/1 bytes, after RFC 9112 and 9110, for judging what others made of the same bytes. It takes nothing from
 * Node's parser or from src/. Whatever two readers could take for different messages it does not read: it says why, and stops there.
 * Text is latin1: one character, one byte.
 */
import { type Body, framingOf, readBody } from './strict-body.ts'
import { type Field, readFields, strangeIn, TCHAR, valuesIn } from './strict-fields.ts'

export type Head = {
  readonly method: string
  readonly target: string
  readonly version: string
  /** Names as they came. */
  readonly fields: readonly Field[]
}
export type Message = Head & { readonly body: string }

/** What ends a reading: the bytes end too early, or cannot be read. `head`: where a body has begun that does not end as it should. */
export type End = { readonly kind: 'open' | 'fault'; readonly why: string; readonly head?: Head; readonly body: string }
/** `rest`: where the next message begins. */
export type Read = { readonly kind: 'message'; readonly message: Message; readonly rest: number } | End

/**
 * `lenient`: several spaces are taken for one and line ends before a request passed over, as RFC 9112 §2.2 and §3 let a server do, and
 * RTSP/1.0 is taken for HTTP/1.0, as Node's parser does and does not tell. What comes of it has one reading all the same.
 */
export type Line = 'exact' | 'lenient'

/** The request that begins at `from`. */
export const readRequest = (bytes: string, from: number, line: Line): Read => {
  const start = line === 'exact' ? from : from + emptyLines(bytes.slice(from)).length
  const end = bytes.indexOf('\r\n\r\n', start)
  const text = bytes.slice(start, end < 0 ? undefined : end)
  const strange = strangeIn(text)
  if (strange) return ended('fault', `${strange} in a head`)
  if (end < 0) return ended('open', 'a head that does not end')
  const head = readHead(text, line)
  if (typeof head === 'string') return ended('fault', head)
  const framing = framingOf(head)
  if (typeof framing === 'string') return ended('fault', framing)
  const body = readBody(bytes, end + 4, framing)
  return body.kind === 'whole'
    ? { kind: 'message', message: { ...head, body: body.text }, rest: body.rest }
    : ended(body.kind, body.why, head, body)
}

const emptyLines = (bytes: string): string => /^[\r\n]*/.exec(bytes)?.[0] ?? ''

const ended = (kind: End['kind'], why: string, head?: Head, body?: Body): End => ({
  kind,
  why,
  ...(head && { head }),
  body: body?.text ?? '',
})

const REQUEST_LINE: Readonly<Record<Line, RegExp>> = {
  exact: new RegExp(`^(${TCHAR}) ([\\x21-\\x7e]+) HTTP/(1\\.[01])$`),
  lenient: new RegExp(`^(${TCHAR}) +([\\x21-\\x7e]+) +(?:HTTP|(?<=^(?:GET|POST|OPTIONS) .*)RTSP)/(1\\.[01])$`),
}

const readHead = (text: string, line: Line): Head | string => {
  const [first = '', ...lines] = text.split('\r\n')
  const [, method = '', target = '', version = ''] = REQUEST_LINE[line].exec(first) ?? []
  if (version === '') return 'no request line'
  const fields = readFields(lines)
  if (typeof fields === 'string') return fields
  const hosts = valuesIn(fields, 'host')
  if (hosts.length > 1) return 'more than one Host'
  if (hosts.length === 0 && version === '1.1') return 'no Host'
  return { method, target, version, fields }
}

export type Reading = {
  readonly messages: readonly Message[]
  /** Undefined where the bytes end with a message. */
  readonly end: End | undefined
}

/** Every request of a caller's connection, until the bytes end or cannot be read. */
export const readRequests = (bytes: string): Reading => {
  const messages: Message[] = []
  for (let at = 0; ; ) {
    const read = readRequest(bytes, at, 'lenient')
    if (read.kind !== 'message') {
      const left = bytes.length - at - emptyLines(bytes.slice(at)).length
      return { messages, end: left === 0 ? undefined : read }
    }
    messages.push(read.message)
    at = read.rest
  }
}
