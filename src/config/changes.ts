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
  'sellers',
  'auth.callerTokenFile',
  'auth.createCallerTokenFile',
  'auth.callers',
  'auth.insecureAllowAnonymous',
  'auth.allowForwarded',
  'auth.hosts',
  'limits.bodyBytes',
  'limits.keptBytes',
  'limits.headerCount',
  'limits.urlBytes',
  'limits.requestsInFlight',
  'log.level',
  'log.audit',
  'drain.maxMs',
  'drain.lameDuckMs',
]

/**
 * The keys whose values differ; `operations` also where the catalogue's file does. Of secrets and certificates, which are the
 * content of files, what they are for: `sellers.0.clientSecret`, `tls.cert`, `store.key`.
 */
export const changedKeys = (before: Config, after: Config): readonly string[] => {
  const changed = keyPaths().filter((key) => !same(valueAt(before, key), valueAt(after, key)))
  const names = new Set(changed.map((key) => key.join('.')))
  if (!same(before.operations, after.operations)) names.add('operations')
  const [was, is] = [contentsOf(before), contentsOf(after)]
  for (const [name, text] of is) if (was.has(name) && was.get(name) !== text) names.add(name)
  return [...names]
}

/** What files hold that are no configuration themselves, by what it is for. */
const contentsOf = ({ sellers, callers, tls, store }: Config): ReadonlyMap<string, string> =>
  new Map([
    ...sellers.flatMap(({ clientSecret, refreshToken }, i): [string, string][] => [
      [`sellers.${i}.clientSecret`, clientSecret.reveal()],
      [`sellers.${i}.refreshToken`, refreshToken.reveal()],
    ]),
    ...callers.map(({ key, tokens }): [string, string] => [key, tokens.map((token) => token.reveal()).join('\n')]),
    ...Object.entries({
      'tls.cert': tls?.cert,
      'tls.key': tls?.key.reveal(),
      'tls.clientCa': tls?.clientCa,
      'store.key': store?.keys.map((key) => key.reveal()).join('\n'),
      'store.password': store?.password?.reveal(),
      'store.ca': store?.ca,
    }).map(([name, text = '']): [string, string] => [name, text]),
  ])

const KEYS = new Set(keyPaths().map((key) => key.join('.')))

/** What keeps the changes from being taken over. */
export const needingRestart = (changed: readonly string[]): readonly Problem[] =>
  changed
    .filter((key) => KEYS.has(key) && !LIVE_KEYS.includes(key))
    .map((path) => ({ path, message: 'has changed: it is taken over by a restart only' }))

/** Without the file that `serve` makes when it starts, all callers would be refused. */
export const unmade = ({ callers }: Config): readonly Problem[] =>
  callers
    .filter(({ tokens }) => tokens.length === 0)
    .map(({ key }) => ({ path: key, message: 'the file is not there: it is made by a restart only' }))

const valueAt = ({ settings }: Config, key: readonly string[]): unknown =>
  key.reduce<unknown>((tree, part) => (tree as Record<string, unknown>)[part], settings)

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
