/**
 * The SP-API simulator: Login with Amazon, createRestrictedDataToken and the operations around it, with Amazon's rules
 * enforced. A witness for tests and something to develop against. It imports nothing from the sidecar, keeps
 * everything in memory and never talks to anyone. It is not Amazon: docs/simulator.md says what is known and what is assumed.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createBuckets } from './bucket.ts'
import { readPatch } from './control.ts'
import { edgeRefusal } from './errors.ts'
import { createLog } from './log.ts'
import { DEFAULT_APP } from './lwa.ts'
import { commonHeaders } from './send.ts'
import { createService } from './service.ts'
import { createSettings } from './settings.ts'
import { createTokens } from './tokens.ts'
import { createTools } from './tools.ts'
import type { ControlPatch, Simulator, SimulatorOptions } from './types.ts'

export const createSimulator = ({ now = () => performance.now() }: SimulatorOptions = {}): Simulator => {
  const settings = createSettings()
  const tokens = createTokens()
  const buckets = createBuckets()
  const log = createLog()

  const apply = (patch: ControlPatch): void => {
    settings.apply(patch)
    if (patch.reset) log.clear()
    if (patch.reset || patch.mintRatePerSecond !== undefined || patch.mintBurst !== undefined) buckets.clear()
    if (patch.revoke !== undefined) tokens.revoke(patch.revoke)
  }

  const tools = createTools({ log, apply })
  const handle = createService({ now, settings, tokens, buckets, log, tools })
  const server = createListener(handle)

  return {
    handle,
    listen: (port = 0, host = '127.0.0.1') => listen(server, port, host),
    close: () => close(server),
    accessToken: (seller = 'seller-a') =>
      tokens.issueAccessToken({ app: DEFAULT_APP, seller }, now(), settings.current().accessTokenSeconds * 1000),
    log: log.entries,
    control: (patch) => {
      const read = readPatch(patch)
      if ('problem' in read) throw new Error(read.problem)
      apply(read.patch)
    },
  }
}

/** Tokens are long, connections are kept, and a request without a Host gets our own answer. */
const LISTENER_OPTIONS = { maxHeaderSize: 64 * 1024, keepAliveTimeout: 60_000, requireHostHeader: false }

const createListener = (handle: Simulator['handle']): Server => {
  const server = createServer(LISTENER_OPTIONS, handle)
  server.on('clientError', (_error, socket) => refuseUnreadable(socket as Socket))
  return server
}

/** What is not HTTP never reaches the handler: the edge's answer, written by hand. */
const refuseUnreadable = (socket: Socket): void => {
  if (!socket.writable) return void socket.destroy()
  const { headers, body } = edgeRefusal()
  const all = { ...commonHeaders(), ...headers, 'content-length': body.length, connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 400 Bad Request\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

const listen = (server: Server, port: number, host: string): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`)
    })
  })

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
