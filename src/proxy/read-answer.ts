/** Reads an answer of Amazon's on its way: a 403 before the caller has it, a list of reports while it passes. What the caller gets stays as it came. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { blamesToken } from '../rdt/refusal.ts'
import { firstError } from '../sp-api/errors.ts'

export type Forbidden = {
  /** Its body; of a large one, the beginning. */
  readonly text: string
  /** Lets the caller have it as it came. */
  readonly passOn: () => void
}

/** A 403 that the token is to blame for. */
export const isTokensFault = ({ text }: Forbidden): boolean => blamesToken(firstError(text)?.details ?? '')

// Amazon's errors and lists of reports hold some kilobytes.
const MOST_HELD = 65_536
const MOST_HEARD = 1_048_576

/** Keeps a 403 back until `decide` has said what becomes of it; `begin` writes its head. One that is cut off is cut off for the caller too. */
export const hold = async (
  answer: IncomingMessage,
  res: ServerResponse,
  begin: () => void,
  decide: (forbidden: Forbidden) => void,
): Promise<void> => {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of answer.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk)
      size += chunk.length
      if (size > MOST_HELD) break
    }
  } catch {
    return // the proxy library destroys the response
  }
  const body = Buffer.concat(chunks)
  const release = () => {
    if (res.destroyed) return
    begin()
    res.write(body)
    if (answer.readableEnded) res.end()
    else passOn(answer, res)
  }
  decide({ text: textOf(body, answer.headers['content-encoding']), passOn: release })
}

/**
 * The body of an answer, no faster than the caller takes it. What `pipe` does beside that is for receivers that come and go: the proxy
 * library ends each of the two with the other.
 */
export const passOn = (answer: IncomingMessage, res: ServerResponse): void => {
  answer.on('data', (chunk: Buffer) => {
    if (res.write(chunk)) return
    answer.pause()
    res.once('drain', () => answer.resume())
  })
  answer.on('end', () => res.end())
}

/** Reads along without delaying or changing what the caller gets. */
export const listenTo = (answer: IncomingMessage, onAnswer: (text: string) => void): void => {
  const chunks: Buffer[] = []
  let size = 0
  answer.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MOST_HEARD) chunks.push(chunk)
    else chunks.length = 0
  })
  answer.once('end', () => {
    if (size <= MOST_HEARD) onAnswer(textOf(Buffer.concat(chunks), answer.headers['content-encoding']))
  })
}

// Answers this is asked for hold some kilobytes; what unpacks to more is not looked at.
const LIMIT = { maxOutputLength: 4_194_304 }

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes, LIMIT),
  'x-gzip': (bytes) => gunzipSync(bytes, LIMIT),
  deflate: (bytes) => inflateSync(bytes, LIMIT),
  br: (bytes) => brotliDecompressSync(bytes, LIMIT),
  identity: (bytes) => bytes,
}

/** `encoding`: the Content-Encoding header. Empty where it cannot be read. */
const textOf = (bytes: Buffer, encoding = 'identity'): string => {
  try {
    return DECODERS[encoding.trim().toLowerCase()]?.(bytes).toString('utf8') ?? ''
  } catch {
    return ''
  }
}
