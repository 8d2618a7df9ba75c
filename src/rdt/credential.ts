/** Names a caller's access token without holding it: a hash keyed with bytes that never leave this process. */
import { hash, randomBytes } from 'node:crypto'

export type Credential = {
  /** SHA-256 of key and token, hex: safe as a map key, worthless outside this process. */
  readonly id: string
  /** The token itself, for the mint. Never logged. */
  readonly token: string
}

// Not createHmac: that is twenty times slower, on every call, and guards against a forger of names, who has nothing to gain here.
export const createCredentials = (key: string = randomBytes(32).toString('hex')) => ({
  identify: (token: string): Credential => ({ id: hash('sha256', key + token, 'hex'), token }),
})
export type Credentials = ReturnType<typeof createCredentials>

/** Amazon's RDTs begin so; LWA access tokens with `Atza|`. */
export const isRdt = (token: string): boolean => token.startsWith('Atz.sprdt|')
