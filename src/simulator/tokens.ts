/**
 * The tokens the simulator has issued, and what each may do. Holds at most 200 000, forgetting the oldest (they then
 * read as unknown). Does not decide what a mint may contain (tokens-api.ts) nor what a call needs (calls.ts).
 */
import { randomBytes } from 'node:crypto'
import type { TokenKind } from './types.ts'

/** One resource an RDT covers; `elements` is undefined where the operation takes none or none were asked for. */
export type Resource = {
  readonly method: string
  readonly path: string
  readonly elements: readonly string[] | undefined
}

/** Whom a token speaks for; a grantless token has no seller. */
export type Holder = { readonly app: string; readonly seller: string | undefined }

export type Inspection = Partial<Holder> & {
  readonly kind: TokenKind
  /** What an RDT covers; empty for everything else. */
  readonly resources: readonly Resource[]
}

export type Tokens = {
  /** A new LWA access token, some 350 characters. `now` and lifetimes in ms. */
  readonly issueAccessToken: (holder: Holder, now: number, lifeMs: number) => string
  /** A new RDT, some 400 characters and 50 more for each resource. */
  readonly issueRdt: (holder: Holder, resources: readonly Resource[], now: number, lifeMs: number) => string
  readonly inspect: (token: string | undefined, now: number) => Inspection
  /** Revokes what was issued so far. */
  readonly revoke: (what: 'rdts' | 'access-tokens' | 'all') => void
}

type Issued = Holder & {
  readonly kind: 'lwa' | 'rdt'
  readonly expiresAt: number
  readonly resources: readonly Resource[]
  revoked: boolean
}

const MOST_TOKENS = 200_000

export const createTokens = (): Tokens => {
  const issued = new Map<string, Issued>()

  const remember = (token: string, record: Issued): string => {
    issued.set(token, record)
    if (issued.size > MOST_TOKENS) forgetOldest(issued)
    return token
  }

  return {
    issueAccessToken: (holder, now, lifeMs) =>
      remember(`Atza|${randomText(345)}`, {
        ...holder,
        kind: 'lwa',
        expiresAt: now + lifeMs,
        resources: [],
        revoked: false,
      }),

    issueRdt: (holder, resources, now, lifeMs) =>
      remember(`Atz.sprdt|${randomText(390 + 50 * resources.length)}`, {
        ...holder,
        kind: 'rdt',
        expiresAt: now + lifeMs,
        resources,
        revoked: false,
      }),

    inspect: (token, now) => {
      if (token === undefined || token === '') return { kind: 'none', resources: [] }
      const record = issued.get(token)
      if (record === undefined) return { kind: 'unknown', resources: [] }
      return { ...record, kind: standing(record, now) }
    },

    revoke: (what) => {
      for (const record of issued.values()) {
        if (what === 'all' || what === (record.kind === 'rdt' ? 'rdts' : 'access-tokens')) record.revoked = true
      }
    },
  }
}

const standing = (record: Issued, now: number): TokenKind => {
  if (record.revoked) return 'revoked'
  return now >= record.expiresAt ? 'expired' : record.kind
}

const forgetOldest = (issued: Map<string, Issued>): void => {
  const oldest = issued.keys().next()
  if (!oldest.done) issued.delete(oldest.value)
}

const randomText = (length: number): string =>
  randomBytes(Math.ceil((length * 3) / 4))
    .toString('base64url')
    .slice(0, length)
