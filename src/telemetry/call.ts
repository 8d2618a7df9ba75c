/** Pure: what is remembered of a call while it is served, and what that comes to when it has ended. */
import type { RestrictedResource } from '../rdt/need.ts'
import type { MintAnswer } from '../rdt/tokens-api.ts'
import type { OwnError } from '../sp-api/errors.ts'

/** The error that was the answer: its name, what it is about, and the code of Amazon's refusal. */
export type Failure = Pick<OwnError, 'name' | 'cause' | 'code'>

/** The handler fills it in as it learns. */
export type Call = {
  readonly startedAt: number
  readonly method: string
  /** Catalogue id, or `other`. */
  route: string
  /** `hit`, `minted`, …, without its reason. */
  verdict: string
  reason?: string | undefined
  /** First 8 hex digits of the credential's keyed hash. */
  credential?: string
  /** Who it was that called in the name of a managed seller, as the configuration names it. */
  caller?: string | undefined
  /** The resources of the RDT that it needs. */
  asked?: readonly RestrictedResource[]
  /** A caller's own mint: the RDT is in the answer. */
  handsOut?: boolean
  /** A caller's own mint that goes to Amazon as it came. */
  streamsMint?: boolean
  /** Milliseconds spent waiting for a mint, and for the caller's body. */
  waitedMs: number
  /** Of its body, in memory until it has ended. */
  keptBytes: number
  /** Refused by us or failed at Amazon: an answer that then does not end whole is no abort of the caller. */
  failed?: Failure
  /** When the call left for Amazon, for the last time. */
  forwardedAt?: number
  /** When Amazon's answer to that began. */
  answeredAt?: number
  /** Amazon's, of that answer. */
  requestId?: string | undefined
  /** It was, or should have been, sent again with a new RDT. */
  replay?: boolean
}

/** What the sidecar itself added; undefined where the call never left. */
export const overheadOf = ({ startedAt, forwardedAt, waitedMs }: Call): number | undefined =>
  forwardedAt === undefined ? undefined : Math.max(0, forwardedAt - startedAt - waitedMs)

/** From the call's leaving to the beginning of Amazon's answer. */
export const upstreamOf = ({ forwardedAt, answeredAt }: Call): number | undefined =>
  forwardedAt === undefined || answeredAt === undefined ? undefined : answeredAt - forwardedAt

/** The call went out again and the answer no longer was a 403. */
export const cured = ({ verdict, failed }: Call, status: number): boolean =>
  verdict === 'replayed' && !failed && status !== 403

/** Of a caller's own mint whose answer was not read. `status` 499: the caller left. */
export const streamedOutcome = ({ failed }: Call, status: number): MintAnswer['kind'] | 'abandoned' => {
  if (failed) return 'network'
  if (status === 499) return 'abandoned'
  if (status === 429) return 'throttled'
  if (status >= 500) return 'server_error'
  if (status >= 400) return 'refused'
  return status === 200 ? 'success' : 'bad_response'
}
