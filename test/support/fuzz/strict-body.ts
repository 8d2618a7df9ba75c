/** Where a body ends, after RFC 9112 §6 and §7. */
import { type Field, readFields, valuesIn } from './strict-fields.ts'

export type Framing = { readonly kind: 'length'; readonly length: number } | { readonly kind: 'chunked' }
export type Body =
  | { readonly kind: 'whole'; readonly text: string; readonly rest: number }
  | { readonly kind: 'open' | 'fault'; readonly text: string; readonly why: string }

/** A length or chunks, said once and plainly, or neither; else why not. */
export const framingOf = ({
  fields,
  version,
}: {
  readonly fields: readonly Field[]
  readonly version: string
}): Framing | string => {
  const lengths = valuesIn(fields, 'content-length')
  const codings = valuesIn(fields, 'transfer-encoding')
  if (codings.length > 0 && lengths.length > 0) return 'a length and a coding'
  if (codings.length > 1 || lengths.length > 1) return 'framed twice'
  const [coding] = codings
  if (coding !== undefined) {
    if (version === '1.0') return 'a coding in HTTP/1.0'
    return coding.toLowerCase() === 'chunked' ? { kind: 'chunked' } : `the coding ${JSON.stringify(coding)}`
  }
  const [length = '0'] = lengths
  return /^\d{1,15}$/.test(length) ? { kind: 'length', length: Number(length) } : `the length ${JSON.stringify(length)}`
}

export const readBody = (bytes: string, from: number, framing: Framing): Body => {
  if (framing.kind === 'chunked') return readChunks(bytes, from)
  const rest = from + framing.length
  const text = bytes.slice(from, rest)
  return text.length < framing.length ? open(text) : { kind: 'whole', text, rest }
}

const open = (text: string): Body => ({ kind: 'open', text, why: 'a body that does not end' })
const fault = (text: string, why: string): Body => ({ kind: 'fault', text, why })

// What is no extension after all but stands where one may is passed over too (RFC 9112 §7.1.1): where the line ends is in no doubt.
const CHUNK_LINE = /^0*([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/

const readChunks = (bytes: string, from: number): Body => {
  let text = ''
  for (let at = from; ; ) {
    const line = lineAt(bytes, at)
    if (line === undefined) return open(text)
    const [, hex] = CHUNK_LINE.exec(line) ?? []
    if (hex === undefined) return fault(text, `the chunk ${JSON.stringify(line.slice(0, 60))}`)
    const start = at + line.length + 2
    const size = Number.parseInt(hex, 16)
    if (size === 0) return readTrailers(bytes, start, text)
    text += bytes.slice(start, start + size)
    const end = bytes.slice(start + size, start + size + 2)
    if (!'\r\n'.startsWith(end)) return fault(text, 'a chunk that does not end')
    if (end.length < 2) return open(text)
    at = start + size + 2
  }
}

const readTrailers = (bytes: string, from: number, text: string): Body => {
  for (let at = from; ; ) {
    const line = lineAt(bytes, at)
    if (line === undefined) return open(text)
    at += line.length + 2
    if (line === '') return { kind: 'whole', text, rest: at }
    if (typeof readFields([line]) === 'string') return fault(text, `the trailer ${JSON.stringify(line.slice(0, 60))}`)
  }
}

/** Undefined where it does not end. One that ends with a bare LF keeps it, and so is neither a chunk nor a trailer. */
const lineAt = (bytes: string, at: number): string | undefined => {
  const end = bytes.indexOf('\n', at)
  if (end < 0) return undefined
  return end > at && bytes[end - 1] === '\r' ? bytes.slice(at, end - 1) : bytes.slice(at, end + 1)
}
