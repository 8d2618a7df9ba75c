/**
 * Tells when one of some files has changed. By looking at them every two seconds: that sees what Kubernetes does to a mounted
 * ConfigMap (a symbolic link is swapped) and works on every file system, network ones included.
 */
import { type StatWatcher, unwatchFile, watchFile } from 'node:fs'

const EVERY_MS = 2000

/** Does not keep the process alive. */
export const createFileWatch = (onChange: () => void) => {
  const watched = new Map<string, StatWatcher>()
  const release = (file: string): void => {
    unwatchFile(file, onChange)
    watched.delete(file)
  }
  return {
    /** These files from now on, and no others. */
    watch: (files: readonly string[]): void => {
      for (const file of watched.keys()) if (!files.includes(file)) release(file)
      for (const file of files)
        if (!watched.has(file)) watched.set(file, watchFile(file, { interval: EVERY_MS, persistent: false }, onChange))
    },
  }
}
