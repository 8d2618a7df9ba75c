/** What a command gets from the process and gives back; commands touch the process through this alone. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Config, loadConfig } from '../config/load.ts'
import type { Runtime } from '../sidecar.ts'

export type Io = {
  readonly args: string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** stdout is a terminal. */
  readonly terminal: boolean
  readonly nodeVersion: string
  /** Resolves at SIGTERM or SIGINT. */
  readonly stopped: () => Promise<void>
}

/** Resolves to the exit code: 0 clean, 1 failed while running, 2 bad usage or configuration. */
export type Command = (io: Io) => Promise<number>

/** Ends a command with exit code 2 and a line that says what to do. */
export class UsageError extends Error {}

/** --config FILE, else SIDECAR_CONFIG; throws a UsageError that holds all problems at once. */
export const configOf = ({ env }: Pick<Io, 'env'>, file = env['SIDECAR_CONFIG']): Config => {
  const result = loadConfig(file, env)
  if (result.ok) return result.config
  throw new UsageError(result.problems.map((problem) => `${problem.path}: ${problem.message}`).join('\n'))
}

/** For commands whose one option is --config. */
export const configFromArgs = (io: Io): Config => {
  const { values } = parseArgs({ args: io.args, options: { config: { type: 'string' } } })
  return configOf(io, values.config)
}

export const runtimeOf = ({ nodeVersion }: Io): Runtime => {
  const file = path.resolve(import.meta.dirname, '../../package.json')
  return { version: String(JSON.parse(readFileSync(file, 'utf8')).version), nodeVersion }
}
