/** Rounds in which all take their turn, now from the first, now from the last: what disturbs the machine disturbs all of them. */
export function* backAndForth<T>(all: readonly T[], rounds: number): Generator<T> {
  for (let round = 0; round < rounds; round += 1) yield* round % 2 === 0 ? all : all.toReversed()
}
