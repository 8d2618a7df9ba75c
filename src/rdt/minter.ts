/**
 * Mints one resource: waits for the usage plan, tries, classifies, and tries again where that can help and somebody still waits.
 * Never throws. Does not know who waits (broker.ts does).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Credential } from './credential.ts'
import { FULL, NOT_WANTED } from './limiter.ts'
import type { Limiters } from './limiters.ts'
import type { Need } from './need.ts'
import type { MintAnswer, TokensApi } from './tokens-api.ts'

export type MintResult =
  /** `expiresAt`: on the minter's clock; absent: use once, do not cache. */
  | { readonly kind: 'minted'; readonly rdt: string; readonly expiresAt?: number }
  | Extract<MintAnswer, { kind: 'refused' }>
  /** `retryAfterS`: seconds until it is worth asking again. */
  | { readonly kind: 'throttled'; readonly retryAfterS: number }
  | { readonly kind: 'unavailable'; readonly why: string; readonly retryAfterS: number }
  /** Everybody had left before its turn came. */
  | { readonly kind: 'unwanted' }

export type Order = {
  readonly origin: string
  readonly credential: Credential
  readonly need: Need
  /** Whether anybody still waits. */
  readonly wanted: () => boolean
  /** Told at the first attempt and at every answer that helps nobody, so that a caller who gives up can be told why. */
  readonly onProgress: (progress: Progress) => void
}
/** `throttled`: waiting for the plan, by our own count or by Amazon's. */
export type Progress = 'throttled' | 'attempting' | { readonly failed: string }

export type MinterEvents = {
  readonly mintAttempted: (order: Order, answer: MintAnswer, tookMs: number) => void
  readonly mintWaited: (ms: number) => void
}

export type MinterOptions = {
  readonly tokensApi: TokensApi
  readonly limiters: Limiters
  readonly events: MinterEvents
  readonly now: () => number
  readonly random: () => number
}

// Three attempts, 100 to 400 ms apart: what passes by is passed, what lasts is told.
const MAX_FAILURES = 3
const BACKOFF_MS = 200
const RETRY_FIRST = 4 // below bottleneck's default of 5: whoever was throttled goes before newcomers

export const createMinter = ({ tokensApi, limiters, events, now, random }: MinterOptions) => {
  const attempt = async (order: Order): Promise<MintAnswer & { sentAt: number }> => {
    const sentAt = now()
    const { origin, credential, need } = order
    const answer = await tokensApi.mint({ origin, accessToken: credential.token, need })
    events.mintAttempted(order, answer, now() - sentAt)
    return { ...answer, sentAt }
  }

  const mint = async (order: Order): Promise<MintResult> => {
    const limiterKey = JSON.stringify([order.origin, order.credential.id])
    for (let failures = 0, tries = 0; ; tries += 1) {
      const queuedAt = now()
      const limiter = limiters.for(limiterKey) // anew each time: an idle one is forgotten
      const turn = () => {
        events.mintWaited(now() - queuedAt)
        if (tries === 0) order.onProgress('attempting')
        return attempt(order)
      }
      const answer = await limiter.run(turn, order.wanted, tries === 0 ? undefined : RETRY_FIRST)
      if (answer === NOT_WANTED) return { kind: 'unwanted' }
      if (answer === FULL) return { kind: 'throttled', retryAfterS: limiter.retryAfterS() }
      if (answer.kind === 'success') return minted(answer)
      if (answer.kind === 'refused') return answer
      if (answer.kind === 'throttled') {
        order.onProgress('throttled')
        continue
      }
      failures += 1
      const why = reasonOf(answer)
      order.onProgress({ failed: why })
      if (failures === MAX_FAILURES) return { kind: 'unavailable', why, retryAfterS: 1 }
      await delay(BACKOFF_MS * failures * (0.5 + random() / 2))
    }
  }
  return { mint }
}
export type Minter = ReturnType<typeof createMinter>

type Success = Extract<MintAnswer, { kind: 'success' }> & { readonly sentAt: number }

const minted = ({ rdt, expiresInMs, sentAt }: Success): MintResult =>
  expiresInMs === undefined ? { kind: 'minted', rdt } : { kind: 'minted', rdt, expiresAt: sentAt + expiresInMs }

const reasonOf = (answer: Extract<MintAnswer, { kind: 'server_error' | 'network' | 'bad_response' }>): string => {
  if (answer.kind === 'server_error') return `the Tokens API answered ${answer.status}`
  if (answer.kind === 'bad_response') return `the Tokens API answered ${answer.status} without a readable token`
  return answer.timedOut
    ? 'the Tokens API did not answer in time'
    : `the Tokens API cannot be reached (${answer.cause})`
}
