/**
 * Tells when one of some files has changed and then stood still. By looking at them: that sees what Kubernetes does to a mounted
 * ConfigMap (a symbolic link is swapped) and works on every file system. A file that is being written is not read half.
 */
import { statSync } from 'node:fs'

const EVERY_MS = 1000

/** Does not keep the process alive. */
export const createFileWatch = (onChange: () => void) => {
  /** File → as it was when it was last acted upon. */
  let known = new Map<string, string>()
  let lastLook = ''

  const look = (): void => {
    const found = stampsOf([...known.keys()])
    const changed = [...found].some(([file, stamp]) => stamp !== known.get(file))
    const stoodStill = lastLook === textOf(found)
    lastLook = textOf(found)
    if (!changed || !stoodStill) return
    known = found // before they are read: what is written meanwhile is seen at the next look
    onChange()
  }
  setInterval(look, EVERY_MS).unref()

  return {
    /** They are about to be read for another reason. */
    note: (): void => {
      known = stampsOf([...known.keys()])
    },
    /** These files from now on, and no others. */
    watch: (files: readonly string[]): void => {
      known = new Map(files.map((file) => [file, known.get(file) ?? stampOf(file)]))
    },
  }
}

const stampsOf = (files: readonly string[]): Map<string, string> => new Map(files.map((file) => [file, stampOf(file)]))

const textOf = (stamps: ReadonlyMap<string, string>): string => JSON.stringify([...stamps])

const stampOf = (file: string): string => {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}` // the last one alone tells of a mode, or an owner, that was mended
  } catch {
    return 'none'
  }
}
