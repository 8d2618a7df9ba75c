/** Requests to the admin listener of a running sidecar, whose address the same configuration tells. */
import { configOf, type Io } from './command.ts'

const PATIENCE_MS = 2000

/** Where the admin listener of a sidecar with this configuration is reached from the same host. */
export const adminOf = (io: Io, file: string | undefined): string => {
  const { host, port } = configOf(io, file).settings.admin
  return `http://${reachable(host)}:${port}`
}

/** The status of the answer; undefined where nothing answers. */
export const ask = async (url: string, method = 'GET'): Promise<number | undefined> => {
  try {
    return (await fetch(url, { method, signal: AbortSignal.timeout(PATIENCE_MS) })).status
  } catch {
    return undefined
  }
}

/** In words, for stderr. */
export const answerText = (url: string, status: number | undefined): string =>
  status === undefined ? `nothing answers at ${url}` : `${url} answered ${status}`

/** An address to listen on → one to call. */
const reachable = (host: string): string => {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
