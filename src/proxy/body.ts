/** Keeps the body of a call that may wait or be sent again; every other body streams. */
import type { IncomingMessage } from 'node:http'

export const hasBody = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0

/** Reads the body whole and frames the request by its length (a chunked one would cost the connection upstream). */
export const keepBody = async (...given: Parameters<typeof read>): Promise<Kept | 'gone'> => {
  const [{ headers }] = given
  const body = await read(...given).catch(() => 'gone' as const)
  if (body instanceof Buffer) {
    delete headers['transfer-encoding']
    headers['content-length'] = String(body.length)
  }
  return body
}

type Kept = Buffer | 'too large' | 'no room'

/**
 * Into one buffer that grows: a caller may send chunks of a byte each, and a list of a million would take half a gigabyte.
 * `hasRoom`: told of every piece of memory before it is taken.
 */
const read = async (req: IncomingMessage, limit: number, hasRoom: (bytes: number) => boolean): Promise<Kept> => {
  if (Number(req.headers['content-length']) > limit) return 'too large'
  let kept: Buffer = Buffer.alloc(0)
  let size = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    const end = size + chunk.length
    if (end > limit) return 'too large'
    if (end > kept.length) {
      const more = Math.max(end, Math.min(2 * size, limit))
      if (!hasRoom(more - kept.length)) return 'no room'
      kept = Buffer.concat([kept.subarray(0, size)], more)
    }
    chunk.copy(kept, size)
    size = end
  }
  return kept.subarray(0, size)
}
