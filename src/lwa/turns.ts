/** So many at once and no more; the others wait for their turn, first come, first served. */
export const createTurns = (most: number) => {
  const waiting: (() => void)[] = []
  let taken = 0

  const turn = (): Promise<void> | undefined => {
    if (taken === most) return new Promise((resolve) => void waiting.push(resolve)) // it gets the turn of whoever ends
    taken += 1
    return undefined
  }

  return async <T>(work: () => Promise<T>): Promise<T> => {
    await turn()
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else taken -= 1
    }
  }
}
