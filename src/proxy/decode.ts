/** The text of an answer's body that was read on the side; what the caller gets stays as it came. */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

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
export const textOf = (bytes: Buffer, encoding = 'identity'): string => {
  try {
    return DECODERS[encoding.trim().toLowerCase()]?.(bytes).toString('utf8') ?? ''
  } catch {
    return ''
  }
}
