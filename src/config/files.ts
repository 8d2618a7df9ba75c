/** The files a configuration is read from; what is found on the way is gathered, not thrown. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { systemCode } from '../sp-api/errors.ts'
import type { Problem } from './problems.ts'
import { stampOf } from './watch.ts'
import { readYaml } from './yaml.ts'

/** What reading a configuration brings to light. */
export type Findings = {
  /** Each keeps the configuration from being used. */
  readonly problems: Problem[]
  /** What is unsafe though legal: said at the start. */
  readonly warnings: Problem[]
  /** What must be watched for changes: see {@link note}. */
  readonly files: Map<string, string>
}
export const createFindings = (): Findings => ({ problems: [], warnings: [], files: new Map() })

/** A file that is about to be read, perhaps not for the first time, is to be watched. */
export const note = (file: string, { files }: Findings): void => {
  if (!files.has(file)) files.set(file, stampOf(file))
}

export type Tree = Record<string, unknown>

/** The keys and values of a YAML file. */
export const readTree = (file: string, problems: Problem[]): Tree => {
  const result = contentOf(file)
  const read = 'text' in result ? readYaml(result.text) : result
  if ('problem' in read) problems.push({ path: file, message: read.problem })
  else if (isTree(read.value ?? {})) return (read.value ?? {}) as Tree
  else problems.push({ path: file, message: 'must hold keys and values' })
  return {}
}

/**
 * What a file with a secret or a certificate holds; undefined, with a problem at `key`, where it cannot be read. The file's name is
 * in no message: where somebody wrote the secret itself in its place, it would be told.
 */
export const readText = (key: string, file: string, found: Findings): string | undefined => {
  const full = path.resolve(file)
  note(full, found)
  const result = contentOf(full)
  if ('text' in result) return result.text
  found.problems.push({ path: key, message: `the file ${result.problem}` })
  return undefined
}

/** Whether a file that may be made later is there; it is watched for. */
export const isMissing = (file: string, found: Findings): boolean => {
  const full = path.resolve(file)
  note(full, found)
  return !existsSync(full)
}

/** Says where others than owner and group can read a file that is to be secret. */
export const warnIfOpen = (key: string, file: string, found: Findings): void => {
  const stat = statSync(path.resolve(file), { throwIfNoEntry: false })
  if (!stat || (stat.mode & 0o004) === 0) return
  const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
  found.warnings.push({ path: key, message: `everybody on this machine can read the file (mode ${mode})` })
}

const contentOf = (file: string): { readonly text: string } | { readonly problem: string } => {
  try {
    return { text: readFileSync(file, 'utf8') }
  } catch (error) {
    return { problem: `cannot be read (${systemCode(error)})` }
  }
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
