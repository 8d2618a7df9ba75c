/**
 * config/defaults.yaml ← operator's file ← environment → one frozen Config, or all problems at once.
 * Never prints and never reads `process`: the environment is a parameter.
 */
import path from 'node:path'
import { type Endpoint, resolveEndpoint } from '../sp-api/endpoints.ts'
import type { Operation } from '../sp-api/operations.ts'
import { type CallerConfig, callersOf } from './callers.ts'
import { buildCatalogue } from './catalogue.ts'
import { contradictions, insecurities } from './contradictions.ts'
import { applyEnvironment, type Environment } from './environment.ts'
import { createFindings, isTree, note, readTree, type Tree } from './files.ts'
import { type Problem, problemsOf } from './problems.ts'
import { configSchema, type Settings } from './schema.ts'
import { type SellerConfig, sellersOf } from './sellers.ts'
import { type StoreConfig, storeOf } from './store.ts'
import { type TlsConfig, tlsOf } from './tls.ts'
import type { Stamps } from './watch.ts'

/** Where to listen, or a Unix socket in the place of host and port; and where calls go. */
export type Listener = { readonly endpoint: Endpoint } & (
  | { readonly host: string; readonly port: number; readonly socketPath?: undefined }
  | { readonly socketPath: string; readonly host?: undefined; readonly port?: undefined }
)

export type Config = {
  /** What was set, as print-config shows it. */
  readonly settings: Settings
  readonly listeners: readonly Listener[]
  readonly operations: readonly Operation[]
  readonly sellers: readonly SellerConfig[]
  readonly callers: readonly CallerConfig[]
  readonly tls: TlsConfig | undefined
  readonly store: StoreConfig | undefined
}
export type LoadResult = {
  /** Those it was read from, the shipped defaults apart. */
  readonly files: Stamps
  /** What is unsafe though legal. */
  readonly warnings: readonly Problem[]
} & (
  | { readonly ok: true; readonly config: Config }
  /** `settings`: what was set, with defaults in the place of the sections that are wrong. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly settings: Settings }
)

const PACKAGE = path.resolve(import.meta.dirname, '../..')

/** `file`: the operator's, from --config or SIDECAR_CONFIG. */
export const loadConfig = (file: string | undefined, env: Environment): LoadResult => {
  const found = createFindings()
  const { problems, warnings, files } = found
  const defaults = readTree(path.join(PACKAGE, 'config/defaults.yaml'), problems)
  if (file !== undefined) note(path.resolve(file), found)
  const operator = file === undefined ? {} : readTree(path.resolve(file), problems)
  const overrides = applyEnvironment(env, problems)
  const set = merge(operator, overrides)
  const { settings, wrong } = check(merge(defaults, set), defaults, problems)
  const operationsFile = path.resolve('operationsFile' in set ? '.' : PACKAGE, settings.operationsFile)
  note(operationsFile, found)
  const { operations, ...catalogue } = buildCatalogue(
    readTree(operationsFile, problems),
    settings.operations,
    settings.operationsFile,
  )
  const listeners = listenersOf(settings)
  const sellers = sellersOf(settings, env, found)
  const callers = callersOf(settings, operations, found, wrong)
  const tls = tlsOf(settings, found)
  const store = storeOf(settings, found)
  problems.push(...catalogue.problems, ...contradictions(settings, listeners, set, wrong))
  warnings.push(...insecurities(settings, listeners))
  if (problems.length > 0) return { ok: false, problems, warnings, files, settings }
  const config = frozen({ settings, listeners, operations, sellers, callers, tls, store })
  return { ok: true, config, warnings, files }
}

type Checked = { readonly settings: Settings; readonly wrong: ReadonlySet<unknown> }

/** Tells what is wrong, and puts the defaults in the place of the wrong sections, so that the rest is checked all the same. */
const check = (tree: Tree, defaults: Tree, problems: Problem[]): Checked => {
  const checked = configSchema.safeParse(tree)
  if (checked.success) return { settings: checked.data, wrong: new Set() }
  problems.push(...problemsOf(checked.error))
  const mended: Tree = { ...defaults }
  const wrong = new Set(checked.error.issues.map((issue) => issue.path[0]))
  for (const key of Object.keys(defaults)) if (key in tree && !wrong.has(key)) mended[key] = tree[key]
  return { settings: configSchema.parse(mended), wrong }
}

const listenersOf = ({ host, port, socketPath, endpoint, listeners }: Settings): readonly Listener[] =>
  (listeners ?? [{ host, port, socketPath: socketPath ?? undefined, endpoint }]).map((one) => ({
    endpoint: resolveEndpoint(one.endpoint) as Endpoint, // the schema has let no other through
    ...(one.socketPath === undefined
      ? { host: one.host ?? host, port: one.port ?? 0 }
      : { socketPath: one.socketPath }),
  }))

/** Objects are merged key by key, all else is replaced. */
const merge = (under: Tree, over: Tree): Tree => {
  const out: Tree = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = out[key]
    out[key] = isTree(value) && isTree(below) ? merge(below, value) : value
  }
  return out
}

const frozen = <T extends object>(value: T): T => {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) frozen(child)
  return Object.freeze(value)
}
