/**
 * Everything under `/_simulator/`: help, log, controls, documents, and two endpoints for streaming tests. None of it
 * exists at Amazon, none of it needs a token, and failures and latencies do not touch it.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { readBody } from './body.ts'
import { readJson } from './calls.ts'
import { readPatch } from './control.ts'
import { type Answer, json } from './errors.ts'
import { helpText } from './help.ts'
import type { Log } from './log.ts'
import { documentText } from './reports.ts'
import { commonHeaders, send } from './send.ts'
import { bytesOf } from './streams.ts'
import { decoded } from './target.ts'
import type { ControlPatch } from './types.ts'

export type Tools = {
  /** Answers a request whose path starts with `/_simulator/`. */
  readonly serve: (req: IncomingMessage, res: ServerResponse, at: number) => Promise<void>
  /** A document's address at `origin`; it carries a signature, so it cannot be guessed. */
  readonly documentUrl: (origin: string, name: string) => string
}

export type ToolsParts = { readonly log: Log; readonly apply: (patch: ControlPatch) => void }

const DOCUMENT = /^\/_simulator\/documents\/([^/?]+)\?signature=([0-9a-f]+)$/
const BYTES = /^\/_simulator\/bytes\/(\d{1,12})$/

export const createTools = ({ log, apply }: ToolsParts): Tools => {
  const key = randomBytes(32)
  const sign = (name: string): string => createHmac('sha256', key).update(name).digest('hex')

  const control = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { content } = await readBody(req)
    const read = readPatch(readJson(content))
    if ('problem' in read) return send(res, json(400, { error: read.problem }))
    apply(read.patch)
    send(res, json(200, { applied: true }))
  }

  const document = (name: string, signature: string, res: ServerResponse): void => {
    if (signature === sign(name)) sendDocument(res, gzipSync(documentText(name)))
    else send(res, json(403, { error: 'The signature does not fit the document.' }))
  }

  const serve = async (req: IncomingMessage, res: ServerResponse, at: number): Promise<void> => {
    const url = req.url ?? ''
    const bytes = BYTES.exec(url)?.[1]
    const [, name, signature] = DOCUMENT.exec(url) ?? []
    if (req.method === 'GET' && url === '/_simulator/') return send(res, plainText(helpText()))
    if (req.method === 'GET' && url === '/_simulator/log') return send(res, json(200, log.entries()))
    if (req.method === 'POST' && url === '/_simulator/control') return control(req, res)
    if (req.method === 'GET' && bytes !== undefined) return streamBytes(Number(bytes), req, res, at)
    if (req.method === 'POST' && url === '/_simulator/echo') return echo(req, res, at)
    if (req.method === 'GET' && name !== undefined) return document(decoded(name), signature ?? '', res)
    send(res, json(404, { error: 'There is no such thing; GET /_simulator/ says what there is.' }))
  }

  const streamBytes = async (n: number, req: IncomingMessage, res: ServerResponse, at: number): Promise<void> => {
    const entry = log.open(req, at, 'call')
    Object.assign(entry, { operation: 'simulator.bytes', status: 200 })
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(n) }
    res.writeHead(200, { ...commonHeaders(), ...headers })
    await pipeline(bytesOf(n), res)
  }

  const echo = async (req: IncomingMessage, res: ServerResponse, at: number): Promise<void> => {
    const entry = log.open(req, at, 'call')
    Object.assign(entry, { operation: 'simulator.echo', status: 200 })
    const type = req.headers['content-type']
    req.on('data', (chunk: Buffer) => {
      entry.bodyBytes += chunk.length
    })
    res.writeHead(200, { ...commonHeaders(), ...(type !== undefined && { 'content-type': type }) })
    await pipeline(req, res)
  }

  return {
    serve,
    documentUrl: (origin, name) => `${origin}/_simulator/documents/${encodeURIComponent(name)}?signature=${sign(name)}`,
  }
}

const sendDocument = (res: ServerResponse, content: Buffer): void => {
  const length = String(content.length)
  res.writeHead(200, { ...commonHeaders(), 'content-type': 'application/octet-stream', 'content-length': length })
  res.end(content)
}

const plainText = (body: string): Answer => ({
  status: 200,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body,
  pii: false,
})
