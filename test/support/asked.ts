/** A call over node:http, with a connection that is kept or its own, to a port or a Unix socket; its answer is read whole. */
import { once } from 'node:events'
import { type Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'

export type Instance = { readonly port: number } | { readonly socketPath: string }

export type Asked = {
  readonly method?: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}
export type Answered = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Status and verdict: `200 hit`. */
  readonly outcome: string
}

/** Rejects with the connection's error; `onKept` where that one had served another call before. */
export const ask = async (
  instance: Instance,
  { method = 'GET', target, headers, body }: Asked,
  agent: Agent | false = false,
): Promise<Answered> => {
  const length = body !== undefined && { 'content-length': `${Buffer.byteLength(body)}` }
  const options = { host: '127.0.0.1', ...instance, agent, method, path: target, headers: { ...length, ...headers } }
  const req = request(options).end(body)
  try {
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    const { statusCode: status = 0, headers: answered } = res
    return { status, headers: answered, body: await text(res), outcome: `${status} ${answered['x-rdt-verdict']}` }
  } catch (error) {
    throw Object.assign(error as Error, { onKept: req.reusedSocket })
  }
}

export const portOf = (base: string): number => Number(new URL(base).port)
