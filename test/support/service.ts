/**
 * Callers as they come behind a Kubernetes Service: where an instance refuses the connection, or says that it drains (nothing was sent
 * to Amazon), they go to the next one, or come back when they were told to. They repeat nothing else, so that whatever else goes wrong
 * counts as lost. Each call has a number of its own in its query, by which Amazon's side knows it.
 */
import { Agent } from 'node:http'
import type { TestContext } from 'node:test'
import type { LogEntry } from '../../src/simulator/types.ts'
import { type Asked, ask, type Instance } from './asked.ts'
import { after } from './many.ts'

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
  const lost: string[] = []
  const moved = { refused: 0, draining: 0 }
  let calls = 0
  let ended = false
  t.after(() => {
    ended = true
  })

  /** Whether it came to an end; else the milliseconds until it is worth trying again at the same place. */
  const attempt = async (n: number, instance: Instance, agent: Agent | false): Promise<'ended' | number> => {
    const asked = callOf(n)
    const name = `${n} ${asked.method ?? 'GET'} ${asked.target}`
    try {
      const answer = await ask(instance, { ...asked, target: `${asked.target}?${NUMBER}=${n}` }, agent)
      const { status, headers, body } = answer
      if (headers['x-rdt-error'] === 'draining' && headers.connection === 'close') {
        moved.draining += 1
        return Number(headers['retry-after']) * 1000
      }
      const trouble = status === 200 || status === 202 ? wrong(n, body) : `${status} ${body}`
      if (trouble !== undefined) lost.push(`${name}: ${trouble}`)
      return 'ended'
    } catch (failure) {
      const { code = '', onKept } = failure as NodeJS.ErrnoException & { onKept?: boolean }
      if (REFUSED.includes(code)) {
        moved.refused += 1
        return PAUSE_MS
      }
      lost.push(`${name}: ${failure}${onKept ? ' on a connection kept' : ''}`)
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
