/** Answers bytes that Node's parser could not read as a request: nobody routes them, nothing is forwarded. */
import type { Socket } from 'node:net'
import { answerOf, type OwnError } from '../sp-api/errors.ts'

/** What the parser's code says: a bad request target, a header section too large or too slow, or anything else. */
export const unreadableError = (code: string | undefined): OwnError => {
  if (code === 'CONNECT') return { name: 'unsafe-path', message: 'The sidecar opens no tunnels.' }
  if (code === 'HPE_INVALID_URL' || code === 'HPE_INVALID_CONSTANT') {
    return { name: 'unsafe-path', message: 'The request target holds characters that a URL must not hold.' }
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return {
      name: 'invalid-header',
      status: 431,
      message: 'The headers are too large.',
      details: 'See limits.headerBytes.',
    }
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { name: 'invalid-header', status: 408, message: 'The request did not arrive in time.' }
  }
  return { name: 'invalid-header', message: 'The request is not well-formed HTTP.' }
}

/**
 * Writes the answer and closes. Only where no response is under way on this connection: ours would corrupt it. `method`: as far as it
 * could be read.
 */
export const refuseUnreadable = (socket: Socket, error: OwnError, method?: string): void => {
  const { status, headers: own, body: errors } = answerOf(error)
  const body = JSON.stringify(errors)
  const headers = {
    ...own,
    'x-rdt-verdict': `rejected;${error.name}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${method === 'HEAD' ? '' : body}`)
  const linger = setTimeout(() => socket.destroy(), LINGER_MS) // whoever does not close, be it on purpose, would keep it
  socket.once('close', () => clearTimeout(linger))
}
const LINGER_MS = 1000 // cut at once, the answer would be lost where bytes of the caller are on their way
