/**
 * The connection to the store: one, kept and mended by ioredis. A question is answered within its timeout or not at all, and never
 * rejects; a store that fails is left alone for a while.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import dataHandler from 'ioredis/built/DataHandler.js'
import type { StoreAddress } from '../config/store-url.ts'
import type { Breaker } from '../rdt/breaker.ts'
import { isAnswerTo } from './answers.ts'
import { SCRIPTS, type Script } from './scripts.ts'

/** Where the store is, and how to get in. */
export type StoreAccess = StoreAddress & {
  readonly password: string | undefined
  /** PEM, in the place of the system's authorities. */
  readonly ca: string | undefined
}

/** `skipped`: it was not asked, being out of reach. */
export type StoreFailure = 'timeout' | 'error' | 'skipped'

export type ConnectionOptions = {
  readonly access: StoreAccess
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number
  readonly breaker: Breaker
  /** `code`: what the store, or the system, calls it; each once, until it is found again. */
  readonly onLost: (code: string) => void
  readonly onFound: () => void
}

const CONNECT_MS = 2000
const LONGEST_PAUSE_MS = 2000
/** A connection on which nothing comes back is given up: the other end may be gone without a word. */
const SILENT_MS = 5000

// Nothing is pushed to whoever speaks RESP2. ioredis would read it all the same, and of a strange one throw where nobody can catch it.
Object.assign(dataHandler.default.prototype, {
  returnPush(this: { returnFatalError: (error: Error) => void }): void {
    this.returnFatalError(new Error('a push'))
  },
})

export const createConnection = ({ access, timeoutMs, breaker, onLost, onFound }: ConnectionOptions) => {
  let lastError = CLOSED
  const told = new Set<string>() // codes, since it was lost
  let reachable: boolean | undefined // until the first answer, or the first failure, nobody knows
  let refusing = false // it is there, but answers with errors
  let closed = false

  const redis = new Redis({
    ...optionsOf(access),
    protocol: 2,
    scripts: Object.fromEntries(Object.entries(SCRIPTS).map(([name, lua]) => [nameOf(name), { lua }])),
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENT_MS,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    retryStrategy: (times) => Math.min(50 * 2 ** times, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2),
    reconnectOnError: (error) => {
      refusing = true
      lastError = codeOf(error)
      return lastError === 'READONLY' // a primary that has become a replica
    },
  })
  const commands = redis as unknown as Record<`rdt_${Script}`, (...args: readonly unknown[]) => Promise<unknown>>

  const first = Promise.withResolvers<void>()
  const lost = (code: string): void => {
    reachable = false
    first.resolve()
    if (closed || told.has(code)) return
    told.add(code)
    onLost(code)
  }
  const found = (): void => {
    if (reachable === false) onFound()
    reachable = true
    told.clear()
    first.resolve()
  }
  redis.on('ready', () => {
    lastError = CLOSED
    if (refusing) return
    breaker.answered()
    found()
  })
  redis.on('error', (error: Error & { readonly command?: { readonly name: string } }) => {
    const code = codeOf(error)
    if (code !== CLOSED) lastError = code
    if (error.command?.name === 'select') redis.disconnect(true) // ioredis would go on in database 0
  })
  redis.on('close', () => lost(lastError))

  /** Of the connection nobody knows what its next answers are to. */
  const nonsense = (): Error => {
    const error = new StoreNonsense()
    refusing = true
    lastError = error.code
    redis.disconnect(true)
    return error
  }

  return {
    /** `keys` and `args` as the script says. `onLate`: gets an answer that comes after its time. */
    ask: async (
      script: Script,
      keys: readonly string[],
      args: readonly (string | number)[],
      onLate: (answer: unknown) => void = () => {},
    ): Promise<{ readonly answer: unknown } | { readonly failure: StoreFailure }> => {
      if (redis.status !== 'ready' || !breaker.admits()) return { failure: 'skipped' }
      const asked = commands[nameOf(script)](keys.length, ...keys, ...args)
      try {
        const answer = await within(timeoutMs, asked)
        if (!isAnswerTo(script, answer)) throw nonsense()
        refusing = false
        breaker.answered()
        found()
        return { answer }
      } catch (error) {
        const late = error instanceof StoreTimeout
        if (late)
          asked.then(
            (answer) => isAnswerTo(script, answer) && onLate(answer),
            () => {},
          )
        breaker.failed()
        const code = codeOf(error)
        if (breaker.openForMs() > 0) lost(code === CLOSED ? lastError : code) // why it was closed
        return { failure: late ? 'timeout' : 'error' }
      }
    },
    /** False from when it is given up until it answers again. */
    reachable: (): boolean => reachable === true,
    /** Resolves when it is known whether there is a store, after `ms` milliseconds at the latest. */
    open: async (ms: number): Promise<void> => {
      redis.connect().catch(() => {}) // told by events, and tried again
      await Promise.race([first.promise, delay(ms, undefined, { ref: false })])
    },
    /** From the next connection on. */
    change: (changed: StoreAccess): void => {
      Object.assign(redis.options, optionsOf(changed))
      if (redis.status !== 'ready') redis.disconnect(true)
    },
    close: (): void => {
      closed = true
      redis.disconnect()
    },
  }
}
export type Connection = ReturnType<typeof createConnection>

// Prefixed: ioredis has commands of its own, and one of them may have such a name some day.
const nameOf = <S extends string>(script: S): `rdt_${S}` => `rdt_${script}`

const optionsOf = ({ host, port, tls, username, db, password, ca }: StoreAccess) => ({
  host,
  port,
  db,
  username,
  password,
  tls: tls ? { minVersion: 'TLSv1.2' as const, ...(ca !== undefined && { ca }) } : undefined,
})

const CLOSED = 'closed'
class StoreTimeout extends Error {
  readonly code = 'ETIMEDOUT'
}
class StoreNonsense extends Error {
  readonly code = 'EPROTO'
}

/** Not ioredis' own: its timers run before what has arrived is read, where this process was busy, and throw answers away. */
const within = (ms: number, asked: Promise<unknown>): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new StoreTimeout())), ms)
    asked.finally(() => clearTimeout(timer)).then(resolve, reject)
  })

/** The store's own word for an error (`OOM`, `WRONGPASS`), or the system's. Never its text, which may quote what was sent. */
const codeOf = (error: unknown): string => {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return code
  return /^[A-Z]{2,}\b/.exec(String(message))?.[0] ?? CLOSED // ioredis has many sentences for that
}
