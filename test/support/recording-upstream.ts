/** Stands where Amazon would: mints one fixed RDT and keeps every other call exactly as it arrived. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { listen } from './listen.ts'

export const LWA = 'Atza|caller'
export const RDT = 'Atz.sprdt|minted'

export type ReceivedCall = {
  readonly method: string
  /** The request target, bytes untouched. */
  readonly target: string
  /** Names and values alternating, as they came. */
  readonly rawHeaders: readonly string[]
  /** Which connection brought it. */
  readonly peerPort: number
  /** What has come so far, unless the answer reads the body itself; whole once `complete` is settled. */
  readonly chunks: Buffer[]
}

export type UpstreamOptions = {
  /** Answers a call when it has arrived whole; `200 {}` by default. */
  readonly answer?: (req: IncomingMessage, res: ServerResponse) => void
  /** Answers a call on arrival instead and reads the body itself. */
  readonly stream?: (req: IncomingMessage, res: ServerResponse) => void
  /** Called with each mint: calling `reply` answers it. Answers at once by default. */
  readonly onMint?: (reply: () => void) => void
}

export const recordingUpstream = async (t: TestContext, options: UpstreamOptions = {}) => {
  const { answer = emptyAnswer, stream, onMint = (reply) => reply() } = options
  const calls: ReceivedCall[] = []
  const mints: string[] = []
  const peers = new Set<number>()
  const events = new EventEmitter()

  const record = (req: IncomingMessage, res: ServerResponse): void => {
    const { method = '', url = '', rawHeaders } = req
    const call = { method, target: url, rawHeaders, peerPort: req.socket.remotePort ?? 0, chunks: [] as Buffer[] }
    calls.push(call)
    peers.add(call.peerPort)
    events.emit('call', call)
    if (stream) {
      stream(req, res)
      return
    }
    req.on('data', (chunk: Buffer) => call.chunks.push(chunk))
    req.on('end', () => answer(req, res))
  }

  const server = createServer({ maxHeaderSize: 1_048_576, requireHostHeader: false }, async (req, res) => {
    res.on('error', () => {})
    req.on('error', () => {})
    if (!req.url?.startsWith('/tokens/')) return record(req, res)
    const body = Buffer.concat(await req.toArray()).toString()
    mints.push(body)
    events.emit('mint')
    onMint(() => json(res, { restrictedDataToken: RDT, expiresIn: 3600 }))
  })
  server.maxHeadersCount = 0
  const port = await listen(server)
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })

  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    /** Bodies of the mints asked for. */
    mints,
    /** Local ports of the connections that brought calls: one each. */
    peers,
    /** Resolves at the next call's arrival (headers), or the next mint's. */
    next: (what: 'call' | 'mint'): Promise<unknown> => once(events, what),
  }
}
export type Upstream = Awaited<ReturnType<typeof recordingUpstream>>

/** All values that came under a name, in the order of their lines. */
export const valuesOf = ({ rawHeaders }: Pick<ReceivedCall, 'rawHeaders'>, name: string): readonly string[] =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name)

export const namesOf = ({ rawHeaders }: Pick<ReceivedCall, 'rawHeaders'>): readonly string[] =>
  rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())

export const bodyOf = ({ chunks }: ReceivedCall): string => Buffer.concat(chunks).toString('latin1')

const emptyAnswer = (_req: IncomingMessage, res: ServerResponse): void => json(res, {})

const json = (res: ServerResponse, body: object): void => {
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify(body))
}
