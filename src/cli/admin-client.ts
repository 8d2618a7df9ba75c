/** Requests to the admin listener of a running sidecar, whose address the same configuration tells. */
import { request } from 'node:http'
import { accepted, type Io, load } from './command.ts'

/**
 * Where the admin listener of a sidecar with this configuration is reached from the same host. Mistakes elsewhere in the
 * configuration are no matter: the sidecar may serve with the last good one.
 */
export const adminOf = (io: Io, file: string | undefined): string => {
  const loaded = load(io, file)
  const problems = loaded.ok ? [] : loaded.problems.filter((one) => /^(admin|SIDECAR_ADMIN_)/.test(one.path))
  const { host, port } = (loaded.ok || problems.length > 0 ? accepted(loaded).settings : loaded.settings).admin
  return `http://${reachable(host)}:${port}`
}

/** The status of the answer; undefined where none comes in time. Not fetch: it refuses to call certain ports. */
export const ask = (url: string, method = 'GET', patienceMs = 2000): Promise<number | undefined> =>
  new Promise((resolve) => {
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(patienceMs)))
    const req = request(url, { method, signal, agent: false }, (res) => {
      res.resume()
      resolve(res.statusCode)
    })
    req.once('error', () => resolve(undefined))
    req.end()
  })

/** In words, for stderr. */
export const answerText = (url: string, status: number | undefined): string =>
  status === undefined ? `nothing answers at ${url}` : `${url} answered ${status}`

/** An address to listen on → one to call. */
const reachable = (host: string): string => {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
