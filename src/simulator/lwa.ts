/**
 * Login with Amazon's token endpoint: who may have an access token, and the OAuth errors for everyone else.
 * There is no registry: a refresh token names its selling partner (`Atzr|<seller id>`, `Atzr|<seller id>~<anything>` for
 * more of them), a client id its application.
 */
import { readJson } from './calls.ts'
import { type Answer, json, oauthError } from './errors.ts'
import type { Holder } from './tokens.ts'

/** The application of `accessToken()` and of the examples: client id `amzn1.application-oa2-client.simulator`. */
export const DEFAULT_APP = 'simulator'

const CLIENT_ID = 'amzn1.application-oa2-client.'
const REFRESH_TOKEN = 'Atzr|'
const INVALID_REFRESH_TOKEN = 'The request has an invalid grant parameter : refresh_token'

/** What is valid at the moment. */
export type Credentials = {
  readonly clientSecrets: ReadonlySet<string>
  readonly revokedRefreshTokens: ReadonlySet<string>
}

export type Grant =
  | { readonly holder: Holder; readonly refreshToken: string | undefined }
  | { readonly refusal: Answer }

/** Reads a token request. @param contentType the header as it came */
export const readGrant = (
  method: string,
  contentType: string | undefined,
  body: string,
  credentials: Credentials,
): Grant => {
  if (method !== 'POST') return refuse(400, 'invalid_request', 'The request method must be POST')
  const form = readForm(contentType ?? '', body)
  if (form === undefined) {
    return refuse(400, 'invalid_request', 'The Content-Type must be application/x-www-form-urlencoded')
  }
  const missing = ['grant_type', 'client_id', 'client_secret'].find((name) => !form.get(name))
  if (missing !== undefined) return missingParameter(missing)
  return authenticate(form, credentials)
}

/** The seller a token request names, whether it is granted or not; undefined where it names none. */
export const sellerOf = (contentType: string | undefined, body: string): string | undefined => {
  const form = readForm(contentType ?? '', body)
  return form?.get('grant_type') === 'refresh_token' ? sellerIn(form.get('refresh_token') ?? '') : undefined
}

/** The answer with a token in it. @param seconds its lifetime */
export const grantAnswer = (token: string, seconds: number, refreshToken: string | undefined): Answer =>
  json(
    200,
    {
      access_token: token,
      token_type: 'bearer',
      expires_in: seconds,
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    },
    { 'cache-control': 'no-store' },
  )

/** LWA documents forms; much used clients (amazon-sp-api, @sp-api-sdk) send the same as a JSON object, and are served. */
const readForm = (contentType: string, body: string): URLSearchParams | undefined => {
  if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType)) return new URLSearchParams(body)
  if (!/^application\/json\s*(;|$)/i.test(contentType)) return undefined
  const fields = readJson(Buffer.from(body))
  if (typeof fields !== 'object' || fields === null) return undefined
  return new URLSearchParams(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)])))
}

const authenticate = (form: URLSearchParams, credentials: Credentials): Grant => {
  const clientId = form.get('client_id') ?? ''
  const app = clientId.slice(CLIENT_ID.length)
  const secretFits = credentials.clientSecrets.has(form.get('client_secret') ?? '')
  if (!clientId.startsWith(CLIENT_ID) || app === '' || !secretFits) {
    return refuse(401, 'invalid_client', 'Client authentication failed')
  }
  if (app.startsWith('unauthorized')) {
    return refuse(400, 'unauthorized_client', 'Not authorized for requested operation')
  }
  return readGrantType(form, app, credentials.revokedRefreshTokens)
}

const readGrantType = (form: URLSearchParams, app: string, revoked: ReadonlySet<string>): Grant => {
  switch (form.get('grant_type')) {
    case 'refresh_token':
      return readRefreshToken(form.get('refresh_token') ?? '', app, revoked)
    case 'client_credentials':
      return form.get('scope')
        ? { holder: { app, seller: undefined }, refreshToken: undefined }
        : missingParameter('scope')
    default:
      return refuse(
        400,
        'unsupported_grant_type',
        'The authorization grant type is not supported by the authorization server',
      )
  }
}

const readRefreshToken = (token: string, app: string, revoked: ReadonlySet<string>): Grant => {
  if (token === '') return missingParameter('refresh_token')
  const seller = sellerIn(token)
  if (seller === undefined) return refuse(400, 'invalid_grant', INVALID_REFRESH_TOKEN)
  if (revoked.has(token)) {
    const cause = "User may have revoked or didn't grant the permission."
    return refuse(400, 'invalid_grant', `${INVALID_REFRESH_TOKEN}. ${cause}`)
  }
  return { holder: { app, seller }, refreshToken: token }
}

const sellerIn = (refreshToken: string): string | undefined => {
  const [seller = ''] = refreshToken.slice(REFRESH_TOKEN.length).split('~')
  return refreshToken.startsWith(REFRESH_TOKEN) && seller !== '' ? seller : undefined
}

const missingParameter = (name: string): Grant =>
  refuse(400, 'invalid_request', `The request is missing a required parameter : ${name}`)

const refuse = (status: number, error: string, description: string): Grant => ({
  refusal: oauthError(status, error, description),
})
