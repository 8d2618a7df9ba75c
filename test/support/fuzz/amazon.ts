/**
 * Stands where Amazon would, on bare sockets: what each connection brings is read by our own strict reader (strict-http.ts) and
 * kept byte for byte. Mints another RDT, a canary, for every mint, and knows what each of them opens.
 */
import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { listen } from '../listen.ts'
import { spelled } from './path-readings.ts'
import { type Field, valuesIn } from './strict-fields.ts'
import { type Head, readRequest } from './strict-http.ts'

/** What a call's bytes say that they are: every request of a case carries one of its own under this name. */
export const MARKER = 'x-case'
/** In every token that a caller holds or Amazon gives, and nowhere else. */
export const CANARY = 'canary'
const TOKENS_PATH = '/tokens/2021-03-01/restrictedDataToken'
const USES = 10 // of an RDT, until Amazon takes it no more

/** A request as it arrived, from its head on. */
export type Arrival = {
  readonly head: Head
  readonly marker: string | undefined
  body: string
  complete: boolean
  /** Refused for its token: the call may come once more. */
  tokenRefused?: boolean
}
export type Resource = { readonly method: string; readonly path: string; readonly dataElements?: readonly string[] }
/** What an RDT opens, and for whose access token. */
export type Rdt = {
  readonly token: string
  readonly access: string | undefined
  readonly resources: readonly Resource[]
  readonly targetApplication: string | undefined
  uses: number
}

export type AmazonEvents = {
  readonly arrived: (arrival: Arrival) => void
  readonly completed: (arrival: Arrival) => void
  /** Bytes that could be read in two ways, or not at all. */
  readonly unreadable: (why: string, bytes: string) => void
}

export const startAmazon = async (t: TestContext, events: AmazonEvents) => {
  const rdts = new Map<string, Rdt>()
  const sockets = new Set<Socket>()
  let mints = 0

  const take = (socket: Socket): void => {
    sockets.add(socket)
    let bytes = ''
    let current: Arrival | undefined
    socket.on('data', (chunk) => {
      bytes += chunk.toString('latin1')
      while (bytes !== '') {
        const read = readRequest(bytes, 0, 'exact')
        if (read.kind === 'fault') {
          events.unreadable(read.why, bytes)
          socket.destroy()
          return
        }
        const { head, body } = read.kind === 'message' ? { head: read.message, body: read.message.body } : read
        if (!head) return
        if (!current) {
          current = arrivalOf(head)
          events.arrived(current)
        }
        current.body = body
        if (read.kind !== 'message') return
        current.complete = true
        events.completed(current)
        socket.write(answerTo(current), 'latin1')
        bytes = bytes.slice(read.rest)
        current = undefined
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }

  const answerTo = (arrival: Arrival): string => {
    const [token] = valuesIn(arrival.head.fields, 'x-amz-access-token')
    if (isMint(arrival.head)) return answerText(arrival, ...mint(arrival.body, token))
    const rdt = token === undefined ? undefined : rdts.get(token)
    if (rdt && ++rdt.uses > USES) {
      arrival.tokenRefused = true
      return answerText(
        arrival,
        403,
        error('Unauthorized', 'The access token you provided is revoked, malformed or invalid.'),
      )
    }
    return answerText(arrival, 200, { seen: arrival.marker })
  }

  const mint = (body: string, access: string | undefined): [status: number, body: object] => {
    const asked = parse(body)
    const resources: Resource[] = Array.isArray(asked?.restrictedResources) ? asked.restrictedResources : []
    if (resources.length === 0) return [400, error('InvalidInput', '', 'Empty target resource arguement found')]
    if (access?.includes('no-role')) {
      return [400, error('InvalidInput', '', 'Application do not have access to some or all requested resource')]
    }
    if (resources.some(({ path }) => /\/documents\/plain/.test(path))) {
      return [400, error('InvalidInput', '', 'Invalid or unsupported document ID found')]
    }
    mints += 1
    const token = `Atz.sprdt|${CANARY}-minted-${mints}`
    rdts.set(token, { token, access, resources, targetApplication: asked.targetApplication, uses: 0 })
    return [200, { restrictedDataToken: token, expiresIn: 3600 }]
  }

  const server = createServer(take)
  const port = await listen(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    /** Undefined: no RDT of ours. */
    rdt: (token: string): Rdt | undefined => rdts.get(token),
    mints: (): number => mints,
  }
}
export type Amazon = Awaited<ReturnType<typeof startAmazon>>

/** In whatever spelling: callers' own may come with a slash at the end, or a query. */
export const isMint = ({ method, target }: Pick<Head, 'method' | 'target'>): boolean =>
  method === 'POST' && spelled(target).path === TOKENS_PATH

export const markerOf = (fields: readonly Field[]): string | undefined => valuesIn(fields, MARKER)[0]

const arrivalOf = ({ method, target, version, fields }: Head): Arrival => ({
  head: { method, target, version, fields },
  marker: markerOf(fields),
  body: '',
  complete: false,
})

const error = (code: string, details: string, message = 'Access to requested resource is denied.') => ({
  errors: [{ code, message, details }],
})

const parse = (text: string) => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Now by its length, now in chunks: by the marker, so that a case is answered alike each time. */
const answerText = ({ head, marker = '' }: Arrival, status: number, body: object): string => {
  const text = JSON.stringify(body)
  const chunked = Number.parseInt(marker, 36) % 3 === 0
  const lines = [
    `HTTP/1.1 ${status} Reason`,
    'content-type: application/json',
    `${MARKER}: ${marker}`,
    chunked ? 'transfer-encoding: chunked' : `content-length: ${text.length}`,
  ]
  const framed = chunked ? `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n` : text
  return `${lines.join('\r\n')}\r\n\r\n${head.method === 'HEAD' ? '' : framed}`
}
