/**
 * Login with Amazon's token endpoint: a refresh token for an access token (OAuth 2.0, RFC 6749 §6; Amazon's guide "Connecting to
 * the SP-API"). One attempt, every answer told apart. Never throws, and lets no secret into what it returns but the token itself.
 */
import type { Poster } from '../post.ts'
import { isToken, parseJson, readLife } from '../sp-api/json.ts'
import { createTurns } from './turns.ts'

/** Refusals that stand until the secrets change. */
export const PERMANENT = ['invalid_client', 'invalid_grant', 'unauthorized_client'] as const
export type LwaRefusal = (typeof PERMANENT)[number] | 'refused'

export type LwaAnswer =
  /** `expiresInMs`: read, never assumed; absent where missing or absurd. */
  | { readonly kind: 'success'; readonly accessToken: string; readonly expiresInMs?: number }
  /** `refused`: any other 4xx, which is no fault of the secrets. */
  | { readonly kind: LwaRefusal; readonly status: number }
  | { readonly kind: 'throttled'; readonly status: number }
  | { readonly kind: 'server_error'; readonly status: number }
  | { readonly kind: 'network'; readonly timedOut: boolean; readonly cause: string }
  | { readonly kind: 'bad_response'; readonly status: number }

export type LwaRequest = { readonly clientId: string; readonly clientSecret: string; readonly refreshToken: string }

export const createLwaApi = ({ post }: Pick<Poster, 'post'>, endpoint: string) => {
  const inTurn = createTurns(MOST_AT_ONCE)
  return {
    /** One POST, in its turn; resolves whatever happens. */
    grant: ({ clientId, clientSecret, refreshToken }: LwaRequest): Promise<LwaAnswer> =>
      inTurn(async () => {
        const form = new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: refreshToken,
          client_id: clientId,
          client_secret: clientSecret,
        })
        const posted = await post(endpoint, FORM, form.toString())
        return posted.kind === 'answer' ? answerOf(posted.status, posted.text) : posted
      }),
  }
}
export type LwaApi = ReturnType<typeof createLwaApi>

const MOST_AT_ONCE = 10 // hundreds of sellers may share a client secret that changes

const FORM = { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }

const answerOf = (status: number, text: string): LwaAnswer => {
  if (status === 200) return success(text) ?? { kind: 'bad_response', status }
  if (status === 429) return { kind: 'throttled', status }
  if (status >= 500) return { kind: 'server_error', status }
  if (status < 400) return { kind: 'bad_response', status }
  const error: unknown = parseJson(text)?.error
  return { kind: PERMANENT.find((known) => known === error) ?? 'refused', status }
}

const success = (text: string): LwaAnswer | undefined => {
  const { access_token: accessToken, expires_in: expiresIn } = parseJson(text) ?? {}
  if (!isToken(accessToken)) return undefined
  return { kind: 'success', accessToken, ...readLife(expiresIn) }
}
