/** JSON that may be none. */

/** The value, to be read field by field, each one checked; undefined where the text is no JSON. */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of it yet
export const parseJson = (text: string): any => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What can stand in a header, and in a form, without being read as something else: visible ASCII, no spaces. */
export const isToken = (value: unknown): value is string => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)

/**
 * A token's life as Amazon states it in seconds; nothing where that is missing or absurd (Amazon's is 3600, and nobody would know
 * what more than a day means): never assumed.
 */
export const readLife = (expiresIn: unknown): { readonly expiresInMs?: number } =>
  typeof expiresIn === 'number' && expiresIn > 0 && expiresIn <= 86_400 ? { expiresInMs: expiresIn * 1000 } : {}
