/**
 * The createRestrictedDataToken client (Tokens API model 2021-03-01): one attempt, every answer told apart.
 * Never throws and never lets a token into a message. Does not retry, throttle or cache.
 */
import { TOKENS_PATH } from '../sp-api/endpoints.ts'
import { firstError, systemCode } from '../sp-api/errors.ts'
import { parseJson } from '../sp-api/json.ts'
import type { Need } from './need.ts'
import type { Refused } from './refusal.ts'

/** `ratePerSecond`: the plan's rate, where Amazon names it (200 and 400). */
export type MintAnswer =
  /** `expiresInMs`: read, never assumed; absent where missing or absurd. */
  | {
      readonly kind: 'success'
      readonly rdt: string
      readonly expiresInMs?: number
      readonly ratePerSecond?: number | undefined
      readonly requestId?: string | undefined
    }
  | (Refused & { readonly ratePerSecond?: number | undefined })
  | { readonly kind: 'throttled' }
  | { readonly kind: 'server_error'; readonly status: number }
  | { readonly kind: 'network'; readonly timedOut: boolean; readonly cause: string }
  | { readonly kind: 'bad_response'; readonly status: number }

export type MintRequest = {
  readonly origin: string
  readonly accessToken: string
  readonly need: Pick<Need, 'resources' | 'targetApplication'>
}

export type TokensApiOptions = {
  readonly fetch: typeof fetch
  /** Bound of one attempt in milliseconds, body included. */
  readonly timeoutMs: number
  readonly userAgent: string
}

export const createTokensApi = (options: TokensApiOptions) => {
  const underWay = new Set<AbortController>()
  return {
    /** One POST; resolves whatever happens. */
    mint: async ({ origin, accessToken, need }: MintRequest): Promise<MintAnswer> => {
      const attempt = new AbortController()
      const timer = setTimeout(() => attempt.abort(OVERDUE), options.timeoutMs)
      underWay.add(attempt)
      try {
        const response = await options.fetch(origin + TOKENS_PATH, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json',
            'user-agent': options.userAgent,
            'x-amz-access-token': accessToken,
          },
          body: JSON.stringify(bodyOf(need)),
          redirect: 'manual', // following one would hand the caller's token to another host
          signal: attempt.signal,
        })
        return answerOf(response, await boundedText(response))
      } catch (error) {
        return { kind: 'network', timedOut: isTimeout(error), cause: causeOf(error) }
      } finally {
        clearTimeout(timer)
        underWay.delete(attempt)
      }
    },
    /** Ends what is under way: nobody waits for it any more. */
    close: (): void => {
      for (const attempt of underWay) attempt.abort()
    },
  }
}
const OVERDUE = new DOMException('no answer in time', 'TimeoutError')

export type TokensApi = ReturnType<typeof createTokensApi>

const bodyOf = ({ resources, targetApplication }: MintRequest['need']) => ({
  restrictedResources: resources,
  ...(targetApplication === undefined ? {} : { targetApplication }),
})

const answerOf = (response: Response, text: string): MintAnswer => {
  const { status } = response
  if (status === 200) return success(response, text) ?? { kind: 'bad_response', status }
  if (status === 429) return { kind: 'throttled' }
  if (status >= 500) return { kind: 'server_error', status }
  if (status >= 400) return refusal(response, text)
  return { kind: 'bad_response', status }
}

const success = (response: Response, text: string): MintAnswer | undefined => {
  const body = parseJson(text)
  const { restrictedDataToken: rdt, expiresIn } = body?.payload ?? body ?? {} // Amazon's 2021 guide showed the wrapper
  if (typeof rdt !== 'string' || !/^[\x21-\x7e]+$/.test(rdt)) return undefined
  const life = plausible(expiresIn) && { expiresInMs: expiresIn * 1000 }
  return { kind: 'success', rdt, ...life, ...requestIdOf(response), ...rateOf(response) }
}

const refusal = (response: Response, body: string): MintAnswer => {
  const { code, message, details } = firstError(body) ?? { code: 'Unknown', message: NO_REASON, details: '' }
  const headers = Object.fromEntries([...response.headers].filter(([name]) => PASSED_ON.includes(name)))
  const { status } = response
  return {
    kind: 'refused',
    status,
    code,
    message,
    details,
    answer: { headers, body },
    ...requestIdOf(response),
    ...rateOf(response),
  }
}

const requestIdOf = ({ headers }: Response): { requestId?: string } => {
  const requestId = headers.get('x-amzn-requestid')
  return requestId === null ? {} : { requestId }
}
const NO_REASON = 'Amazon gave no reason'
/** Headers of a refusal that callers who mint for themselves get. */
const PASSED_ON = ['content-type', 'x-amzn-requestid', 'x-amzn-errortype', 'x-amzn-ratelimit-limit']

/** More than a hundred thousand a second is no plan of Amazon's. */
const rateOf = ({ headers }: Response): { ratePerSecond?: number } => {
  const rate = Number(headers.get('x-amzn-ratelimit-limit') ?? Number.NaN)
  return rate > 0 && rate < 100_000 ? { ratePerSecond: rate } : {}
}

// Amazon's is 3600. Nobody would know what more than a day means.
const plausible = (expiresIn: unknown): expiresIn is number =>
  typeof expiresIn === 'number' && expiresIn > 0 && expiresIn <= 86_400

const MAX_ANSWER_BYTES = 262_144 // an RDT grows with its resources; its size is undocumented

const boundedText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_ANSWER_BYTES) return '' // reads as an answer without a token
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError'

const causeOf = (error: unknown): string => (isTimeout(error) ? 'ETIMEDOUT' : systemCode(Object(error).cause))
