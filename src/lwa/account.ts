/**
 * The access tokens of one managed seller: fetched once for all who wait, kept less a margin, renewed in the background while in
 * use. Secrets that change are tried at once, while the token in force serves on; where Login with Amazon refuses them, those that
 * worked before are used as long as they do; where none had been needed yet, those that were configured before. Promises: what was refused is not asked for again until the secrets change or a while
 * has passed; nobody waits longer than `maxWaitMs`; rejects only on a bug.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Breaker } from '../rdt/breaker.ts'
import type { Access, AccessTokens, NoAccess } from '../rdt/credential.ts'
import { backoffMs, type RenewalPolicy, refreshAtOf } from '../rdt/renewal.ts'
import { retryAfterS } from '../rdt/settle.ts'
import { type LwaAnswer, type LwaApi, type LwaRequest, PERMANENT } from './lwa-api.ts'

/** What LWA is asked with. */
export type Grant = Pick<LwaRequest, 'clientSecret' | 'refreshToken'>
/** `previous`: those before the ones that are configured. */
export type Standing = 'current' | 'previous'

export type AccountEvents = {
  readonly lwaAsked: (answer: LwaAnswer, standing: Standing, tookMs: number) => void
  /** The secrets that are configured are refused; those before them still work. */
  readonly fellBack: () => void
  /** Secrets that were changed work. */
  readonly tookOver: () => void
  /** From now on tokens come by another refresh token: it may be another selling partner's. */
  readonly reauthorised: () => void
  readonly failed: (bug: unknown) => void
}

export type AccountOptions = {
  readonly clientId: string
  readonly grant: Grant
  readonly lwaApi: LwaApi
  readonly breaker: Breaker
  readonly renewal: RenewalPolicy
  /** Longest wait of a caller, in milliseconds. */
  readonly maxWaitMs: number
  readonly events: AccountEvents
  /** Milliseconds, monotonic. */
  readonly now: () => number
  readonly random: () => number
}

type Granted = Extract<LwaAnswer, { kind: 'success' }>
type Held = {
  readonly token: string
  readonly grant: Grant
  readonly since: number
  /** Expiry less the margin. */
  readonly usableUntil: number
  /** Moved on by a renewal that failed; sooner where the configured secrets wait to be asked with again. */
  refreshAt: number
}

const ATTEMPTS = 3
const BACKOFF_MS = 200
const REMEMBERED_MS = 300_000 // a refusal of the secrets stands; an operator may have mended it at Amazon all the same
const PASSING_MS = 10_000
/** How long a token serves of which nobody says how long it lives: not assumed to be Amazon's hour, nor one request a call. */
const UNSAID_MS = 10_000
/** A token that Amazon refuses so young is not to blame: another one would be refused too. Milliseconds. */
const YOUNG_MS = 10_000

