/**
 * The createRestrictedDataToken client (Tokens API model 2021-03-01): one attempt, every answer told apart.
 * Never throws and never lets a token into a message. Does not retry, throttle or cache.
 */
import type { Posted, Poster } from '../post.ts'
import { TOKENS_PATH } from '../sp-api/endpoints.ts'
import { firstError } from '../sp-api/errors.ts'
import { isToken, parseJson, readLife } from '../sp-api/json.ts'
import type { Need } from './need.ts'
import { type Refused, UNEXPLAINED } from './refusal.ts'

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

export const createTokensApi = ({ post }: Pick<Poster, 'post'>) => ({
  /** One POST; resolves whatever happens. */
  mint: async ({ origin, accessToken, need }: MintRequest): Promise<MintAnswer> => {
    const headers = { 'content-type': 'application/json', 'x-amz-access-token': accessToken }
    const posted = await post(origin + TOKENS_PATH, headers, JSON.stringify(bodyOf(need)))
    return posted.kind === 'answer' ? answerOf({ ...posted, text: without(accessToken, posted) }) : posted
  },
})
export type TokensApi = ReturnType<typeof createTokensApi>

const bodyOf = ({ resources, targetApplication }: MintRequest['need']) => ({
  restrictedResources: resources,
  ...(targetApplication === undefined ? {} : { targetApplication }),
})

type Answer = Extract<Posted, { kind: 'answer' }>

/**
 * What says no may repeat what it was sent, and is passed on to callers, who need not know the seller's token. A short one is none of
 * Login with Amazon's, but a caller's word: "e" would make Amazon's answer unreadable.
 */
const without = (accessToken: string, { status, text }: Answer): string =>
  status === 200 || accessToken.length < SHORTEST_TOKEN ? text : text.replaceAll(accessToken, '[removed]')
const SHORTEST_TOKEN = 16 // Amazon's have hundreds of characters

const answerOf = (answer: Answer): MintAnswer => {
  const { status } = answer
  if (status === 200) return success(answer) ?? { kind: 'bad_response', status }
  if (status === 429) return { kind: 'throttled' }
  if (status >= 500) return { kind: 'server_error', status }
  if (status >= 400) return refusal(answer)
  return { kind: 'bad_response', status }
}

const success = (answer: Answer): MintAnswer | undefined => {
  const body = parseJson(answer.text)
  const { restrictedDataToken: rdt, expiresIn } = body?.payload ?? body ?? {} // Amazon's 2021 guide showed the wrapper
  if (!isToken(rdt)) return undefined
  return { kind: 'success', rdt, ...readLife(expiresIn), ...requestIdOf(answer), ...rateOf(answer) }
}

const refusal = (refused: Answer): MintAnswer => {
  const { status, text: body } = refused
  const { code, message, details } = firstError(body) ?? UNEXPLAINED
  const headers = Object.fromEntries([...refused.headers].filter(([name]) => PASSED_ON.includes(name)))
  return {
    kind: 'refused',
    status,
    code,
    message,
    details,
    answer: { headers, body },
    ...requestIdOf(refused),
    ...rateOf(refused),
  }
}

const requestIdOf = ({ headers }: Answer): { requestId?: string } => {
  const requestId = headers.get('x-amzn-requestid')
  return requestId === null ? {} : { requestId }
}
/** Headers of a refusal that callers who mint for themselves get. */
const PASSED_ON = ['content-type', 'x-amzn-requestid', 'x-amzn-errortype', 'x-amzn-ratelimit-limit']

/** More than a hundred thousand a second is no plan of Amazon's. */
const rateOf = ({ headers }: Answer): { ratePerSecond?: number } => {
  const rate = Number(headers.get('x-amzn-ratelimit-limit') ?? Number.NaN)
  return rate > 0 && rate < 100_000 ? { ratePerSecond: rate } : {}
}
