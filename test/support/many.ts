export const many = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)))

export const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves when `done` says so; rejects after ten seconds. */
export const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 1000; i += 1) {
    if (await done()) return
    await after(10)
  }
  throw new Error('it did not happen')
}
