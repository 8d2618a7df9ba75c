/** Requests and answers as text: written byte by byte, read back with a few words. */
import type { TestContext } from 'node:test'
import { startPair } from './pair.ts'
import { exchange } from './raw.ts'
import { recordingUpstream, type UpstreamOptions } from './recording-upstream.ts'

/**
 * A request's bytes (latin1). `start` is the request line, its version optional. Every request has a Host, and asks for
 * the connection to be closed unless `headers` speak of it.
 */
export const requestText = (start: string, headers: readonly string[] = [], body = ''): string => {
  const line = / HTTP\/\d\.\d$/.test(start) ? start : `${start} HTTP/1.1`
  const own = headers.some((header) => /^connection:/i.test(header)) ? [] : ['Connection: close']
  return `${[line, 'Host: sidecar.local', ...own, ...headers].join('\r\n')}\r\n\r\n${body}`
}

export type Answer = {
  readonly status: number
  readonly reason: string
  /** All values under a name, in the order of their lines. */
  readonly values: (name: string) => readonly string[]
  readonly body: string
}

/** Reads the last answer of what came back; status 0 where nothing did. */
export const readAnswer = (text: string): Answer => {
  const [head = '', ...rest] = text.slice(Math.max(0, text.lastIndexOf('HTTP/1.1 '))).split('\r\n\r\n')
  const [line = '', ...lines] = head.split('\r\n')
  return {
    status: Number(line.split(' ')[1] ?? 0),
    reason: line.split(' ').slice(2).join(' '),
    values: (name) =>
      lines.filter((one) => one.toLowerCase().startsWith(`${name}:`)).map((one) => one.slice(name.length + 1).trim()),
    body: rest.join('\r\n\r\n'),
  }
}

/** A sidecar in front of a recording upstream, and one way to send it a request's bytes. */
export const startWorld = async (
  t: TestContext,
  options: UpstreamOptions & { readonly env?: Readonly<Record<string, string>> } = {},
) => {
  const upstream = await recordingUpstream(t, options)
  const pair = await startPair(t, { endpoint: upstream.url, env: options.env ?? {} })
  return {
    upstream,
    pair,
    port: pair.port,
    base: pair.base,
    /** Sends a request's bytes and resolves to the last answer when the sidecar closes. */
    send: async (...request: Parameters<typeof requestText>): Promise<Answer> =>
      readAnswer(await exchange(pair.port, Buffer.from(requestText(...request), 'latin1'))),
  }
}
export type World = Awaited<ReturnType<typeof startWorld>>
