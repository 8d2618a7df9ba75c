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
