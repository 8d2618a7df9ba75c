/**
 * Reads a control patch strictly: an unknown key, a wrong type or an operation that does not exist is a problem that
 * names it, so that a test with a spelling mistake fails instead of testing nothing.
 */
import { operations } from './operations.ts'
import type { ControlPatch } from './types.ts'

/** Returns the patch, or a sentence naming the first thing wrong with it. */
export const readPatch = (value: unknown): { readonly patch: ControlPatch } | { readonly problem: string } => {
  const problem = problemIn('patch', value, patchKeys)
  return problem === undefined && isPatch(value) ? { patch: value } : { problem: problem ?? 'patch must be an object' }
}

/** Returns what a value should have been, or undefined when it is right. */
type Check = (name: string, value: unknown) => string | undefined

const check =
  (wanted: string, right: (value: unknown) => boolean): Check =>
  (name, value) =>
    right(value) ? undefined : `${name} must be ${wanted}`

const oneOf = (...values: readonly unknown[]): Check => check(`one of ${values.join(', ')}`, (v) => values.includes(v))

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const positive = check('a number above 0', (value) => isNumber(value) && value > 0)
const milliseconds = check('a number of milliseconds, 0 or more', (value) => isNumber(value) && value >= 0)
const count = check('a whole number, 1 or more', (value) => isNumber(value) && Number.isInteger(value) && value >= 1)
const text = check('a text, not empty', (value) => typeof value === 'string' && value !== '')

const listOf =
  (item: Check): Check =>
  (name, value) => {
    if (!Array.isArray(value)) return `${name} must be an array`
    return value.map((entry, i) => item(`${name}[${i}]`, entry)).find((problem) => problem !== undefined)
  }

const failureKinds = [400, 401, 403, 404, 415, 429, 500, 503, 'reset', 'hang', 'garbage', 'html', 'cut', 'empty']
const failureKeys = { on: oneOf('lwa', 'mint', 'call'), times: count, as: oneOf(...failureKinds) }
const latencyKeys = { lwa: milliseconds, mint: milliseconds, call: milliseconds }

const failure: Check = (name, value) =>
  problemIn(name, value, failureKeys) ??
  (isRecord(value) && Object.keys(value).length === 3 ? undefined : `${name} must have on, times and as`)

const patchKeys: Readonly<Record<keyof ControlPatch, Check>> = {
  accessTokenSeconds: positive,
  rdtSeconds: positive,
  mintRatePerSecond: positive,
  mintBurst: count,
  latencyMs: (name, value) => problemIn(name, value, latencyKeys),
  fail: listOf(failure),
  revoke: oneOf('rdts', 'access-tokens', 'all'),
  clientSecrets: listOf(text),
  revokeRefreshTokens: listOf(text),
  denyElements: listOf(oneOf('buyerInfo', 'shippingAddress', 'buyerTaxInformation')),
  denyOperations: listOf(check('the id of a simulated operation', (id) => operations.some((known) => known.id === id))),
  expiresIn: oneOf('normal', 'missing', 'absurd', 'string'),
  reset: check('true', (value) => value === true),
}

const problemIn = (name: string, value: unknown, keys: Readonly<Record<string, Check>>): string | undefined => {
  if (!isRecord(value)) return `${name} must be an object`
  for (const [key, entry] of Object.entries(value)) {
    const known = Object.hasOwn(keys, key) ? keys[key] : undefined
    if (known === undefined) return `${name}.${key} is unknown; known are ${Object.keys(keys).join(', ')}`
    const problem = entry === undefined ? undefined : known(`${name}.${key}`, entry)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Only after problemIn found nothing. */
const isPatch = (value: unknown): value is ControlPatch => isRecord(value)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
