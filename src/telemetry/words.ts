/** Pure: words of Amazon's that go into lines and /status, only where they are what they should be. */

/** An error code: `InvalidInput`, `Unauthorized`, …; what is none is `other`. */
export const codeIn = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined
  return /^[A-Za-z][\w.]{0,63}$/.test(text) ? text : 'other'
}

/** An id of a request, which Amazon's support asks for; left out where it is none. */
export const requestIdIn = (text: string | undefined): string | undefined =>
  text !== undefined && /^[\w-]{1,64}$/.test(text) ? text : undefined
