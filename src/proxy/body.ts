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

/** `hasRoom`: told of every piece before it is kept. */
const read = async (req: IncomingMessage, limit: number, hasRoom: (bytes: number) => boolean): Promise<Kept> => {
  if (Number(req.headers['content-length']) > limit) return 'too large'
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > limit) return 'too large'
    if (!hasRoom(chunk.length)) return 'no room'
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
