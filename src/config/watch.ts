/**
 * Tells when one of some files has changed and then stood still. By looking at them: that sees what Kubernetes does to a mounted
 * ConfigMap (a symbolic link is swapped) and works on every file system. A file that is being written is not read half; nor is one
 * that has become empty, as all do that are written in place: that its writer has only come so far takes a busy machine, no more.
 */
import { statSync } from 'node:fs'

const EVERY_MS = 1000

/** Files, and how each was when it was read. */
export type Stamps = ReadonlyMap<string, string>

/** `onChange` reads them all and has them watched as they were then. Does not keep the process alive. */
export const createFileWatch = (onChange: () => void) => {
  let known: Stamps = new Map()
  let lastLook = ''

  const look = (): void => {
    const found = new Map([...known.keys()].map((file) => [file, stampOf(file)]))
    const changed = [...found].some(([file, stamp]) => stamp !== known.get(file))
    const stoodStill = lastLook === textOf(found)
    lastLook = textOf(found)
    const emptied = [...found].some(([file, stamp]) => EMPTY.test(stamp) && stamp !== known.get(file))
    if (changed && stoodStill && !emptied) onChange()
  }
  setInterval(look, EVERY_MS).unref()

  return {
    /** These files from now on, and no others. */
    watch: (files: Stamps): void => {
      known = files
    },
  }
}

const EMPTY = /^\d+ 0 /

const textOf = (stamps: Stamps): string => JSON.stringify([...stamps])

/** To be taken before the file is read: what is written meanwhile is then a change. */
export const stampOf = (file: string): string => {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}` // the last one alone tells of a mode, or an owner, that was mended
  } catch {
    return 'none'
  }
}
