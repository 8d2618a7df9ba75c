/**
 * A clock that a test puts forward and back, for processes of its own: libfaketime stands between them and the system, and reads the
 * offset from a file at every look at the clock.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { folderFor } from './cli.ts'
import { needs } from './tools.ts'

/** For a test's `skip` option. */
export const noFaketime = needs('faketime')

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** `monotonic`: the clock of lifetimes and timers moves along; else it is the system's. */
export const startWallClock = (t: TestContext, { monotonic = false } = {}) => {
  const file = path.join(folderFor(t), 'offset')
  let offsetMs = 0
  const put = (ms: number): void => {
    offsetMs = ms
    writeFileSync(`${file}.new`, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1000}\n`)
    renameSync(`${file}.new`, file) // never seen half written
  }
  put(0)
  tidy()
  const env = {
    LD_PRELOAD: `${library()} libc.so.6`, // and no other allocator, such as Redis': that one asks for the time before there is any
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    ...(!monotonic && { FAKETIME_DONT_FAKE_MONOTONIC: '1' }),
  }
  return {
    /** For the processes whose clock it shall be. */
    env,
    /** The same as a program that starts another one. */
    through: ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    /** So many milliseconds from the true time, from now on. */
    put,
    /** What it shows. */
    now: (): number => Date.now() + offsetMs,
  }
}
export type WallClock = ReturnType<typeof startWallClock>

/** Where it lies differs from machine to machine: the program that comes with it knows. */
const library = (): string =>
  execFileSync('faketime', ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()

const SHARED = '/dev/shm'
/** What libfaketime keeps for a process's children stays where that was killed, and would be in the way of the next one with its id. */
const tidy = (): void => {
  for (const name of readdirSync(SHARED)) {
    const [, pid] = /^faketime_shm_(\d+)$/.exec(name) ?? []
    if (pid === undefined || isAlive(pid)) continue
    for (const one of [name, `sem.faketime_sem_${pid}`]) rmSync(path.join(SHARED, one), { force: true })
  }
}
if (!noFaketime) process.once('exit', tidy)

const isAlive = (pid: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1') !== '' // one that has ended, and was not yet missed, has none
  } catch {
    return false
  }
}
