/**
 * The connections to one endpoint: kept alive, bounded in number, in the time until they are there and in silence. What breaks a bound is
 * told by a code of ours.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'

/** The codes of our own deadlines, as against errors of the network: before the call could be sent, and after. */
export const NO_CONNECTION_FREE = 'ERR_NO_CONNECTION'
export const NOT_CONNECTED = 'ERR_CONNECT_TIMEOUT'
export const NOT_ANSWERED = 'ERR_RESPONSE_TIMEOUT'

export type AgentOptions = {
  readonly origin: string
  /** Milliseconds until a connection (TLS included, or a free one of the pool) must be there. */
  readonly connectTimeoutMs: number
  /** Milliseconds without a byte from Amazon while it is its turn, or until its head is there; idle connections are closed after as long. */
  readonly responseTimeoutMs: number
  readonly maxConnections: number
}

export const createAgent = ({
  origin,
  connectTimeoutMs,
  responseTimeoutMs,
  maxConnections,
}: AgentOptions): http.Agent => {
  const limits = { keepAlive: true, maxSockets: maxConnections, timeout: responseTimeoutMs }
  const secure = origin.startsWith('https:')
  const agent = secure ? new https.Agent(limits) : new http.Agent(limits)
  agent.getName = () => origin // it knows no other; Node would put it together from all options, for every call
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (target, callback) => {
    const socket = connect(target, callback)
    const timer = setTimeout(() => socket?.destroy(coded(NOT_CONNECTED)), connectTimeoutMs)
    for (const event of [secure ? 'secureConnect' : 'connect', 'close']) socket?.once(event, () => clearTimeout(timer))
    return socket
  }
  return agent
}

export const socketsInUse = ({ sockets }: http.Agent): number => {
  let count = 0
  for (const name in sockets) count += sockets[name]?.length ?? 0
  return count
}

// Silence is Amazon's only while the caller has sent all and takes what comes, and after a pause of the caller's it gets a whole period.
// The timer is the connection's, set by the agent. On one used before, Node leaves it off where a call took it over from another,
// and as short as a Keep-Alive of Amazon's made it where the connection was free.
export const watchSilence = (
  proxyReq: http.ClientRequest,
  req: IncomingMessage,
  res: ServerResponse,
  ms: number,
): void => {
  if (proxyReq.socket?.timeout !== ms) proxyReq.socket?.setTimeout(ms)
  let pausing = false
  proxyReq.on('timeout', () => {
    const { socket } = proxyReq
    const paused = pausing
    pausing = !req.complete || res.writableNeedDrain || socket?.connecting === true
    if (!socket || !(pausing || paused)) {
      proxyReq.destroy(coded(NOT_ANSWERED))
      return
    }
    socket.once('timeout', () => proxyReq.emit('timeout')) // Node passes on the first alone
    socket.setTimeout(ms)
  })
}

/** However many bytes come meanwhile (a head that trickles, 1xx after 1xx): the head is whole in time once the call has been sent. */
export const boundHead = (proxyReq: http.ClientRequest, ms: number): void => {
  let answered = false
  let timer: NodeJS.Timeout | undefined
  const end = (): void => {
    answered = true
    clearTimeout(timer)
  }
  proxyReq.on('response', end).on('close', end)
  proxyReq.on('finish', () => {
    if (!answered) timer = setTimeout(() => proxyReq.destroy(coded(NOT_ANSWERED)), ms)
  })
}

const coded = (code: string): Error => Object.assign(new Error(code), { code })
