/** What is wrong with a configuration: all of it at once, each with its place. */
export type Problem = { readonly path: string; readonly message: string }

/** What we read of zod's errors. */
type Issues = {
  readonly issues: readonly {
    readonly code?: string
    readonly message: string
    readonly path: readonly PropertyKey[]
    readonly keys?: readonly string[]
  }[]
}

/** zod's issues in our words: where, what is allowed. */
export const problemsOf = (error: Issues, prefix = ''): readonly Problem[] =>
  error.issues.flatMap((issue) => {
    const path = prefix + issue.path.join('.')
    if (!issue.keys) return [{ path: path || '(top)', message: issue.message }]
    return issue.keys.map((key) => ({ path: path ? `${path}.${key}` : prefix + key, message: unknown(key) }))
  })

const unknown = (key: string): string =>
  /^(clientSecret|refreshToken|token|password|key)$/.test(key)
    ? `unknown key: a secret has no place in a configuration file; name the file that holds it in ${key}File`
    : 'unknown key'
