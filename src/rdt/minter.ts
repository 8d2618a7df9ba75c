/** Mints for everybody: a desk per endpoint and credential, kept only while it has something to remember. Does not know who waits (broker.ts does). */
import { type Breaker, createBreakers } from './breaker.ts'
import { type Access, accessOf, type Credential, renewable } from './credential.ts'
import { type Attempt, createDesk, type Desk, type DeskPlan, type MintResult } from './desk.ts'
import type { SharedPlan } from './fleet.ts'
import { createLimiter, type Limiter } from './limiter.ts'
import { reachOf } from './refusal.ts'
import type { Question, Refusals } from './refusals.ts'
import { type RenewalPolicy, refreshAtOf } from './renewal.ts'
import type { MintAnswer, TokensApi } from './tokens-api.ts'

/** Why a mint is made: for a caller's call, ahead of expiry, for a call whose token Amazon no longer took, for a caller who mints. */
export type Trigger = 'miss' | 'refresh' | 'replay' | 'caller'

export type Order = Question & {
  readonly trigger: Trigger
  /** Callers who wait for it; a renewal may have none. */
  readonly waiters: () => number
  /** Whether it is still of use. */
  readonly wanted: () => boolean
  /** When a renewal leaves at the latest, on our clock in milliseconds. */
  readonly leaveBy: number | undefined
  /** Told at the first attempt and at every answer that helps nobody, so that a caller who gives up can be told why. */
  readonly onProgress: (progress: Progress) => void
}
/** Whose usage plan: of callers who bring their own tokens the sidecar sees credentials, not sellers. */
export type Seller = Pick<Order, 'origin' | 'credential'>
/** `throttled`: waiting for the plan, by our own count or by Amazon's. */
export type Progress =
  | 'throttled'
  | 'attempting'
  | { readonly failed: string }
  /** Waiting for an access token to mint with. */
  | { readonly noAccess: string }

export type MinterEvents = {
  /** `ratePerSecond`: of the usage plan, as it is after this answer but for what the answer says of it. */
  readonly mintAttempted: (orders: readonly Order[], answer: MintAnswer, tookMs: number, ratePerSecond: number) => void
  /** Waited for the usage plan. */
  readonly mintWaited: (ms: number) => void
  /** From now on so many resources wait for the usage plan. */
  readonly mintsWaiting: (resources: number) => void
}

/** Mints a second, and at once. Amazon's defaults: 1 and 10 per application and selling partner. */
export type UsagePlan = DeskPlan & { readonly ratePerSecond: number; readonly burst: number }

export type MinterOptions = {
  readonly tokensApi: TokensApi
  readonly plan: UsagePlan
  readonly renewal: RenewalPolicy
  readonly refusals: Refusals
  /** A seller's plan, where replicas draw on it together. */
  readonly sharedPlanOf?: ((seller: Seller) => SharedPlan) | undefined
  readonly events: MinterEvents
  readonly now: () => number
  readonly random: () => number
}

export const createMinter = (options: MinterOptions) => {
  const { tokensApi, plan, renewal, refusals, events, now, random } = options
  const desks = new Map<string, Desk>()
  const breakerOf = createBreakers({ now, random })
  let queued = 0
  const onLine = (by: number): void => {
    queued += by
    events.mintsWaiting(queued)
  }

  const attemptFor =
    ({ origin, credential }: Seller, breaker: Breaker, limiter: Limiter) =>
    async (orders: readonly Order[]): Promise<Attempt> => {
      const access = await accessFor(orders, credential, 'attempting')
      if (access.kind !== 'token') return access
      const { token: accessToken } = access
      const sentAt = now()
      const resources = orders.flatMap(({ need }) => need.resources)
      const targetApplication = orders[0]?.need.targetApplication
      const need = { resources, targetApplication }
      const answer = await tokensApi.mint({ origin, accessToken, need })
      events.mintAttempted(orders, answer, now() - sentAt, limiter.ratePerSecond())
      if (isFailure(answer)) breaker.failed()
      else breaker.answered()
      if (answer.kind === 'success') return minted(answer, sentAt, resources.length)
      const blamed = answer.kind === 'refused' && reachOf(answer) === 'credential'
      return blamed && renewable(credential, accessToken) ? { kind: 'stale_access' } : answer
    }

  /** The access token to mint with. Where getting it takes time, those who wait are told; `then`: what they are told after that. */
  const accessFor = async (orders: readonly Order[], credential: Credential, then: Progress): Promise<Access> => {
    const access = accessOf(credential)
    if (!(access instanceof Promise)) return access
    for (const { onProgress } of orders) onProgress(NO_ACCESS_YET)
    const got = await access
    for (const { onProgress } of orders) onProgress(then)
    return got
  }

  /** Whoever has no access token gets one before joining the line: a mint that cannot be made costs no permit of the plan. */
  const mint = async (order: Order): Promise<MintResult> => {
    const access = await accessFor([order], order.credential, 'throttled')
    return access.kind === 'token' ? deskOf(order).join(order) : access
  }

  const minted = (answer: Extract<MintAnswer, { kind: 'success' }>, sentAt: number, resources: number): Attempt => {
    const { rdt: token, expiresInMs, ratePerSecond } = answer
    if (expiresInMs === undefined) return { kind: 'minted', rdt: { token, resources }, ratePerSecond }
    const expiresAt = sentAt + expiresInMs
    const refreshAt = refreshAtOf(renewal, sentAt, expiresAt, random())
    return { kind: 'minted', rdt: { token, expiresAt, refreshAt, resources }, ratePerSecond }
  }

  const deskOf = (seller: Seller): Desk => {
    const key = sellerKey(seller)
    const known = desks.get(key)
    if (known) return known
    const { ratePerSecond, burst } = plan
    const shared = options.sharedPlanOf?.(seller)
    const limiter = createLimiter({ ratePerSecond, burst, now, random, shared, onFull: () => desk.forgetIfIdle() })
    const breaker = breakerOf(key)
    const desk: Desk = createDesk({
      plan,
      limiter,
      breaker,
      refusals,
      attempt: attemptFor(seller, breaker, limiter),
      onTurn: events.mintWaited,
      onLine,
      onIdle: () => desks.delete(key),
      now,
      random,
    })
    desks.set(key, desk)
    return desk
  }

  return {
    mint,
    /** Somebody began to wait for a renewal that had time. */
    hurry: (seller: Seller): void => desks.get(sellerKey(seller))?.hurry(),
    /** Gives a turn of the seller's plan to a mint that is made elsewhere; NOT_WANTED where `wanted` says so by then. */
    pass: <T extends { readonly kind: string }>(seller: Seller, mint: () => Promise<T>, wanted: () => boolean) =>
      deskOf(seller).pass(mint, wanted),
    /** Usage plans that have something to remember: as many as credentials have minted of late. */
    plans: (): number => desks.size,
    /** Resources waiting for the usage plan. */
    queued: (): number => queued,
  }
}
export type Minter = ReturnType<typeof createMinter>

/** What is kept of a seller's usage plan is kept under this. */
export const sellerKey = ({ origin, credential }: Seller): string => JSON.stringify([origin, credential.id])

const NO_ACCESS_YET: Progress = { noAccess: 'Login with Amazon did not answer in time' }

const isFailure = ({ kind }: MintAnswer): boolean => ['server_error', 'network', 'bad_response'].includes(kind)
