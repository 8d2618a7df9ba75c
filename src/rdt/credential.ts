/** Whose authority a call has at Amazon: a caller's own access token, or that of a managed seller. Named by a keyed hash, never by itself. */
import { hash, randomBytes, randomUUID } from 'node:crypto'
import { createExpiringMap } from '../expiring-map.ts'

export type Credential = {
  /** SHA-256 of key and token (or of a number drawn for the seller), hex: safe as a map key, worthless outside this process. */
  readonly id: string
} & (
  | {
      /** The caller's token, for the mint. Never logged. */
      readonly token: string
    }
  | { readonly managed: AccessTokens }
)

/** The access tokens of one managed seller, one after the other. */
export type AccessTokens = {
  /** By what Amazon knows whose they are: the application, and the refresh token that they come by now. */
  readonly account: () => readonly [clientId: string, refreshToken: string]
  /** The one in force, got from Login with Amazon where need be. Rejects only on a bug. */
  readonly get: () => Access | Promise<Access>
  /** Amazon no longer takes this one. Whether asking for another can help. */
  readonly rejected: (token: string) => boolean
}

/** An LWA access token, or why there is none. */
export type Access = { readonly kind: 'token'; readonly token: string } | NoAccess
export type NoAccess =
  /** `error`: Login with Amazon's (OAuth 2.0). */
  | { readonly kind: 'access-refused'; readonly error: string }
  /** `retryAfterS`: seconds until it is worth asking again. */
  | { readonly kind: 'access-unavailable'; readonly why: string; readonly retryAfterS: number }

export const accessOf = (credential: Credential): Access | Promise<Access> =>
  'managed' in credential ? credential.managed.get() : { kind: 'token', token: credential.token }

/** Whoever shows the same is the same to Amazon, whichever replica it calls. A secret: to be hashed with a key. */
export const identityOf = (credential: Credential): string =>
  JSON.stringify('managed' in credential ? credential.managed.account() : [credential.token])

/** Amazon no longer takes the credential's access token. Whether there is, or will be, another one. */
export const renewable = (credential: Credential, token: string): boolean =>
  'managed' in credential && credential.managed.rejected(token)

/** A caller's own access token. */
export type Bearer = Extract<Credential, { token: string }>

// Tokens whose hash is not computed for every call: of as many sellers, and no longer than Amazon's (LWA's have up to 2048 characters).
const MOST_KNOWN = 1000
const MOST_TOKEN = 4096

// Not createHmac: that is twenty times slower, on every call, and guards against a forger of names, who has nothing to gain here.
/** `knownForMs`: a token is in memory for no longer than that because its hash is. */
export const createCredentials = (key: string = randomBytes(32).toString('hex'), knownForMs = 60_000) => {
  const idOf = (text: string): string => hash('sha256', key + text, 'hex')
  const known = createExpiringMap<Bearer>({ maxEntries: MOST_KNOWN, now: () => performance.now() })
  const learn = (bearer: Bearer): void => {
    if (known.size() === 0) setTimeout(known.clear, knownForMs).unref()
    known.set(bearer.token, bearer)
  }
  return {
    identify: (token: string): Bearer => {
      const seen = known.get(token)
      if (seen) return seen
      const bearer = { id: idOf(token), token }
      if (token.length <= MOST_TOKEN) learn(bearer)
      return bearer
    },
    /** Whatever its tokens and secrets. One that is managed anew, be it by the same name, may be another selling partner's. */
    manage: (managed: AccessTokens): Credential => ({ id: idOf(randomUUID()), managed }),
  }
}
export type Credentials = ReturnType<typeof createCredentials>

/** Amazon's RDTs begin so; LWA access tokens with `Atza|`. */
export const isRdt = (token: string): boolean => token.startsWith('Atz.sprdt|')
