/** Replicas in this process, each with its own store on one real Redis; what each of them tells is kept. */
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Credential } from '../../src/rdt/credential.ts'
import type { MintResult } from '../../src/rdt/desk.ts'
import type { Circumstances } from '../../src/rdt/fleet.ts'
import type { Order } from '../../src/rdt/minter.ts'
import type { Need } from '../../src/rdt/need.ts'
import type { Refused } from '../../src/rdt/refusal.ts'
import { createRefusals } from '../../src/rdt/refusals.ts'
import { createStore, type StoreOptions } from '../../src/store/store.ts'
import { after, until } from './many.ts'
import type { Redis } from './redis.ts'

export const now = (): number => performance.now() + 1
export const newKey = (): Buffer => randomBytes(32)

export const ORIGIN = 'https://na'
/** Milliseconds of life that must be left. */
export const MARGIN_MS = 60_000
const OPERATIONS = ['orders', 'labels']

export type Options = {
  readonly keys: readonly Buffer[]
  readonly share?: number
  readonly timeoutMs?: number
  readonly mintMs?: number
  readonly password?: string | undefined
  readonly url?: Partial<StoreOptions['address']>
}

/** One replica; it leaves when the test ends. */
export const startReplica = async (t: TestContext, redis: Pick<Redis, 'port'>, options: Options) => {
  const { keys, share, timeoutMs = 3000, mintMs = 1000, password } = options // a busy machine is no store in trouble
  const asked: string[] = []
  const lost: { readonly code: string; readonly share: number }[] = []
  const flushed: (string | undefined)[] = []
  const bugs: unknown[] = []
  const counts = { found: 0, unreadable: 0 }
  let advanced = 0
  const ownNow = () => now() + advanced
  const refusals = createRefusals({ maxEntries: 100, now: ownNow })
  const store = createStore({
    address: { host: '127.0.0.1', port: redis.port, tls: false, username: undefined, db: 0, ...options.url },
    secrets: { keys, password, ca: undefined },
    timeoutMs,
    share,
    mintMs,
    refusals,
    renewal: { refreshAfter: 0.8, expiryMarginMs: MARGIN_MS },
    operationsOf: ({ resources }) => resources.map(({ path }) => path.split('/')[1] ?? ''),
    operations: () => OPERATIONS,
    onFlush: (operation) => void flushed.push(operation),
    events: {
      storeAsked: (operation, outcome) => void asked.push(`${operation} ${outcome}`),
      storeLost: (code, own) => void lost.push({ code, share: own }),
      storeFound: () => {
        counts.found += 1
      },
      valueUnreadable: () => {
        counts.unreadable += 1
      },
      failed: (bug) => void bugs.push(bug),
    },
    now: ownNow,
    random: () => 0,
  })
  t.after(async () => {
    await store.close()
    advanced = Number.MAX_SAFE_INTEGER // whoever still waits for a permit gets one: nobody keeps the process alive
  })
  await store.begin()
  const count = (what: RegExp) => asked.filter((one) => what.test(one)).length
  return {
    store,
    /** Operations of the store and what came of them, beats aside. */
    asked: (): readonly string[] => asked.filter((one) => !one.startsWith('beat')),
    beats: (): number => asked.filter((one) => one === 'beat ok').length,
    lost,
    flushed,
    bugs,
    counts,
    refusals,
    pass: (ms: number): void => {
      advanced += ms
    },
    /** An RDT of the fleet's, or what `mint` makes; what came of that has been told to the store. */
    once: async (mint: Mint, { order = orderFor('/orders/1'), ...circumstances }: Asked = {}): Promise<MintResult> => {
      const won = count(/^claim won/)
      let told = Number.NEGATIVE_INFINITY
      const minting = () => {
        if (count(/^claim won/) > won) told = count(/^(put|release) /)
        return mint()
      }
      const situation = {
        leastLifeMs: 0,
        renewed: undefined,
        stale: () => false,
        granted: () => Number.POSITIVE_INFINITY,
        lost: () => false,
        ...circumstances,
      }
      try {
        return await store.fleet.once(order, situation, minting)
      } finally {
        await until(() => count(/^(put|release) /) > told)
      }
    },
    /** Resolves when the store has heard it, a moment later: what was there in the same millisecond does not count. */
    flush: async (operation?: string): Promise<void> => {
      const before = count(/^flush ok/)
      store.flush(operation)
      await until(() => count(/^flush ok/) > before)
      await after(5)
    },
  }
}
export type Replica = Awaited<ReturnType<typeof startReplica>>

type Mint = () => Promise<MintResult>
type Asked = Partial<Circumstances> & { readonly order?: Order }

export const caller = (token = 'Atza|1'): Credential => ({ id: `id of ${token}`, token })
/** As each replica has its own id for a seller, and its own access token. */
export const seller = (id: string, account: readonly [string, string] = ['client', 'Atzr|1']): Credential => ({
  id,
  managed: { account: () => account, get: () => ({ kind: 'token', token: `Atza|${id}` }), rejected: () => false },
})

/** `/orders/1` is of the operation `orders`. */
export const orderFor = (path: string, order: Partial<Omit<Order, 'need'>> & { need?: Partial<Need> } = {}): Order => ({
  origin: ORIGIN,
  credential: caller(),
  trigger: 'miss',
  waiters: () => 1,
  wanted: () => true,
  leaveBy: undefined,
  onProgress: () => {},
  ...order,
  need: { resources: [{ method: 'GET', path }], operation: path.split('/')[1], ...order.need },
})

/** What a mint makes; `lifeMs` from now. */
export const minted = (token = 'Atz.sprdt|1', lifeMs = 3_600_000, resources = 1): MintResult => ({
  kind: 'minted',
  rdt: { token, expiresAt: now() + lifeMs, refreshAt: now() + lifeMs / 2, resources },
})
export const refusal = (status = 400, message = 'No.', body = '{}', details = ''): Refused => ({
  kind: 'refused',
  status,
  code: 'InvalidInput',
  message,
  details,
  answer: { headers: {}, body },
})

/** `minted` here, `elsewhere`, or why not, and the token. */
export const textOf = (result: MintResult): string => {
  if (result.kind !== 'minted') return result.kind
  return `${result.elsewhere ? 'elsewhere' : 'minted'} ${result.rdt.token}`
}

/** A mint that is answered when the test says so. */
export const heldMint = () => {
  const answer = Promise.withResolvers<MintResult>()
  const begun = Promise.withResolvers<void>()
  return {
    mint: (): Promise<MintResult> => {
      begun.resolve()
      return answer.promise
    },
    begun: begun.promise,
    answer: answer.resolve,
  }
}
