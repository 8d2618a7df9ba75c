/** Names a caller's access token without holding it: a hash keyed with bytes that never leave this process. */
import { createHmac, randomBytes } from 'node:crypto'

export type Credential = {
  /** HMAC-SHA-256 of the token, hex: safe as a map key, worthless outside this process. */
  readonly id: string
  /** The token itself, for the mint. Never logged. */
  readonly token: string
}

export const createCredentials = (key: Buffer = randomBytes(32)) => ({
  identify: (token: string): Credential => ({
    id: createHmac('sha256', key).update(token).digest('hex'),
    token,
  }),
})
export type Credentials = ReturnType<typeof createCredentials>

/** Amazon's RDTs begin so; LWA access tokens with `Atza|`. */
export const isRdt = (token: string): boolean => token.startsWith('Atz.sprdt|')
