import type { Pair } from './pair.ts'

/** The value of one series, named as Prometheus writes it; NaN where there is none. */
export const metric = async (pair: Pick<Pair, 'admin'>, series: string): Promise<number> => {
  const text = await (await fetch(`${pair.admin}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return Number(line?.split(' ')[1] ?? Number.NaN)
}
