/** Several sidecars, each a process, that share a store; in front of one simulator, a process too, whose bucket is the witness. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import type { LogEntry } from '../../src/simulator/types.ts'
import { folderFor, lwaToken, serving, simulating } from './cli.ts'
import { CALLER_TOKEN, sellerFiles } from './managed.ts'
import { many } from './many.ts'
import { metric } from './metric.ts'
import type { Redis } from './redis.ts'

type Env = Readonly<Record<string, string>>

export type FleetOptions = {
  readonly replicas?: number
  /** The store; without one each replica is alone. */
  readonly redis?: Redis | undefined
  /** Managed sellers, by id: each is the simulator's selling partner of that name. */
  readonly sellers?: readonly string[]
  readonly env?: Env
}

/** Who calls: with an LWA token of its own, or in the name of a managed seller; as the fleet's own caller where left out. */
export type Call = RequestInit & { readonly token?: string; readonly seller?: string }

/** A key for `store.keyFile`. */
export const newKey = (): string => randomBytes(32).toString('base64')

export const startFleet = async (t: TestContext, { replicas = 2, redis, sellers, env = {} }: FleetOptions = {}) => {
  const amazon = await simulating(t)
  const folder = folderFor(t)
  const fileOf = (name: string, ...lines: readonly string[]): string => {
    const file = path.join(folder, name)
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
    return file
  }
  const files = sellerFiles(folder)
  const ownToken = sellers ? undefined : await lwaToken(amazon)
  const base: Env = {
    SIDECAR_ENDPOINT: amazon,
    ...(redis && {
      SIDECAR_STORE_URL: redis.url,
      SIDECAR_STORE_TIMEOUT_MS: '3000', // a busy machine is no store in trouble
      SIDECAR_STORE_KEY_FILE: fileOf('store-key', newKey()),
      ...(redis.password && { SIDECAR_STORE_PASSWORD_FILE: fileOf('store-password', redis.password) }),
      ...(redis.caFile && { SIDECAR_STORE_CA_FILE: redis.caFile }),
    }),
    ...(sellers &&
      managedEnv(
        amazon,
        fileOf('caller-token', CALLER_TOKEN),
        sellers.map((id) => files.row(id)),
      )),
    ...env,
  }

  /** One more replica, with this environment on top of the fleet's. */
  const add = async (more: Env = {}) => {
    const replica = await serving(t, { ...base, ...more })
    all.push(replica)
    return all.length - 1
  }
  const all: Replica[] = []
  const at = (i: number): Replica => {
    const replica = all[i]
    if (!replica) throw new Error(`there is no replica ${i}`)
    return replica
  }
  await many(replicas, () => add())

  const log = async (): Promise<readonly LogEntry[]> =>
    (await (await fetch(`${amazon}/_simulator/log`)).json()) as LogEntry[]

  /** One call to replica `i`. */
  const call = (i: number, target: string, { token = ownToken, seller, ...init }: Call = {}): Promise<Response> => {
    const who = token
      ? { 'x-amz-access-token': token }
      : { 'x-rdt-caller-token': CALLER_TOKEN, ...(seller && { 'x-rdt-seller': seller }) }
    return fetch(at(i).base + target, { ...init, headers: { ...who, ...init.headers } })
  }

  return {
    amazon,
    folder,
    files,
    fileOf,
    add,
    call,
    /** An answer's status and verdict; its body is read. */
    ask: async (i: number, target: string, init?: Call): Promise<string> => {
      const answer = await call(i, target, init)
      await answer.arrayBuffer()
      return `${answer.status} ${answer.headers.get('x-rdt-verdict')}`
    },
    size: (): number => all.length,
    /** What replica `i` logged. */
    out: (i: number): string => at(i).out(),
    metric: (i: number, series: string): Promise<number> => metric(at(i), series),
    status: async (i: number): Promise<unknown> => (await fetch(`${at(i).admin}/status`)).json(),
    ready: async (i: number): Promise<number> => (await fetch(`${at(i).admin}/readyz`)).status,
    flush: async (i: number, query = ''): Promise<unknown> =>
      (await fetch(`${at(i).admin}/flush${query}`, { method: 'POST' })).json(),
    signal: (i: number, name: NodeJS.Signals): void => void at(i).child.kill(name),
    /** `kill -9`. */
    kill: async (i: number): Promise<void> => {
      const { child } = at(i)
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    control: async (patch: object): Promise<void> => {
      const answer = await fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(patch) })
      if (!answer.ok) throw new Error(await answer.text())
    },
    /** Mints that reached the simulator, and those of them that were too many for the usage plan. */
    mints: async () => (await log()).filter(({ kind }) => kind === 'mint'),
    throttled: async () => (await log()).filter(({ kind, status }) => kind === 'mint' && status === 429),
    log,
  }
}
export type Fleet = Awaited<ReturnType<typeof startFleet>>
type Replica = Awaited<ReturnType<typeof serving>>

/** For a sidecar that holds these sellers. */
export const managedEnv = (amazon: string, callerTokenFile: string, rows: readonly object[]): Env => ({
  SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
  SIDECAR_SELLERS: JSON.stringify(rows),
  SIDECAR_AUTH_CALLER_TOKEN_FILE: callerTokenFile,
})
