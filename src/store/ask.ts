/** How the store is asked, and how that is counted. */
import type { StoreFailure } from './connection.ts'
import type { Script } from './scripts.ts'

/** What is asked of the store, as metrics name it. */
export type StoreOperation = 'claim' | 'put' | 'release' | 'quota' | 'beat' | 'flush'
export type StoreOutcome = 'hit' | 'unfit' | 'won' | 'held' | 'granted' | 'queued' | 'settled' | 'ok' | StoreFailure

/** What is made of the answer; undefined where there was none in time: the store is out of reach. */
export type Ask = <T>(
  operation: StoreOperation,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
  read: (answer: unknown) => { readonly outcome: StoreOutcome; readonly result: T },
  /** Gets an answer that comes after its time. */
  onLate?: (answer: unknown) => void,
) => Promise<T | undefined>

/** An answer that is what it is. */
export const done = (result: unknown) => ({ outcome: 'ok' as const, result })
