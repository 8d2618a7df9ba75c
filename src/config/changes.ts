/** What a new configuration changes against the one in force, and which of it needs a restart. Pure. */
import type { Config } from './load.ts'
import type { Problem } from './problems.ts'
import { keyPaths } from './schema.ts'

/** Keys that are taken over while the sidecar serves; all others are read when it starts. */
export const LIVE_KEYS: readonly string[] = [
  'operationsFile',
  'operations',
  'rdt.scope',
  'rdt.dataElements',
  'rdt.onMintFailure',
  'rdt.onRefusedElements',
  'rdt.sandbox',
  'rdt.targetApplication',
  'mint.serveTokensApi',
  'reports.restrictedTypes',
  'limits.bodyBytes',
  'limits.requestsInFlight',
  'log.level',
  'log.audit',
  'drain.maxMs',
]

/** The keys whose values differ; `operations` also where the catalogue's file does. */
export const changedKeys = (before: Config, after: Config): readonly string[] => {
  const changed = keyPaths().filter((key) => !same(valueAt(before, key), valueAt(after, key)))
  const names = new Set(changed.map((key) => key.join('.')))
  if (!same(before.operations, after.operations)) names.add('operations')
  return [...names]
}

/** What keeps the changes from being taken over. */
export const needingRestart = (changed: readonly string[]): readonly Problem[] =>
  changed
    .filter((key) => !LIVE_KEYS.includes(key))
    .map((path) => ({ path, message: 'has changed: it is taken over by a restart only' }))

const valueAt = ({ settings }: Config, key: readonly string[]): unknown =>
  key.reduce<unknown>((tree, part) => (tree as Record<string, unknown>)[part], settings)

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
