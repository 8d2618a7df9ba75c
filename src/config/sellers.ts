/** Managed sellers: what is configured of them, with their secrets. */
import { type Endpoint, resolveEndpoint } from '../sp-api/endpoints.ts'
import type { DataElement, Scope } from '../sp-api/operations.ts'
import { type Environment, isSecretVariable } from './environment.ts'
import type { Findings } from './files.ts'
import type { Problem } from './problems.ts'
import type { Settings } from './schema.ts'
import { readSecrets, type Secret, secretIn } from './secrets.ts'

export type SellerConfig = {
  readonly id: string
  readonly clientId: string
  readonly clientSecret: Secret
  readonly refreshToken: Secret
  /** The listener's where left out. */
  readonly endpoint: Endpoint | undefined
  /** Used where a call names none, though there are others. */
  readonly isDefault: boolean
  readonly dataElements: readonly DataElement[] | undefined
  readonly scope: Scope | undefined
}

type Row = NonNullable<Settings['sellers']>[number]

const SECRETS = [
  ['clientSecretFile', 'CLIENT_SECRET'],
  ['refreshTokenFile', 'REFRESH_TOKEN'],
] as const

/** `shop-eu`, `CLIENT_SECRET` → `SIDECAR_SELLERS_SHOP_EU_CLIENT_SECRET`. */
const variableOf = (id: string, what: string): string =>
  `SIDECAR_SELLERS_${id.replace(/[^A-Za-z0-9]/g, '_').toUpperCase()}_${what}`

/** Those whose secrets could be read; what is wrong with the others is among the problems. */
export const sellersOf = ({ sellers }: Settings, env: Environment, found: Findings): readonly SellerConfig[] => {
  const rows = sellers ?? []
  complain(rows, env, found)
  const configs = rows.flatMap((row, i) => {
    const [clientSecret, refreshToken] = SECRETS.map(([key, what]) => {
      const [secret] = secretOf(`sellers.${i}.${key}`, row[key], variableOf(row.id, what), env, found)
      return secret
    })
    if (!clientSecret || !refreshToken) return []
    const { id, clientId, dataElements, scope } = row
    const endpoint = row.endpoint === undefined ? undefined : resolveEndpoint(row.endpoint)
    return [
      { id, clientId, clientSecret, refreshToken, endpoint, isDefault: row.default === true, dataElements, scope },
    ]
  })
  found.warnings.push(...twins(configs))
  return configs
}

/** Amazon counts one usage plan for both, the sidecar two. */
const twins = (configs: readonly SellerConfig[]): readonly Problem[] =>
  configs.flatMap((one, i) => {
    const other = configs.slice(0, i).find((before) => isTwin(before, one))
    const message = `is the same application, refresh token and endpoint as ${other?.id}: Amazon's usage plan is one for both`
    return other ? [{ path: `sellers.${i}`, message }] : []
  })

const isTwin = (one: SellerConfig, other: SellerConfig): boolean =>
  one.clientId === other.clientId &&
  one.endpoint?.origin === other.endpoint?.origin &&
  one.refreshToken.reveal() === other.refreshToken.reveal()

const secretOf = (
  key: string,
  file: string | undefined,
  variable: string,
  env: Environment,
  found: Findings,
): readonly Secret[] => {
  const text = env[variable]
  if (file !== undefined && text !== undefined)
    found.problems.push({ path: key, message: `is set, and ${variable} too: set one of them` })
  if (file !== undefined) return readSecrets(key, file, found)
  if (text !== undefined) return secretIn(variable, text, found)
  found.problems.push({ path: key, message: `is missing: name a file here, or set ${variable}` })
  return []
}

const complain = (rows: readonly Row[], env: Environment, { problems }: Findings): void => {
  const variables = new Map<string, string>() // variable → id
  for (const [i, { id }] of rows.entries()) {
    const variable = variableOf(id, 'CLIENT_SECRET')
    const other = variables.get(variable)
    if (other !== undefined)
      problems.push({ path: `sellers.${i}.id`, message: `must differ from ${other} in more than case and punctuation` })
    for (const [, what] of SECRETS) variables.set(variableOf(id, what), id)
  }
  if (rows.filter((row) => row.default).length > 1)
    problems.push({ path: 'sellers', message: 'more than one is the default' })
  for (const name of Object.keys(env))
    if (isSecretVariable(name) && !variables.has(name))
      problems.push({ path: name, message: 'unknown variable: no seller has the id that it names' })
}
