/**
 * The upstream of the streaming benchmark. GET answers with as many bytes as its `bytes` parameter says; POST reads what comes
 * and answers how much it was, after waiting `pauseMs` without reading where that is asked for. As a process it prints its port.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { bodyOf } from './transfer.ts'

const download = (res: ServerResponse, bytes: number): Promise<void> => {
  res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes })
  return pipeline(bodyOf(bytes), res)
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
