/** `healthcheck`: one readiness probe against the admin listener of a running sidecar; exit 0 or 1. */
import { type Command, configFromArgs } from './command.ts'

export const healthcheck: Command = async (io) => {
  const { host, port } = configFromArgs(io).settings.admin
  const url = `http://${reachable(host)}:${port}/readyz`
  try {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(2000) })
    if (status === 200) return 0
    io.err(`not ready: ${url} answered ${status}\n`)
  } catch {
    io.err(`not ready: nothing answers at ${url}\n`)
  }
  return 1
}

/** An address to listen on → one to call. */
const reachable = (host: string): string => {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
