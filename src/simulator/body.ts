/** Reads request bodies whole, up to a bound. Streams them nowhere. */
import type { IncomingMessage } from 'node:http'

const MOST_BYTES = 10 * 1024 * 1024

export type Body = {
  readonly bytes: number
  readonly content: Buffer
  readonly outcome: 'read' | 'too-large' | 'aborted'
}

/** Never rejects: a caller that leaves half-way gives `aborted`. What is over the bound is read, counted and dropped. */
export const readBody = async (req: IncomingMessage): Promise<Body> => {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of req) {
      bytes += chunk.length
      if (bytes <= MOST_BYTES) chunks.push(chunk)
    }
  } catch {
    return { bytes, content: Buffer.alloc(0), outcome: 'aborted' }
  }
  const outcome = bytes > MOST_BYTES ? 'too-large' : 'read'
  return { bytes, content: Buffer.concat(chunks), outcome }
}
