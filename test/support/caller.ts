/** A caller on node:http and node:https, for listeners that fetch does not reach: TLS with made-up authorities, Unix sockets. */
import { once } from 'node:events'
import { request as plainRequest } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { text } from 'node:stream/consumers'

/** `socketPath`, or port and authority. One connection a call, unless it brings an agent. */
export type Place = Pick<
  RequestOptions,
  'socketPath' | 'port' | 'ca' | 'cert' | 'key' | 'agent' | 'minVersion' | 'maxVersion'
>

export type CallerAnswer = {
  readonly status: number
  readonly verdict: string
  readonly error: string | undefined
  readonly body: string
  /** The call came by a connection that had served one before. */
  readonly reused: boolean
}

/** Rejects where no answer comes, with the error of the connection. */
export const callAt = async (
  { agent = false, ...place }: Place,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<CallerAnswer> => {
  const options = { ...place, agent, path: target, headers }
  const req =
    place.socketPath === undefined
      ? request({ host: '127.0.0.1', servername: 'localhost', ...options })
      : plainRequest(options)
  req.end()
  const [res] = await once(req, 'response')
  const { 'x-rdt-verdict': verdict, 'x-rdt-error': error } = res.headers
  return { status: res.statusCode, verdict, error, body: await text(res), reused: req.reusedSocket }
}
