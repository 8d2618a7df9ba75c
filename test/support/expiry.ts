/** What Amazon may say of a token's life in seconds → milliseconds that are believed; undefined: none. */
export const EXPIRY: readonly (readonly [what: string, expiresIn: unknown, expiresInMs: number | undefined])[] = [
  ['an hour', 3600, 3_600_000],
  ['a second', 1, 1000],
  ['a day', 86_400, 86_400_000],
  ['missing', undefined, undefined],
  ['zero', 0, undefined],
  ['negative', -5, undefined],
  ['more than a day', 86_401, undefined],
  ['text', '3600', undefined],
  ['null', null, undefined],
]
