/** Instances that come and go under load, and the account of it: what each call came to, and how often it reached Amazon. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { LogEntry } from '../../src/simulator/types.ts'
import { type Asked, type Instance, portOf } from './asked.ts'
import { lwaToken, type Running, serving, simulating } from './cli.ts'
import { after, until } from './many.ts'
import { arrivals, type Callers, startCallers } from './service.ts'

const KINDS: readonly Omit<Asked, 'headers'>[] = [
  { target: '/orders/v0/orders/902-1845936-5435001/address' },
  { target: '/sellers/v1/marketplaceParticipations' },
  { method: 'POST', target: '/mfn/v0/shipments', body: '{"ShipmentRequestDetails":{"AmazonOrderId":"903-1"}}' },
  { method: 'POST', target: '/feeds/2021-06-30/feeds', body: '{"feedType":"JSON_LISTINGS_FEED"}' },
]

/**
 * A simulator whose mints and calls take a moment, and 24 callers of what is in front of it: GET and POST, restricted and open. A third
 * of them opens a connection for every call, the others keep theirs.
 */
export const startTakeovers = async (t: TestContext, calls: number) => {
  const amazon = await simulating(t)
  const control = (patch: object): Promise<unknown> =>
    fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(patch) })
  /** From now on a call takes Amazon so long. */
  const callsTake = (ms: number): Promise<unknown> => control({ latencyMs: { mint: 200, call: ms } })
  await control({ mintBurst: 100 })
  await callsTake(BRIEF_MS)
  const token = await lwaToken(amazon)
  const headers = { 'content-type': 'application/json', 'user-agent': 'shop', 'x-amz-access-token': token }
  const env = {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LOG_AUDIT: 'false',
    SIDECAR_ADMIN_PORT: '0',
    SIDECAR_DRAIN_LAME_DUCK_MS: '1500', // callers on a busy machine may be as late as that with what is on its way
  }
  let over = false

  const load = async (instances: () => readonly Instance[]) => {
    const callers = startCallers(t, {
      instances,
      callers: 24,
      closing: (caller) => caller % 3 === 0,
      callOf: (n) => ({ target: '/', ...KINDS[n % KINDS.length], headers }),
      enough: (so) => so >= calls && over,
    })
    /** Some more calls. */
    const more = (): Promise<void> => {
      const enough = callers.calls() + 500
      return until(() => callers.calls() > enough)
    }
    /** Ends the load: what came of it. */
    const account = async () => {
      over = true
      await callers.finished
      const log = (await (await fetch(`${amazon}/_simulator/log`)).json()) as readonly LogEntry[]
      t.diagnostic(JSON.stringify({ calls: callers.calls(), lost: callers.lost.length, ...callers.moved }))
      return accountOf(callers, log)
    }
    await more()
    return { callers, more, account }
  }
  return {
    env,
    load,
    /** What is in flight when it begins outlives the moment in which the instance that is stopped still takes connections. */
    longCalls: async (meanwhile: () => Promise<void>): Promise<void> => {
      await callsTake(3000)
      await after(100)
      await meanwhile()
      await callsTake(BRIEF_MS)
    },
  }
}
const BRIEF_MS = 3

const accountOf = (callers: Callers, log: readonly LogEntry[]) => {
  const arrived = arrivals(log)
  const counts = Array.from({ length: callers.calls() }, (_, n) => arrived.get(n) ?? 0)
  const restricted = log.filter(({ kind, target }) => kind === 'call' && /^\/(orders|mfn)\//.test(target))
  return {
    lost: callers.lost,
    moved: callers.moved,
    /** Calls that reached Amazon so often. */
    arrived: (times: (count: number) => boolean): number => counts.filter(times).length,
    /** What the restricted calls that reached Amazon had with them. */
    tokens: [...new Set(restricted.map(({ token }) => token))],
  }
}

type Account = ReturnType<typeof accountOf>

/** Every call was answered, and reached Amazon once, the restricted ones with an RDT. */
export const assertAllOnce = ({ lost, arrived, tokens }: Account): void => {
  assert.deepEqual(lost.slice(0, 5), [])
  assert.equal(
    arrived((count) => count !== 1),
    0,
  )
  assert.deepEqual(tokens, ['rdt'])
}

/** As Kubernetes does it. Resolves when it has ended by itself, with all its calls finished. */
export const stop = async ({ child, finished }: Running): Promise<void> => {
  child.kill('SIGTERM')
  const { code, err } = await finished
  assert.deepEqual([code, err], [0, ''])
}

/** Two instances behind a Service, one after the other replaced by a new one. */
export const rollingRestarts = async (
  t: TestContext,
  { calls, restarts }: { readonly calls: number; readonly restarts: number },
): Promise<Callers['moved']> => {
  const { env, load, longCalls } = await startTakeovers(t, calls)
  const one = async () => {
    const instance = await serving(t, env)
    return { ...instance, port: portOf(instance.base) }
  }
  const named = [await one(), await one()]
  const { account } = await load(() => named)
  for (let i = 1; i <= restarts; i += 1) {
    named.push(await one())
    const [oldest] = named
    assert.ok(oldest)
    let ended: Promise<void> | undefined
    const restart = async (): Promise<void> => {
      ended = stop(oldest)
      await until(async () => (await fetch(`${oldest.admin}/readyz`)).status === 503)
      await after(100) // so long the Service still names it
      named.shift()
    }
    await (i === restarts ? longCalls(restart) : restart())
    await ended
  }
  const all = await account()
  assertAllOnce(all)
  return all.moved
}
