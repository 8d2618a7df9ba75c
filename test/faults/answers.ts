/** Answers broken at exact points: what a fault of relay.ts does with a request that has arrived. */
import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { after } from '../support/many.ts'
import { type AnswerFault, type Asked, headersOf, pass, type Real } from './relay.ts'

export type Fault = AnswerFault

// What ends the connection.

export const hang: AnswerFault = () => {}

/** TCP RST; of a TLS connection, its end without a word. */
const reset = (socket: Socket | null): void => {
  if (socket instanceof Socket) socket.resetAndDestroy()
  else Object(socket).destroy()
}

export const resetBeforeHead: AnswerFault = ({ req }) => reset(req.socket)
export const endBeforeHead: AnswerFault = ({ req }) => req.socket.end()

/** The beginning of the real answer as bytes, and then what `end` does to the connection. */
const beginning =
  (bytesOf: (real: Real) => string | Buffer, end: (socket: Socket) => void): AnswerFault =>
  async ({ req, real }) => {
    const { socket } = req
    socket.write(bytesOf(await real()), () => setTimeout(end, 50, socket)) // in segments of their own, read one after the other
  }
const stay = (): void => {}
const finish = (socket: Socket): void => void socket.end()

const headOf = (real: Real, framing: string): string => {
  const headers = headersOf(real).map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`))
  const kept = headers.join('').replace(/^content-length:.*\r\n/im, '')
  return `HTTP/1.1 ${real.status} Status\r\n${kept}${framing}\r\n\r\n`
}
const lengthOf = ({ body }: Real): string => `content-length: ${body.length}`
const halfOf = ({ body }: Real): string => body.toString('latin1').slice(0, Math.ceil(body.length / 2))
const head = (real: Real): string => headOf(real, lengthOf(real))
const halfHead = (real: Real): string => head(real).slice(0, 30)
const halfBody = (real: Real): string => head(real) + halfOf(real)
const halfChunked = (real: Real): string => {
  const half = halfOf(real)
  return `${headOf(real, 'transfer-encoding: chunked')}${half.length.toString(16)}\r\n${half}\r\n`
}
const badChunk = (real: Real): string => `${halfChunked(real)}no-length\r\nmore\r\n`

export const resetInHead = beginning(halfHead, reset)
export const silenceInHead = beginning(halfHead, stay)
export const resetAfterHead = beginning(head, reset)
export const silenceAfterHead = beginning(head, stay)
export const resetInBody = beginning(halfBody, reset)
export const silenceInBody = beginning(halfBody, stay)
export const endInBody = beginning(halfBody, finish)
export const endInChunks = beginning(halfChunked, finish)
export const brokenChunk = beginning(badChunk, stay)
export const garbage = beginning(() => '\x00\x01\x02 this is no HTTP\r\n\r\n', stay)
export const twoLengths = beginning((real) => `${headOf(real, 'content-length: 2\r\ncontent-length: 9')}{}`, stay)
export const lengthAndChunks = beginning(
  (real) => `${headOf(real, 'content-length: 2\r\ntransfer-encoding: chunked')}2\r\n{}\r\n0\r\n\r\n`,
  stay,
)
export const longHead = beginning((real) => headOf(real, `x-long: ${'a'.repeat(200_000)}`), stay)
/** A protocol that nobody asked for. */
export const unaskedUpgrade = beginning(
  () => 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
  stay,
)

// What takes its time.

export const slow =
  (ms: number): AnswerFault =>
  async ({ res, real }) => {
    await after(ms)
    pass(res, await real())
  }

/** The real answer, its first 100 bytes one at a time. */
export const trickle: AnswerFault = async ({ req, real }) => {
  const { socket } = req
  socket.setNoDelay(true)
  const answer = await real()
  const bytes = headOf(answer, `${lengthOf(answer)}\r\nconnection: close`) + answer.body.toString('latin1')
  for (const byte of bytes.slice(0, 100)) {
    socket.write(byte, 'latin1')
    await new Promise(setImmediate)
  }
  socket.end(bytes.slice(100), 'latin1')
}

/** Bytes without end, one each `everyMs`, after this. */
const drip =
  (first: string, next: string, everyMs = 50): AnswerFault =>
  async ({ req: { socket } }) => {
    socket.write(first)
    while (!socket.destroyed) {
      await after(everyMs)
      if (!socket.destroyed) socket.write(next)
    }
  }
export const endlessHead = drip('HTTP/1.1 200 OK\r\nx-long: ', 'a')
export const endlessProcessing = drip('', 'HTTP/1.1 102 Processing\r\n\r\n')
export const endlessTrickle = drip(
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999999\r\n\r\n',
  ' ',
)
/** More than anybody keeps, as fast as it is taken. */
export const endlessBody: AnswerFault = async ({ res }) => {
  res.writeHead(200, JSON_TYPE)
  while (!res.destroyed) if (!res.write(' '.repeat(65_536))) await drained(res)
}
const drained = (res: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['drain', 'close']) res.once(event, () => resolve())
  })

// What is HTTP, but not what was asked for. It says again all that it was told: none of it may be passed on.

const JSON_TYPE = { 'content-type': 'application/json' }

const echoOf = ({ req, body }: Asked): string => `${JSON.stringify(req.headers)} ${body.toString()}`

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): AnswerFault =>
  (asked) => {
    asked.res.writeHead(code, { ...JSON_TYPE, ...headers })
    asked.res.end(JSON.stringify({ errors: [{ code: 'Failure', message: 'It failed.', details: echoOf(asked) }] }))
  }
/** A web page, of a proxy on the way or of Amazon's edge. */
export const webPage =
  (code: number): AnswerFault =>
  (asked) => {
    asked.res.writeHead(code, { 'content-type': 'text/html' })
    asked.res.end(`<html><body>${echoOf(asked)}</body></html>`)
  }
export const redirectTo = (location: string): AnswerFault => status(307, { location })

const json =
  (bodyOf: (asked: Asked) => string | Buffer, headers: Readonly<Record<string, string>> = {}): AnswerFault =>
  (asked) => {
    asked.res.writeHead(200, { ...JSON_TYPE, ...headers })
    asked.res.end(bodyOf(asked))
  }
export const emptyBody = json(() => '')
export const wrongShape = json((asked) => JSON.stringify({ access_token: 7, restrictedDataToken: [echoOf(asked)] }))
export const notAnObject = json(() => 'null')
export const cutJson = json(
  (asked) => `{"access_token":"Atza|cut","restrictedDataToken":"Atz.sprdt|cut ${echoOf(asked)}`,
)
/** Whole and of the right shape, and larger than any answer of Amazon's. */
export const farTooLarge = json(() =>
  JSON.stringify({
    padding: 'a'.repeat(1_000_000),
    ...{ access_token: 'Atza|x', restrictedDataToken: 'Atz.sprdt|x', expires_in: 3600, expiresIn: 3600 },
  }),
)
let packed: Buffer | undefined
export const bomb = json(() => (packed ??= gzipSync(Buffer.alloc(50_000_000, ' '))), { 'content-encoding': 'gzip' })
export const falseEncoding = json(() => 'this is not compressed', { 'content-encoding': 'gzip' })

// What is unusual and right.

export const earlyHints: AnswerFault = async ({ res, real }) => {
  res.writeProcessing()
  res.writeEarlyHints({ link: '</x>; rel=preload' })
  pass(res, await real())
}
/** Node's fetch takes no 100 that it did not ask for (undici: "bad response"). */
export const everyHint: AnswerFault = (asked) => {
  asked.res.writeContinue()
  return earlyHints(asked)
}

const forbidden = (bytesOf: (real: Real) => string, end: (socket: Socket) => void): AnswerFault =>
  beginning(() => bytesOf({ status: 403, rawHeaders: ['content-type', 'application/json'], body: DENIAL }), end)
const DENIAL = Buffer.from(
  JSON.stringify({
    errors: [{ code: 'Unauthorized', message: 'Denied.', details: 'The access token you provided has expired.' }],
  }),
)
export const resetInForbidden = forbidden(halfBody, reset)
export const endInForbidden = forbidden(halfBody, finish)
export const silenceInForbidden = forbidden(halfBody, stay)

/** The real answer, and after it one that nobody asked for: the next call on this connection must not get it. */
export const oneTooMany: AnswerFault = async ({ req, res, real }) => {
  const { socket } = req
  const answer = await real()
  res.once('finish', () => socket.write(STOLEN))
  pass(res, answer)
}
const STOLEN = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{"stolen":"data"}'
