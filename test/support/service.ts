/**
 * Callers as they come behind a Kubernetes Service: where an instance refuses the connection, or says that it drains (nothing was sent
 * to Amazon), they go to the next one, or come back when they were told to. They repeat nothing else, so that whatever else goes wrong
 * counts as lost. Each call has a number of its own in its query, by which Amazon's side knows it.
 */
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import type { LogEntry } from '../../src/simulator/types.ts'
import { after } from './many.ts'

export type Instance = { readonly port: number } | { readonly socketPath: string }

export type Asked = {
  readonly method?: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export type CallersOptions = {
  /** Those that the Service names at the moment. */
  readonly instances: () => readonly Instance[]
  readonly callers: number
  readonly callOf: (n: number) => Asked
  /** They go on until this says so. */
  readonly enough: (calls: number) => boolean
  /** Callers that open a connection for every call; the others keep theirs. */
  readonly closing?: (caller: number) => boolean
  /** What is wrong with the answer to a call. */
  readonly wrong?: (n: number, body: string) => string | undefined
}

const NUMBER = 'call'

const PAUSE_MS = 20
/** No such call can have reached an instance. */
const REFUSED = ['ECONNREFUSED', 'ENOENT']

export const startCallers = (t: TestContext, options: CallersOptions) => {
  const { instances, callers, callOf, enough, closing = () => false, wrong = () => undefined } = options
  const answers = new Map<number, string>()
  const lost: string[] = []
  const moved = { refused: 0, draining: 0 }
  let calls = 0
  let ended = false
  t.after(() => {
    ended = true
  })

  /** Whether it came to an end; else the milliseconds until it is worth trying again at the same place. */
  const attempt = async (n: number, instance: Instance, agent: Agent | false): Promise<'ended' | number> => {
    const { method = 'GET', target, headers, body } = callOf(n)
    const path = `${target}?${NUMBER}=${n}`
    const sent = { ...(body && { 'content-length': `${Buffer.byteLength(body)}` }), ...headers }
    const req = request({ host: '127.0.0.1', ...instance, agent, method, path, headers: sent })
    try {
      req.end(body)
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      const { 'x-rdt-error': error, 'x-rdt-verdict': verdict, connection, 'retry-after': seconds } = res.headers
      const said = await text(res)
      if (error === 'draining' && connection === 'close') {
        moved.draining += 1
        return Number(seconds) * 1000
      }
      answers.set(n, `${res.statusCode} ${verdict}`)
      const trouble = res.statusCode === 200 || res.statusCode === 202 ? wrong(n, said) : `${res.statusCode} ${said}`
      if (trouble !== undefined) lost.push(`${n} ${method} ${target}: ${trouble}`)
      return 'ended'
    } catch (failure) {
      const { code = '' } = failure as NodeJS.ErrnoException
      if (REFUSED.includes(code)) {
        moved.refused += 1
        return PAUSE_MS
      }
      lost.push(`${n} ${method} ${target}: ${failure}${req.reusedSocket ? ' on a connection kept' : ''}`)
      return 'ended'
    }
  }

  const agents: Agent[] = []
  const caller = async (who: number): Promise<void> => {
    const agent = closing(who) ? false : new Agent({ keepAlive: true, maxSockets: 1 })
    if (agent) agents.push(agent)
    for (let turn = who; !enough(calls) && !ended; ) {
      const n = calls
      calls += 1
      for (let tries = 1; !ended; tries += 1) {
        const outcome = await attempt(n, pick(instances(), turn++), agent)
        if (outcome === 'ended') break
        if (tries >= instances().length) await after(outcome) // there is no other
      }
    }
  }
  const all = Array.from({ length: callers }, (_, who) => caller(who))
  return {
    count: callers,
    calls: (): number => calls,
    /** Calls that were not answered as they should have been. */
    lost,
    /** Attempts that went to another instance, and why. */
    moved,
    answers,
    finished: Promise.all(all).then(() => {
      for (const agent of agents) agent.destroy()
    }),
  }
}
export type Callers = ReturnType<typeof startCallers>

const pick = (instances: readonly Instance[], turn: number): Instance => {
  const instance = instances[turn % instances.length]
  if (!instance) throw new Error('a Service without instances')
  return instance
}

/** How often each call reached Amazon. */
export const arrivals = (log: readonly LogEntry[]): ReadonlyMap<number, number> => {
  const counts = new Map<number, number>()
  for (const { kind, target } of log) {
    const found = kind === 'call' && new RegExp(`[?&]${NUMBER}=(\\d+)`).exec(target)
    if (found) counts.set(Number(found[1]), (counts.get(Number(found[1])) ?? 0) + 1)
  }
  return counts
}
