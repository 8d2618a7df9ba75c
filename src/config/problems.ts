/** What is wrong with a configuration: all of it at once, each with its place. */
import type { z } from 'zod'

export type Problem = { readonly path: string; readonly message: string }

/** zod's issues in our words: where, what is allowed. */
export const problemsOf = (error: z.ZodError, prefix = ''): readonly Problem[] =>
  error.issues.flatMap((issue) => {
    const path = prefix + issue.path.join('.')
    if (issue.code !== 'unrecognized_keys') return [{ path: path || '(top)', message: issue.message }]
    return issue.keys.map((key) => ({ path: path ? `${path}.${key}` : prefix + key, message: 'unknown key' }))
  })
