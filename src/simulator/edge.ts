/** What is decided from the request line and the headers alone, before any token is looked at. */
import type { IncomingMessage } from 'node:http'
import { type Answer, edgeRefusal, invalidInput } from './errors.ts'
import type { Target } from './target.ts'

/** Amazon's limit for User-Agent, in characters. */
const MOST_USER_AGENT = 500

/** What Amazon refuses before it looks at anything else: odd requests, with a web page. */
export const refusalAtEdge = (req: IncomingMessage, target: Target): Answer | undefined => {
  const { headers } = req
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return target.kind === 'odd' || (req.method === 'GET' && hasBody) || hostHeaders(req) !== 1
    ? edgeRefusal()
    : undefined
}

/** Operations want a User-Agent. (Amazon's own SDK sends none with its mints, so the Tokens API cannot want one.) */
export const refusalOfAgent = ({ headers }: IncomingMessage): Answer | undefined => {
  const agent = headers['user-agent'] ?? ''
  if (agent !== '' && agent.length <= MOST_USER_AGENT) return undefined
  return invalidInput('Invalid Input', `A User-Agent header of 1 to ${MOST_USER_AGENT} characters is required.`)
}

const hostHeaders = (req: IncomingMessage): number =>
  req.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length

/** Where the caller reached this simulator. The socket's own address: the Host header may name anything. */
export const originOf = (req: IncomingMessage): string => {
  const { localAddress = '127.0.0.1', localPort } = req.socket
  const address = localAddress.replace(/^::ffff:/, '')
  return `http://${address.includes(':') ? `[${address}]` : address}:${localPort}`
}
