/**
 * config/defaults.yaml ← operator's file ← environment → one frozen Config, or all problems at once.
 * Never prints and never reads `process`: the environment is a parameter.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import path from 'node:path'
import { type Endpoint, resolveEndpoint } from '../sp-api/endpoints.ts'
import { systemCode } from '../sp-api/errors.ts'
import type { Operation } from '../sp-api/operations.ts'
import { buildCatalogue } from './catalogue.ts'
import { applyEnvironment, type Environment } from './environment.ts'
import { type Problem, problemsOf } from './problems.ts'
import { configSchema, type Settings } from './schema.ts'
import { readYaml } from './yaml.ts'

export type Listener = { readonly host: string; readonly port: number; readonly endpoint: Endpoint }

export type Config = {
  /** What was set, as print-config shows it. */
  readonly settings: Settings
  readonly listeners: readonly Listener[]
  readonly operations: readonly Operation[]
}
export type LoadResult = {
  /** Those it was read from, the shipped defaults apart. */
  readonly files: readonly string[]
} & (
  | { readonly ok: true; readonly config: Config }
  /** `settings`: what was set, with defaults in the place of the sections that are wrong. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly settings: Settings }
)

const PACKAGE = path.resolve(import.meta.dirname, '../..')
type Tree = Record<string, unknown>

/** `file`: the operator's, from --config or SIDECAR_CONFIG. */
export const loadConfig = (file: string | undefined, env: Environment): LoadResult => {
  const problems: Problem[] = []
  const defaults = readTree(path.join(PACKAGE, 'config/defaults.yaml'), problems)
  const operator = file === undefined ? {} : readTree(path.resolve(file), problems)
  const overrides = applyEnvironment(env, problems)
  const set = merge(operator, overrides)
  const settings = check(merge(defaults, set), defaults, problems)
  const operationsFile = path.resolve('operationsFile' in set ? '.' : PACKAGE, settings.operationsFile)
  const catalogue = buildCatalogue(readTree(operationsFile, problems), settings.operations, settings.operationsFile)
  problems.push(...catalogue.problems, ...contradictions(settings, set))
  const files = [...(file === undefined ? [] : [path.resolve(file)]), operationsFile]
  if (problems.length > 0) return { ok: false, problems, files, settings }
  const config = frozen({ settings, listeners: listenersOf(settings), operations: catalogue.operations })
  return { ok: true, config, files }
}

/** Tells what is wrong, and puts the defaults in the place of the wrong sections, so that the rest is checked all the same. */
const check = (tree: Tree, defaults: Tree, problems: Problem[]): Settings => {
  const checked = configSchema.safeParse(tree)
  if (checked.success) return checked.data
  problems.push(...problemsOf(checked.error))
  const mended: Tree = { ...defaults }
  const wrong = new Set(checked.error.issues.map((issue) => issue.path[0]))
  for (const key of Object.keys(defaults)) if (key in tree && !wrong.has(key)) mended[key] = tree[key]
  return configSchema.parse(mended)
}

const listenersOf = ({ host, port, endpoint, listeners }: Settings): readonly Listener[] =>
  (listeners ?? [{ host, port, endpoint }]).map((one) => ({
    host: one.host ?? host,
    port: one.port,
    endpoint: resolveEndpoint(one.endpoint) as Endpoint, // the schema has let no other through
  }))

const contradictions = (settings: Settings, set: Tree): readonly Problem[] => {
  const problems: Problem[] = []
  for (const key of ['port', 'endpoint'])
    if (settings.listeners && key in set)
      problems.push({ path: key, message: 'is set, and listeners too: set one of them' })
  const { expiryMarginMs } = settings.rdt
  if (expiryMarginMs >= 3_600_000) {
    problems.push({
      path: 'rdt.expiryMarginMs',
      message: 'an RDT lives an hour: with this margin none could be reused',
    })
  }
  for (const { host } of listenersOf(settings)) {
    if (settings.insecureListen || isLoopback(host)) continue
    problems.push({
      path: 'host',
      message: `${host} is not loopback: tokens would cross the network in the clear. Set insecureListen: true if that is safe here`,
    })
  }
  return problems
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

const readTree = (file: string, problems: Problem[]): Tree => {
  const result = readFile(file)
  if ('problem' in result) problems.push({ path: file, message: result.problem })
  else if (isTree(result.value ?? {})) return (result.value ?? {}) as Tree
  else problems.push({ path: file, message: 'must hold keys and values' })
  return {}
}

const readFile = (file: string): ReturnType<typeof readYaml> => {
  try {
    return readYaml(readFileSync(file, 'utf8'))
  } catch (error) {
    return { problem: `cannot be read (${systemCode(error)})` }
  }
}

/** Objects are merged key by key, all else is replaced. */
const merge = (under: Tree, over: Tree): Tree => {
  const out: Tree = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = out[key]
    out[key] = isTree(value) && isTree(below) ? merge(below, value) : value
  }
  return out
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

const frozen = <T extends object>(value: T): T => {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) frozen(child)
  return Object.freeze(value)
}
