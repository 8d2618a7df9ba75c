/** What replicas share, put together: RDTs and refusals, usage plans, flushes. Readiness and calls do not depend on it. */
import { randomUUID } from 'node:crypto'
import type { StoreAddress } from '../config/store-url.ts'
import { createExpiringMap } from '../expiring-map.ts'
import { createBreaker } from '../rdt/breaker.ts'
import type { SharedPlan } from '../rdt/fleet.ts'
import { type Seller, sellerKey } from '../rdt/minter.ts'
import type { Need } from '../rdt/need.ts'
import type { Refusals } from '../rdt/refusals.ts'
import type { RenewalPolicy } from '../rdt/renewal.ts'
import { type Ask, done, type StoreOperation, type StoreOutcome } from './ask.ts'
import type { Connection, StoreAccess } from './connection.ts'
import { createSealer } from './sealer.ts'
import { createSharedPlan } from './shared-plan.ts'
import { createSharedRdts, LOCK_MS } from './shared-rdts.ts'

export type StoreEvents = {
  readonly storeAsked: (operation: StoreOperation, outcome: StoreOutcome, tookMs: number) => void
  readonly storeLost: (code: string, share: number) => void
  readonly storeFound: () => void
  readonly valueUnreadable: () => void
  readonly failed: (bug: unknown) => void
}

export type StoreSecrets = Pick<StoreAccess, 'password' | 'ca'> & { readonly keys: readonly Buffer[] }

export type StoreOptions = {
  readonly address: StoreAddress
  readonly secrets: StoreSecrets
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number
  /** Of the plan, while the store is out of reach; else one of as many as there are replicas. */
  readonly share: number | undefined
  /** No mint takes longer, in milliseconds. */
  readonly mintMs: number
  readonly refusals: Refusals
  readonly renewal: RenewalPolicy
  /** An RDT's operations, as they are flushed. */
  readonly operationsOf: (need: Need) => readonly string[]
  /** All of them. */
  readonly operations: () => readonly string[]
  /** Another replica was told to flush this operation; undefined: all. */
  readonly onFlush: (operation: string | undefined) => void
  readonly events: StoreEvents
  readonly now: () => number
  readonly random: () => number
}

const BEAT_MS = 1000
const REPLICA_MS = 10_000 // one that was silent for so long is counted no more
const FIRST_ANSWER_MS = 1000
const LONGEST_PAUSE_MS = 5000
const PLANS = 1000
const PLAN_MS = 3_600_000
const LEASE_GRACE_MS = 1000
const ALL = '' // no operation is named so

