/** What a command gets from the process and gives back; commands touch the process through this alone. */
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeCallerToken } from '../config/caller-token.ts'
import { type Config, type LoadResult, loadConfig } from '../config/load.ts'
import type { Runtime } from '../sidecar.ts'
import { redact } from '../telemetry/logger.ts'
import { UsageError } from './usage-error.ts'

export type Io = {
  readonly args: string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** stdout is a terminal. */
  readonly terminal: boolean
  readonly nodeVersion: string
  /** Resolves at SIGTERM or SIGINT. */
  readonly stopped: Promise<void>
  /** Calls back at every SIGHUP. */
  readonly onHangup: (listener: () => void) => void
  /** Calls when the process ends, whatever ends it but a signal. */
  readonly onExit: (listener: () => void) => void
}

/** Resolves to the exit code: 0 clean, 1 failed while running, 2 bad usage or configuration. */
export type Command = (io: Io) => Promise<number>

/** Reads --config FILE, else SIDECAR_CONFIG. */
export const load = ({ env }: Pick<Io, 'env'>, file = env['SIDECAR_CONFIG']): LoadResult => loadConfig(file, env)

/** For what serves: where the configuration wants a caller token's file that is not there, it is made first. */
export const loadToServe = (io: Pick<Io, 'env'>, file?: string): LoadResult => {
  const first = load(io, file)
  return makeCallerToken(first) ? load(io, file) : first
}

/** Throws a UsageError that holds all problems at once. */
export const accepted = (loaded: LoadResult): Config => {
  if (loaded.ok) return loaded.config
  throw new UsageError(redact(loaded.problems.map((problem) => `${problem.path}: ${problem.message}`).join('\n')))
}

export const configOf = (io: Pick<Io, 'env'>, file?: string): Config => accepted(load(io, file))

/** For commands whose one option is --config. */
export const configFileFrom = ({ args }: Pick<Io, 'args'>): string | undefined =>
  parseArgs({ args, options: { config: { type: 'string' } } }).values.config

export const configFromArgs = (io: Io): Config => configOf(io, configFileFrom(io))

export const runtimeOf = ({ nodeVersion }: Io): Runtime => {
  const file = path.resolve(import.meta.dirname, '../../package.json')
  return { version: String(JSON.parse(readFileSync(file, 'utf8')).version), nodeVersion }
}

const MEMORY = '/dev/shm' // can be written in a container whose root cannot

/** A folder for this process's user alone; gone when the process ends, whatever ends it but a signal. */
export const temporaryFolder = ({ onExit }: Pick<Io, 'onExit'>): string => {
  const folder = mkdtempSync(path.join(isWritable(MEMORY) ? MEMORY : tmpdir(), 'rdt-sidecar-'))
  onExit(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const isWritable = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
