/** Keeps the body of a call that may wait or be sent again; every other body streams. */
import type { IncomingMessage } from 'node:http'

export const hasBody = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0

/** Reads the body whole and frames the request by its length (a chunked one would cost the connection upstream). */
export const keepBody = async (req: IncomingMessage, limit: number): Promise<Buffer | 'too large' | 'gone'> => {
  const { headers } = req
  const body = await read(req, limit).catch(() => 'gone' as const)
  if (body instanceof Buffer) {
    delete headers['transfer-encoding']
    headers['content-length'] = String(body.length)
  }
  return body
}

const read = async (req: IncomingMessage, limit: number): Promise<Buffer | 'too large'> => {
  if (Number(req.headers['content-length']) > limit) return 'too large'
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > limit) return 'too large'
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
