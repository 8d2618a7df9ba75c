/**
 * The upstream of the streaming benchmark. GET answers with as many bytes as its `bytes` parameter says; POST reads what comes
 * and answers how much it was, after waiting `pauseMs` without reading where that is asked for. As a process it prints its port.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'

const CHUNK = Buffer.alloc(65_536, 'x')

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

const download = (res: ServerResponse, bytes: number): Promise<void> => {
  res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes })
  return pipeline(Readable.from(chunks(bytes), { objectMode: false, highWaterMark: CHUNK.length }), res)
}

const upload = async (req: IncomingMessage, res: ServerResponse, pauseMs: number): Promise<void> => {
  await delay(pauseMs)
  let bytes = 0
  for await (const chunk of req) bytes += chunk.length
  res.end(String(bytes))
}

const answer = (req: IncomingMessage, res: ServerResponse): Promise<void> => {
  const { searchParams } = new URL(req.url ?? '', 'http://upstream')
  if (req.method === 'GET') return download(res, Number(searchParams.get('bytes')))
  return upload(req, res, Number(searchParams.get('pauseMs')))
}

const server = createServer((req, res) => void answer(req, res).catch(() => res.destroy()))
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`port ${typeof address === 'object' ? address?.port : ''}\n`)
})
