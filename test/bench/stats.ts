/** Medians and spreads. */

export type Spread = {
  readonly median: number
  readonly min: number
  readonly max: number
  /** Half of all values lie between these. */
  readonly quartiles: readonly [number, number]
}

/** Of ascending values, between the two nearest where it falls between; `q` from 0 to 1. NaN of none. */
export const quantile = (ascending: ArrayLike<number>, q: number): number => {
  const at = (ascending.length - 1) * q
  const below = ascending[Math.floor(at)] ?? Number.NaN
  const above = ascending[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at % 1)
}

export const spreadOf = (values: readonly number[]): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    median: quantile(sorted, 0.5),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
  }
}

/** Median, and where the middle half lies. */
export const spreadText = (values: readonly number[], digits = 2): string => {
  const { median, quartiles } = spreadOf(values)
  return `${median.toFixed(digits)} (${quartiles.map((one) => one.toFixed(digits)).join('–')})`
}

export const medianOf = (values: readonly number[]): number => spreadOf(values).median
