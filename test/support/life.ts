/** What ends with a test, or with a command that does the same as a test: whatever is started says how it is ended. */

/** A test's context is one. */
export type Life = { readonly after: (end: () => unknown) => void }

/** For what is no test: `end` runs what was asked for, the last first. */
export const createLife = () => {
  const ends: (() => unknown)[] = []
  return {
    after: (end: () => unknown): void => void ends.push(end),
    end: async (): Promise<void> => {
      for (const end of ends.splice(0).reverse()) await end()
    },
  }
}
