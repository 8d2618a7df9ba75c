/** SIDECAR_* variables → the part of the configuration they set. A variable that names no key is an error, not a guess. */
import type { Problem } from './problems.ts'
import { keyPaths } from './schema.ts'
import { readYaml } from './yaml.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'SIDECAR_'
/** Read elsewhere: the path of the operator's file. */
const NOT_A_KEY = 'SIDECAR_CONFIG'

/** Variables that hold the secrets of managed sellers, as they stand (sellers.ts). */
export const isSecretVariable = (name: string): boolean =>
  /^SIDECAR_SELLERS_.+_(CLIENT_SECRET|REFRESH_TOKEN)$/.test(name)

/** `mint.ratePerSecond` → `SIDECAR_MINT_RATE_PER_SECOND`. */
export const variableOf = (key: readonly string[]): string =>
  PREFIX + key.map((part) => part.replace(/[A-Z]/g, '_$&').toUpperCase()).join('_')

const KEYS = new Map(keyPaths().map((key) => [variableOf(key), key]))

/** Adds to `problems` what cannot be used. */
export const applyEnvironment = (env: Environment, problems: Problem[]): Record<string, unknown> => {
  const out: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || name === NOT_A_KEY || isSecretVariable(name) || text === undefined) continue
    const key = KEYS.get(name)
    if (key) setAt(out, key, key.at(-1) === 'host' ? hostIn(text) : read(name, text, problems))
    else problems.push({ path: name, message: unknownVariable(name) })
  }
  return out
}

const read = (name: string, text: string, problems: Problem[]): unknown => {
  const result = readYaml(text)
  if ('value' in result) return result.value
  problems.push({ path: name, message: result.problem })
  return undefined
}

/** `::` is a mapping in YAML, and `[::1]` a list. */
const hostIn = (text: string): string => {
  const result = readYaml(text)
  return 'value' in result && typeof result.value === 'string' ? result.value : text
}

const unknownVariable = (name: string): string =>
  /_(SERVICE_HOST|SERVICE_PORT|PORT_\d+_TCP)/.test(name)
    ? 'unknown variable; Kubernetes made it for a Service: set enableServiceLinks: false'
    : 'unknown variable: it names no configuration key'

const setAt = (tree: Record<string, unknown>, [head, ...rest]: readonly string[], value: unknown): void => {
  if (head === undefined || value === undefined) return
  if (rest.length === 0) {
    tree[head] = value
    return
  }
  tree[head] ??= {}
  setAt(tree[head] as Record<string, unknown>, rest, value)
}