export const createStore = (options: StoreOptions) => {
  const { events, now, random } = options
  const replica = randomUUID()
  const startedAt = now()
  let sealer = createSealer(options.secrets.keys)
  let replicas = 0
  let fewerSince: number | undefined // replicas than before, as was heard
  let flushes = 0
  let startedAtStore: number | undefined // by the store's clock
  const plans = createExpiringMap<SharedPlan>({ maxEntries: PLANS, now })
  const untold = new Set<string>() // flushes
  const known = new Map<string, number>() // flush field → when, by the store's clock

  const share = (): number => options.share ?? 1 / Math.max(1, replicas)
  let secrets = options.secrets
  let connection: Connection | undefined

  const connect = async (): Promise<void> => {
    const { createConnection } = await import('./connection.ts') // ioredis takes 11 MB: of those alone who have a store
    connection = createConnection({
      access: { ...options.address, ...secrets },
      timeoutMs: options.timeoutMs,
      breaker: createBreaker({ now, random, longestPauseMs: LONGEST_PAUSE_MS }),
      onLost: (code) => {
        fewerSince = undefined
        events.storeLost(code, share())
      },
      onFound: events.storeFound,
    })
    await connection.open(FIRST_ANSWER_MS)
  }

  const ask: Ask = async (operation, script, keys, args, read, onLate) => {
    if (script === 'claim') {
      await tellFlushes()
      if (untold.size > 0) return undefined // it holds what is to be dropped
    }
    const askedAt = now()
    const asked = (await connection?.ask(script, keys, args, onLate)) ?? { failure: 'skipped' as const }
    const tookMs = now() - askedAt
    const { outcome, result } = 'failure' in asked ? { outcome: asked.failure, result: undefined } : read(asked.answer)
    events.storeAsked(operation, outcome, tookMs)
    return result
  }

  const fieldsFor = (operations: readonly string[]): readonly (readonly string[])[] => {
    const named = operations.map((operation) => sealer.names('flush', operation))
    return Array.from({ length: sealer.keys }, (_, row) => named.map((names) => names[row] ?? ''))
  }

  const rdts = createSharedRdts({
    ...options,
    ask,
    sealer: () => sealer,
    replica,
    fieldsOf: (need) => fieldsFor([ALL, ...new Set(options.operationsOf(need))]),
    flushes: () => flushes,
    onUnreadable: events.valueUnreadable,
  })

  const tellFlushes = oneAtATime(async () => {
    for (const operation of untold) {
      const fields = sealer.names('flush', operation)
      const at = await ask('flush', 'flush', sealer.names('flushes'), fields, done)
      if (!at) return
      for (const field of fields) known.set(field, Number(at))
      untold.delete(operation)
    }
  })

  /** Tells the store that this replica lives, and learns what others were told to flush. */
  const beat = oneAtATime(async () => {
    await tellFlushes()
    const [lists, flushes] = [sealer.names('replicas'), sealer.names('flushes')]
    const locks = rdts.locks()
    const keys = [...lists.flatMap((list, row) => [list, flushes[row] ?? '']), ...locks.flatMap(({ names }) => names)]
    const held = locks.flatMap(({ names, holds }) => names.map(() => holds))
    const answer = await ask('beat', 'beat', keys, [lists.length, replica, REPLICA_MS, LOCK_MS, ...held], done)
    if (!answer) return
    const [at, count, ...tables] = answer as [string, number, ...string[][]]
    countReplicas(count)
    // its clock may be put back: a flush is then told by an earlier time
    startedAtStore = Math.min(startedAtStore ?? Number.POSITIVE_INFINITY, Number(at) - (now() - startedAt))
    learnFlushes(tables.flat(), startedAtStore)
  })

  /** Fewer than before are believed when they have been fewer for a while: a store that comes back empty has to be found first. */
  const countReplicas = (count: number): void => {
    if (count < replicas) fewerSince ??= now()
    else fewerSince = undefined
    if (fewerSince !== undefined && now() - fewerSince < REPLICA_MS) return
    replicas = count
    fewerSince = undefined
  }

  const learnFlushes = (table: readonly string[], since: number): void => {
    const fresh = new Set<string>()
    for (let i = 0; i < table.length; i += 2) {
      const [field = '', at = ''] = table.slice(i, i + 2)
      if (Number(at) > (known.get(field) ?? since)) fresh.add(field)
      known.set(field, Number(at))
    }
    if (fresh.size === 0) return
    const flushed = [ALL, ...options.operations()].filter((one) =>
      sealer.names('flush', one).some((field) => fresh.has(field)),
    )
    flushes += 1
    for (const operation of flushed) options.onFlush(operation === ALL ? undefined : operation)
  }

  const beatNow = (): Promise<void> => beat().catch(events.failed)
  let timer: NodeJS.Timeout | undefined

  return {
    fleet: rdts.fleet,
    /** The same one for a seller whose desk was forgotten: what it has used of its share while alone was not. */
    planOf: (seller: Seller): SharedPlan => {
      const key = sellerKey(seller)
      const before = plans.get(key)
      if (before) return before
      const plan = createSharedPlan({
        ask,
        sealer: () => sealer,
        replica,
        origin: seller.origin,
        credential: seller.credential,
        leaseMs: options.mintMs + LEASE_GRACE_MS,
        share,
        now,
        random,
      })
      plans.set(key, plan, PLAN_MS)
      return plan
    },
    /** Has all replicas drop their RDTs of the operation, or all; as soon as the store is in reach. */
    flush: (operation: string | undefined): void => {
      flushes += 1
      untold.add(operation ?? ALL)
      tellFlushes().catch(events.failed)
    },
    /** Resolves when it is known whether the store is there; soon, in any case. */
    begin: async (): Promise<void> => {
      await connect()
      await beatNow()
      timer = setInterval(() => void beatNow(), BEAT_MS).unref()
    },
    change: (changed: StoreSecrets): void => {
      secrets = changed
      sealer = createSealer(secrets.keys)
      connection?.change({ ...options.address, ...secrets })
    },
    status: () => ({ state: connection?.reachable() ? ('shared' as const) : ('alone' as const), replicas }),
    close: async (): Promise<void> => {
      clearInterval(timer)
      await connection?.ask('leave', sealer.names('replicas'), [replica])
      connection?.close()
    },
  }
}
export type Store = ReturnType<typeof createStore>

/** Whoever asks for the task while it runs waits for that run. */
const oneAtATime = (task: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | undefined
  return () => {
    running ??= task().finally(() => {
      running = undefined
    })
    return running
  }
}
