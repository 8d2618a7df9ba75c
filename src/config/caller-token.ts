/** Makes the caller token's file where the configuration wants that: for the volume that sidecar and services share. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, linkSync, rmSync, writeFileSync } from 'node:fs'
import { systemCode } from '../sp-api/errors.ts'
import type { LoadResult } from './load.ts'

const BYTES = 32
const MODE = 0o440 // owner and group: in a pod, fsGroup lets the services' users read it

/**
 * Whether it is there now, and was not: the configuration must then be read again. One that is there stays as it is, so that
 * services which have read it go on. Throws where it cannot be written.
 */
export const makeCallerToken = (loaded: LoadResult): boolean => {
  if (!loaded.ok) return false
  const { callerTokenFile, createCallerTokenFile } = loaded.config.settings.auth
  const missing = loaded.config.callers.some(({ tokens }) => tokens.length === 0)
  if (!createCallerTokenFile || callerTokenFile === null || !missing) return false
  const draft = `${callerTokenFile}.${randomBytes(4).toString('hex')}`
  try {
    writeFileSync(draft, `${randomBytes(BYTES).toString('base64url')}\n`, { mode: MODE, flag: 'wx' })
    chmodSync(draft, MODE) // whatever the umask
    linkSync(draft, callerTokenFile) // whole or not at all, and over none that is there
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST' && existsSync(callerTokenFile)) return true // another process was quicker
    throw new Error(`auth.callerTokenFile: the file cannot be made (${code})`)
  } finally {
    rmSync(draft, { force: true })
  }
}
