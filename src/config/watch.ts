/**
 * Tells when one of some files has changed and then stood still. By looking at them: that sees what Kubernetes does to a mounted
 * ConfigMap (a symbolic link is swapped) and works on every file system. A file that is being written is not read half; nor is one
 * that has become empty, as all do that are written in place: that its writer has only come so far takes a busy machine, no more.
 * One that stays empty is told: nothing else is taken over until it is mended.
 */
import { statSync } from 'node:fs'

const EVERY_MS = 1000
const EMPTY_LOOKS = 10 // no writer takes so long

/** Files, and how each was when it was read. */
export type Stamps = ReadonlyMap<string, string>

/**
 * `onChange` reads them all and has them watched as they were then. `onEmptied` is told which have become empty and stay so, once
 * for each state of them all. Does not keep the process alive.
 */
export const createFileWatch = (onChange: () => void, onEmptied: (files: readonly string[]) => void) => {
  let known: Stamps = new Map()
  let lastLook = ''
  let stillFor = 0 // looks

  const look = (): void => {
    const found = new Map([...known.keys()].map((file) => [file, stampOf(file)]))
    const changed = [...found].some(([file, stamp]) => stamp !== known.get(file))
    stillFor = lastLook === textOf(found) ? stillFor + 1 : 0
    lastLook = textOf(found)
    const emptied = [...found.keys()].filter((file) => isEmptied(found.get(file), known.get(file)))
    if (changed && stillFor > 0 && emptied.length === 0) onChange()
    if (stillFor === EMPTY_LOOKS && emptied.length > 0) onEmptied(emptied)
  }
  setInterval(look, EVERY_MS).unref()

  return {
    /** These files from now on, and no others. */
    watch: (files: Stamps): void => {
      known = files
    },
  }
}

const isEmptied = (stamp = '', before = ''): boolean => /^\d+ 0 /.test(stamp) && stamp !== before

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
