/** Secrets, from files and environment. What holds one can be printed, compared and serialised without showing it. */
import { isToken } from '../sp-api/json.ts'
import { type Findings, readText, warnIfOpen } from './files.ts'

export type Secret = {
  /** The secret itself: for whoever sends it. */
  readonly reveal: () => string
  readonly toJSON: () => string
}

export const secretOf = (text: string): Secret => ({ reveal: () => text, toJSON: () => '[redacted]' })

/**
 * The secrets that a file holds, one a line, `most` at most; none, with a problem, where it cannot be used. `key`: whose value the
 * file's name is.
 */
export const readSecrets = (key: string, file: string, found: Findings, most = 1): readonly Secret[] => {
  const text = readText(key, file, found)
  if (text === undefined) return []
  warnIfOpen(key, file, found)
  const lines = text.split('\n').map((line) => line.trim())
  return usable(key, 'the file', lines.filter(Boolean), found, most)
}

/** The one that a variable of the environment holds. */
export const secretIn = (variable: string, text: string, found: Findings): readonly Secret[] =>
  usable(variable, 'it', [text.trim()].filter(Boolean), found, 1)

const usable = (path: string, what: string, texts: readonly string[], found: Findings, most: number) => {
  const problem = problemOf(texts, most)
  if (!problem) return texts.map(secretOf)
  found.problems.push({ path, message: `${what} ${problem}` })
  return []
}

const problemOf = (texts: readonly string[], most: number): string | undefined => {
  if (texts.length === 0) return 'is empty'
  if (texts.length > most) return most === 1 ? 'must hold one line' : `must hold ${most} lines at most`
  return texts.every(isToken) ? undefined : 'must hold visible ASCII characters alone, without spaces'
}
