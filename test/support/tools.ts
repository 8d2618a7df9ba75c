/** Programs that not every machine has: tests that need them are skipped there with a visible line, except in CI, where they fail. */
import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/** For a test's `skip` option: false where all are there, else the line that says what is missing. */
export const needs = (...tools: readonly string[]): false | string => {
  const missing = tools.filter((tool) => !isOnPath(tool))
  if (missing.length === 0 || process.env['CI']) return false
  return `${missing.join(' and ')} not found on this machine`
}

export const isOnPath = (tool: string): boolean =>
  (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
