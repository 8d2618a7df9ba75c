/** A pair whose sidecar holds the sellers' credentials; their files lie in a folder of the test's own. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { folderFor, serving, simulating } from './cli.ts'
import type { Life } from './life.ts'
import { type PairOptions, startPair } from './pair.ts'

export const CLIENT_ID = 'amzn1.application-oa2-client.shop'
/** What callers show. */
export const CALLER_TOKEN = 'caller-token-of-the-test'

export type ManagedOptions = Omit<PairOptions, 'env'> & {
  /** Ids; each is the simulator's selling partner of that name. */
  readonly sellers?: readonly string[]
  /** More of a seller's row, by id. */
  readonly rows?: Readonly<Record<string, object>>
  readonly env?: Readonly<Record<string, string>>
}

/** Files and rows of sellers: `write(id, secret, token)` changes what a seller's files hold. */
export const sellerFiles = (folder: string) => {
  const fileOf = (id: string, what: string): string => path.join(folder, `${id}.${what}`)
  const write = (id: string, secret = 'simulated-secret', token = `Atzr|${id}`): void => {
    writeFileSync(fileOf(id, 'client-secret'), `${secret}\n`, { mode: 0o600 })
    writeFileSync(fileOf(id, 'refresh-token'), `${token}\n`, { mode: 0o600 })
  }
  return {
    write,
    row: (id: string, more: object = {}) => {
      write(id)
      const files = { clientSecretFile: fileOf(id, 'client-secret'), refreshTokenFile: fileOf(id, 'refresh-token') }
      return { id, clientId: CLIENT_ID, ...files, ...more }
    },
  }
}

/** A caller of `auth.callers` beside the one that may do everything: its row, and the token that it shows. */
export const callerRow = (folder: string, name: string, limits: object = {}) => {
  const token = `caller-token-of-${name}`
  const tokenFile = path.join(folder, `${name}.caller-token`)
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
  return { token, row: { name, tokenFile, ...limits } }
}

/** The same as a process, with its simulator in another: what only `serve` does. */
export const servingManaged = async (
  t: TestContext,
  { sellers = ['seller-a'], rows = {}, env = {} }: Pick<ManagedOptions, 'sellers' | 'rows' | 'env'> = {},
) => {
  const folder = folderFor(t)
  const files = sellerFiles(folder)
  const amazon = await simulating(t)
  const sidecar = await serving(t, {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
    SIDECAR_SELLERS: JSON.stringify(sellers.map((id) => files.row(id, rows[id]))),
    ...env,
  })
  return {
    ...sidecar,
    amazon,
    folder,
    files,
    /** A call that shows this caller token. */
    ask: (target: string, callerToken: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(sidecar.base + target, { headers: { 'x-rdt-caller-token': callerToken, ...headers } }),
    control: async (patch: object): Promise<void> => {
      const answer = await fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(patch) })
      if (!answer.ok) throw new Error(await answer.text())
    },
  }
}

export const startManaged = async (t: Life, options: ManagedOptions = {}) => {
  const { sellers = ['seller-a'], rows = {}, env = {}, ...others } = options
  const folder = folderFor(t)
  const files = sellerFiles(folder)
  const callerTokenFile = path.join(folder, 'caller-token')
  writeFileSync(callerTokenFile, `${CALLER_TOKEN}\n`, { mode: 0o600 })
  const rowsText = JSON.stringify(sellers.map((id) => files.row(id, rows[id])))
  const envFor = (amazon: string) => ({
    SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
    SIDECAR_SELLERS: rowsText,
    SIDECAR_AUTH_CALLER_TOKEN_FILE: callerTokenFile,
    ...env,
  })
  const pair = await startPair(t, { ...others, env: envFor })
  const where = { SIDECAR_PORT: '0', SIDECAR_ADMIN_PORT: '0', SIDECAR_ENDPOINT: others.endpoint ?? pair.amazon }
  return {
    ...pair,
    /** What it was started with, to be read again (of one listener). */
    env: { ...where, ...envFor(pair.amazon) },
    folder,
    files,
    callerTokenFile,
    /** A call in the name of a managed seller: the named one, or the one that is used where none is. */
    ask: (target: string, seller?: string, init: RequestInit = {}): Promise<Response> =>
      pair.call(target, undefined, {
        ...init,
        headers: { 'x-rdt-caller-token': CALLER_TOKEN, ...(seller && { 'x-rdt-seller': seller }), ...init.headers },
      }),
  }
}
