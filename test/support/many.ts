export const many = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)))

export const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves when `done` says so; rejects after `maxMs` milliseconds. */
export const until = async (done: () => boolean | Promise<boolean>, maxMs = 20_000): Promise<void> => {
  for (const deadline = performance.now() + maxMs; !(await done()); await after(10))
    if (performance.now() > deadline) throw new Error(`it did not happen within ${maxMs} ms`)
}
