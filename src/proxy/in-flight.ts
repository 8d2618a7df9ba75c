/**
 * What is being served at the moment. Not a Set: V8 links the tables that a Set outgrows, and once a dead one has grown old, all that
 * came after it stays in memory until the next full collection: 8 to 12 kB a call, and the time to copy them.
 */
export type InFlight<T> = {
  /** Returns what takes it out again; call that once. */
  readonly add: (item: T) => () => void
  readonly size: () => number
  /** In no particular order. */
  readonly all: () => readonly T[]
}

export const createInFlight = <T>(): InFlight<T> => {
  const entries: { readonly item: T; at: number }[] = []
  return {
    add: (item) => {
      const entry = { item, at: entries.length }
      entries.push(entry)
      return () => {
        const last = entries.pop()
        if (last === undefined || last === entry) return
        entries[entry.at] = last
        last.at = entry.at
      }
    },
    size: () => entries.length,
    all: () => entries.map(({ item }) => item),
  }
}
