/** A caller on node:http, for what streams; one connection a call. */
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'

export const open = (base: string, method: string, path: string, headers: Record<string, string> = {}): ClientRequest =>
  request(base, { method, path, headers, agent: false }).on('error', () => {})

export const answerTo = async (req: ClientRequest): Promise<IncomingMessage> => {
  const [res] = await once(req, 'response')
  return res
}

/** `count` chunks of 64 KiB that are all different. */
export function* manyChunks(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i += 1) yield Buffer.alloc(65_536, `${i},`)
}

/** Reads a stream to its end. */
export const digestOf = async (
  stream: Readable,
  hash: { update: (chunk: Buffer) => unknown; digest: (encoding: 'hex') => string },
  onChunk: (bytesSoFar: number) => void = () => {},
): Promise<string> => {
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    hash.update(chunk)
    onChunk(bytes)
  }
  return hash.digest('hex')
}