export const createAccount = (options: AccountOptions) => {
  const { lwaApi, breaker, events, now, random } = options
  let current = options.grant
  let good: Grant | undefined // the last that worked
  let untried: Grant | undefined // while none has: the last that was configured before, and not refused
  let held: Held | undefined
  let flight: Promise<Access> | undefined
  let failures = 0
  let failedInARow = 0
  let pausedUntil = 0
  let closed = false
  const refusals = new Map<Grant, { readonly refusal: NoAccess; readonly until: number }>()
  const usedAt = new Map<string, number>() // secret → Unix time

  const fetchToken = async (): Promise<Access> => {
    const asked = current
    const access = await askWith(asked)
    return access.kind === 'access-refused' && asked !== current ? fetchToken() : access // they have changed meanwhile
  }

  const askWith = async (asked: Grant): Promise<Access> => {
    const first = await ask(asked, 'current')
    const before = good ?? untried
    if (first.kind !== 'access-refused' || asked !== current || !before || before === asked) return first
    const second = await ask(before, 'previous')
    if (second.kind === 'token' && asked === current) events.fellBack()
    return second.kind === 'access-refused' ? first : second
  }

  const ask = async (grant: Grant, standing: Standing): Promise<Access> => {
    const known = refusals.get(grant)
    if (known && now() < known.until) return known.refusal
    if (now() < pausedUntil) return unavailable(FAILING, pauseMs())
    for (let n = 1; ; n += 1) {
      if (!breaker.admits()) return unavailable(FAILING, breaker.openForMs())
      const sentAt = now()
      const answer = await lwaApi.grant({ clientId: options.clientId, ...grant })
      events.lwaAsked(answer, standing, now() - sentAt)
      if (answer.kind === 'success') return take(answer, grant, sentAt)
      if ('status' in answer && isRefusal(answer.kind)) return refuse(answer.kind, grant)
      if (answer.kind !== 'throttled') breaker.failed()
      if (n === ATTEMPTS || closed || breaker.openForMs() > 0) return giveUp(answer)
      await delay(BACKOFF_MS * n * (0.5 + random() / 2))
    }
  }

  /** Pauses, longer each time: the breaker's probes are for other accounts too, which may fare better, and 429 opens none. */
  const giveUp = (answer: LwaAnswer): NoAccess => {
    failedInARow += 1
    pausedUntil = now() + backoffMs(failedInARow, random()) / 2
    return unavailable(reasonOf(answer), pauseMs())
  }
  const pauseMs = (): number => Math.max(breaker.openForMs(), pausedUntil - now())

  const take = (answer: Granted, grant: Grant, sentAt: number): Access => {
    breaker.answered()
    const { accessToken: token } = answer
    const before = good
    held = { token, grant, since: now(), ...lifeOf(answer, sentAt) }
    if (grant !== current) held.refreshAt = Math.min(held.refreshAt, now() + REMEMBERED_MS)
    good = grant
    failures = 0
    failedInARow = 0
    const seconds = Date.now() / 1000
    for (const secret of Object.values(grant)) usedAt.set(secret, seconds)
    if (before && before !== grant && grant === current) events.tookOver()
    if ((before ?? current).refreshToken !== grant.refreshToken) events.reauthorised()
    return { kind: 'token', token }
  }

  const lifeOf = ({ expiresInMs }: Granted, sentAt: number): Pick<Held, 'usableUntil' | 'refreshAt'> => {
    if (expiresInMs === undefined) return { usableUntil: now() + UNSAID_MS, refreshAt: Number.POSITIVE_INFINITY }
    const expiresAt = sentAt + expiresInMs
    return {
      usableUntil: expiresAt - options.renewal.expiryMarginMs,
      refreshAt: refreshAtOf(options.renewal, sentAt, expiresAt, random()),
    }
  }

  const refuse = (error: string, grant: Grant): NoAccess => {
    breaker.answered()
    failedInARow = 0
    const refusal: NoAccess = { kind: 'access-refused', error }
    refusals.set(grant, { refusal, until: now() + (error === 'refused' ? PASSING_MS : REMEMBERED_MS) })
    return refusal
  }

  const fly = (): Promise<Access> => {
    flight ??= fetchToken().finally(() => {
      flight = undefined
    })
    return flight
  }

  /** Behind the callers' backs: what is held serves on whatever comes of it. */
  const renew = async (): Promise<void> => {
    if (closed) return
    const before = held
    const { kind } = await fly()
    if (kind === 'token' || held !== before || !held) return
    failures += 1
    held.refreshAt = now() + backoffMs(failures, random())
  }

  const usable = (one: Held | undefined): one is Held => one !== undefined && now() < one.usableUntil

  /** Changed secrets, once what is under way with the old ones is over. */
  const tryThem = async (): Promise<void> => {
    const changed = current
    if (flight) await flight
    if (changed === current && held?.grant !== current) await renew()
  }

  const account: AccessTokens = {
    account: () => [options.clientId, (good ?? current).refreshToken],
    get: () => {
      if (!usable(held)) return within(fly(), options.maxWaitMs)
      if (now() >= held.refreshAt && !flight) renew().catch(events.failed)
      return { kind: 'token', token: held.token }
    },
    rejected: (token) => {
      if (held?.token !== token) return true // somebody said so before: another one is there, or on its way
      if (now() - held.since < YOUNG_MS) return false
      held = undefined
      return true
    },
  }

  return {
    ...account,
    /** These secrets from now on, as soon as LWA takes them. */
    change: (grant: Grant): void => {
      if (isSame(grant, current)) return
      // RDTs can be there without any access token, from a store
      if (!good && grant.refreshToken !== current.refreshToken) events.reauthorised()
      if (!good && !refusals.has(current)) untried = current
      const before = good ?? untried
      current = before && isSame(grant, before) ? before : grant
      for (const refused of refusals.keys()) if (refused === current || refused !== good) refusals.delete(refused)
      pausedUntil = 0
      const kept = [grant, good].flatMap((one) => (one ? Object.values(one) : []))
      for (const secret of usedAt.keys()) if (!kept.includes(secret)) usedAt.delete(secret)
      tryThem().catch(events.failed)
    },
    /** Refusals: an operator says that something has changed at Amazon. */
    forget: (): void => {
      refusals.clear()
      pausedUntil = 0
      if (held && held.grant !== current) held.refreshAt = now()
    },
    /** The secrets that are configured are refused, and those before them are used. */
    fallenBack: (): boolean => good !== undefined && good !== current && refusals.has(current),
    /** When each of the secrets that are configured last worked, in seconds of Unix time; 0: not yet. */
    lastUse: (): Readonly<Record<keyof Grant, number>> => ({
      clientSecret: usedAt.get(current.clientSecret) ?? 0,
      refreshToken: usedAt.get(current.refreshToken) ?? 0,
    }),
    close: (): void => {
      closed = true
    },
  }
}
export type Account = ReturnType<typeof createAccount>

const isSame = (one: Grant, other: Grant): boolean =>
  one.clientSecret === other.clientSecret && one.refreshToken === other.refreshToken

const isRefusal = (kind: LwaAnswer['kind']): boolean =>
  kind === 'refused' || PERMANENT.some((permanent) => permanent === kind)

const unavailable = (why: string, ms: number): NoAccess => ({
  kind: 'access-unavailable',
  why,
  retryAfterS: retryAfterS(ms),
})

const reasonOf = (answer: LwaAnswer): string => {
  if (answer.kind === 'network') return answer.timedOut ? SLOW : `Login with Amazon cannot be reached (${answer.cause})`
  return `Login with Amazon answered ${'status' in answer ? answer.status : 'nothing that can be read'}`
}
const FAILING = 'Login with Amazon is failing'
const SLOW = 'Login with Amazon did not answer in time'

const within = (access: Promise<Access>, ms: number): Promise<Access> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(unavailable(SLOW, 1000)), ms)
    access.then(resolve, reject).finally(() => clearTimeout(timer))
  })
