/** Reads the catalogue of restricted operations, lays the operator's rows over it, and checks the result as a whole. */
import { type Operation, overlap } from '../sp-api/operations.ts'
import { type Problem, problemsOf } from './problems.ts'
import { type Row, rowsSchema, type Settings } from './schema.ts'

export type CatalogueResult = { readonly operations: readonly Operation[]; readonly problems: readonly Problem[] }

/** `base`: the parsed file, unchecked. `changes`: rows by id; null removes. */
export const buildCatalogue = (base: unknown, changes: Settings['operations'], fileName: string): CatalogueResult => {
  const file = rowsSchema.safeParse(base)
  if (!file.success) return { operations: [], problems: problemsOf(file.error, `${fileName}: `) }
  const merged: Record<string, unknown> = { ...file.data }
  const problems: Problem[] = []
  for (const [id, change] of Object.entries(changes)) {
    if (change !== null) merged[id] = { ...file.data[id], ...change }
    else if (id in merged) delete merged[id]
    else problems.push({ path: `operations.${id}`, message: 'there is no such row to remove' })
  }
  const rows = rowsSchema.safeParse(merged)
  if (!rows.success) return { operations: [], problems: [...problems, ...problemsOf(rows.error, 'operations.')] }
  const operations = Object.entries(rows.data).map(([id, row]) => operationOf(id, row))
  return { operations, problems: [...problems, ...operations.flatMap(wrongElements), ...overlaps(operations)] }
}

const operationOf = (id: string, row: Row): Operation => ({
  id,
  method: row.method,
  path: row.path,
  takes: row.takes ?? row.dataElements ?? [],
  generic: row.generic ?? row.path.includes('{'),
  rdt: row.rdt ?? 'required',
  sunset: row.sunset ?? undefined,
  scope: row.scope ?? undefined,
  dataElements: row.dataElements ?? undefined,
  onMintFailure: row.onMintFailure ?? undefined,
  mode: row.mode ?? undefined,
})

const wrongElements = ({ id, takes, dataElements = [] }: Operation): readonly Problem[] =>
  dataElements
    .filter((element) => !takes.includes(element))
    .map((element) => ({ path: `operations.${id}.dataElements`, message: `the operation does not take ${element}` }))

const overlaps = (operations: readonly Operation[]): readonly Problem[] =>
  operations.flatMap((one, i) =>
    operations
      .slice(i + 1)
      .filter((other) => one.method === other.method && overlap(one.path, other.path))
      .map((other) => ({ path: `operations.${other.id}`, message: `a call could match ${one.id} as well` })),
  )
