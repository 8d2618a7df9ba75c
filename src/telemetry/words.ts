/** Pure: words of others' that go into lines and /status, only where they are what they should be. */
import { systemCode } from '../sp-api/errors.ts'

/** An error code: `InvalidInput`, `Unauthorized`, …; what is none is `other`. */
export const codeIn = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined
  return /^[A-Za-z][\w.]{0,63}$/.test(text) ? text : 'other'
}

/** An id of a request, which Amazon's support asks for; left out where it is none. */
export const requestIdIn = (text: string | undefined): string | undefined =>
  text !== undefined && /^[\w-]{1,64}$/.test(text) ? text : undefined

/** A bug: its kind, its code and where it happened. Not its message, which may quote what the sidecar was about. */
export const bugIn = (error: unknown): string => {
  if (!(error instanceof Error)) return `${typeof error} thrown`
  const { name, message, stack = '' } = error
  const lines = stack.replace(message, '').split('\n') // what the message quotes may look like a frame
  const frames = lines.filter((line) => /^ +at /.test(line))
  return [`${name} (${systemCode(error)})`, ...frames].join('\n')
}
