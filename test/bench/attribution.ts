/** Whose the time of a processor profile is: each sample goes to one category by the function that ran, builtins to who called them. */

import { medianOf } from './stats.ts'

/** What of a V8 profile is read. */
export type Profile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  /** Microseconds from the sample before to this one. */
  readonly timeDeltas: readonly number[]
}
type Frame = Profile['nodes'][number]['callFrame']

/** In the order of the table; the first that matches counts. */
const BY_URL: readonly (readonly [category: string, url: RegExp])[] = [
  ['node: HTTP server', /^node:_http_server/],
  ['node: HTTP client and agent', /^node:(_http_client|_http_agent)/],
  ['node: HTTP messages and headers, both sides', /^node:(_http_|internal\/http)/],
  ['node: sockets', /^node:(net|internal\/stream_base)/],
  ['node: streams', /^node:(stream|internal\/streams)/],
  ['node: events, timers, promises, the rest', /^node:/],
  ['http-proxy-middleware, httpxy', /node_modules\/(http-proxy-middleware|httpxy)\//],
  ['pino (log lines)', /node_modules\/(pino|sonic-boom|safe-stable-stringify|quick-format-unescaped|pino-[\w-]+)\//],
  ['prom-client (metrics)', /node_modules\/prom-client\//],
  ['lru-cache', /node_modules\/lru-cache\//],
  ['fastify and its plugins', /node_modules\/(@?fastify|fast-|find-my-way|avvio|@fastify)/],
  ['undici', /node_modules\/undici\//],
  ['express and what it brings', /node_modules\//],
  ['sidecar: sp-api (which operation)', /\/(dist|src)\/sp-api\//],
  ['sidecar: rdt (need, cache, credential)', /\/(dist|src)\/(rdt|expiring-map|reports)/],
  ['sidecar: proxy', /\/(dist|src)\/(proxy|servers|app)/],
  ['sidecar: telemetry', /\/(dist|src)\/telemetry\//],
  ['sidecar: the rest', /\/(dist|src)\//],
  ['the peer itself', /\/bench\/peers\//],
]
/** Functions without a file. Writing to a socket is one of V8's own callees and mostly the kernel. */
const BY_NAME: readonly (readonly [category: string, name: RegExp])[] = [
  ['garbage collection', /^\(garbage collector\)$/],
  ['native: event loop, reads, HTTP parser', /^\(program\)$/],
  ['native: writes to sockets', /^(writev|writeBuffer|write(Latin1|Utf8|Ascii|Ucs2)String|shutdown)$/],
  ['native: writes to files', /^(writeString|writeFileUtf8|writeSync)$/],
]
const IDLE = /^\(idle\)$/
const UNKNOWN = 'unknown'
const LATE = 1.5 // times the usual interval

export const CATEGORIES: readonly string[] = [...BY_NAME, ...BY_URL].map(([category]) => category).concat(UNKNOWN)

const categoryOf = ({ functionName, url }: Frame): string | undefined =>
  url
    ? BY_URL.find(([, pattern]) => pattern.test(url))?.[0]
    : BY_NAME.find(([, pattern]) => pattern.test(functionName))?.[0]

/**
 * The share of each category in the samples that were not idle; they add up to 1. Samples are counted, and those left out that came
 * late: there the thread had been ousted from its processor, mostly in a write that woke another, and would seem to write all the while.
 */
export const sharesOf = ({ nodes, samples, timeDeltas }: Profile): ReadonlyMap<string, number> => {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const ownerOf = (id: number | undefined): string => {
    const frame = id === undefined ? undefined : frames.get(id)
    return frame ? (categoryOf(frame) ?? ownerOf(id === undefined ? id : parents.get(id))) : UNKNOWN
  }
  const owners = new Map(nodes.map(({ id }) => [id, ownerOf(id)]))
  const sums = new Map<string, number>()
  const late = LATE * medianOf(timeDeltas)
  const onTime = samples.filter((_, i) => (timeDeltas[i] ?? 0) < late)
  const busy = onTime.filter((id) => !IDLE.test(frames.get(id)?.functionName ?? ''))
  for (const id of busy) {
    const owner = owners.get(id) ?? UNKNOWN
    sums.set(owner, (sums.get(owner) ?? 0) + 1)
  }
  return new Map([...sums].map(([owner, count]) => [owner, count / busy.length]))
}
