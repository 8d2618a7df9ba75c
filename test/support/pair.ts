/** A simulator and a sidecar in front of it, on free ports of 127.0.0.1, for one test; ended by itself when the test ends. */
import { loadConfig } from '../../src/config/load.ts'
import { createSidecar, type Overrides } from '../../src/sidecar.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import type { LogEntry } from '../../src/simulator/types.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { Life } from './life.ts'

type Env = Readonly<Record<string, string>>

export type PairOptions = {
  /** SIDECAR_* variables, values as YAML; or what gives them for the simulator's address. */
  readonly env?: Env | ((amazon: string) => Env)
  /** In the place of the simulator. */
  readonly endpoint?: string
  /** The endpoint counts as one of Amazon's sandboxes. */
  readonly sandbox?: boolean
  /** Listeners in the place of one: endpoints, or rows as configured; gets the simulator's. */
  readonly listeners?: (amazon: string) => readonly (string | object)[]
  readonly overrides?: Overrides
}

const loadFrom = (env: Env, file?: string) => loadConfig(file, { SIDECAR_ADMIN_PORT: '0', ...env })

export const configFrom = (env: Env, file?: string) => {
  const result = loadFrom(env, file)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.config
}

export const startPair = async (
  t: Life,
  { env = {}, endpoint, sandbox = false, listeners: many, overrides }: PairOptions = {},
) => {
  const simulator = createSimulator()
  const amazon = await simulator.listen()
  const lines: string[] = []
  const logger = createLogger({ level: 'debug', audit: true }, { write: (line) => void lines.push(line) })
  const several =
    many && JSON.stringify(many(amazon).map((one) => (typeof one === 'string' ? { port: 0, endpoint: one } : one)))
  const where = several ? { SIDECAR_LISTENERS: several } : { SIDECAR_PORT: '0', SIDECAR_ENDPOINT: endpoint ?? amazon }
  const environment = { SIDECAR_DRAIN_LAME_DUCK_MS: '0', ...where, ...(typeof env === 'function' ? env(amazon) : env) }
  const loaded = configFrom(environment)
  const listeners = loaded.listeners.map((one) => ({ ...one, endpoint: { ...one.endpoint, sandbox } }))
  const config = { ...loaded, listeners }
  const sidecar = createSidecar(
    config,
    { version: '0.0.0-test', nodeVersion: process.version },
    { logger, ...overrides },
  )
  const { data, admin } = await sidecar.listen()
  let closed: Promise<number> | undefined
  const close = () => (closed ??= sidecar.close())
  t.after(async () => {
    await close()
    await simulator.close()
  })
  const base = `http://127.0.0.1:${data[0]?.port}`
  return {
    simulator,
    sidecar,
    amazon,
    base,
    port: data[0]?.port ?? 0,
    ports: data.map(({ port = 0 }) => port),
    admin: `http://127.0.0.1:${admin.port}`,
    close,
    /** Has it read its configuration again, with `more` in the environment. */
    reload: (more: Env = {}): void => sidecar.reload(loadFrom({ ...environment, ...more }), 'signal'),
    /** Every log line so far. */
    lines,
    mints: (): readonly LogEntry[] => simulator.log().filter(({ kind }) => kind === 'mint'),
    /** Requests to Login with Amazon. */
    lwa: (): readonly LogEntry[] => simulator.log().filter(({ kind }) => kind === 'lwa'),
    calls: (): readonly LogEntry[] => simulator.log().filter(({ kind }) => kind === 'call'),
    /** One call; `token` undefined sends none. */
    call: (target: string, token?: string, init: RequestInit = {}): Promise<Response> =>
      fetch(base + target, { ...init, headers: { ...(token && { 'x-amz-access-token': token }), ...init.headers } }),
  }
}
export type Pair = Awaited<ReturnType<typeof startPair>>

export const verdictOf = (answer: Response): string | null => answer.headers.get('x-rdt-verdict')

type Mint = { readonly restrictedResources: readonly { method: string; path: string; dataElements?: string[] }[] }
/** The resources of each mint, as `METHOD path [elements]`. */
export const resourcesOf = (mints: readonly LogEntry[]): readonly (readonly string[])[] =>
  mints.map(({ mint }) =>
    (mint as Mint).restrictedResources.map(
      ({ method, path, dataElements }) => `${method} ${path}${dataElements ? ` [${dataElements.join()}]` : ''}`,
    ),
  )

/** The first error of an answer in Amazon's shape. */
export const firstErrorOf = async (response: Response): Promise<{ code: string; message: string; details: string }> => {
  const { errors } = (await response.json()) as { errors: { code: string; message: string; details: string }[] }
  const [error] = errors
  if (!error) throw new Error('no error in the answer')
  return error
}
