/** How a running sidecar is: what it holds once all garbage is gone. Linux only, as /proc is. */
import { readdirSync } from 'node:fs'
import { collectedAnd, INSPECTABLE, LIVE_BYTES } from '../bench/inspector.ts'
import type { Running } from './cli.ts'

/** Flags of Node for a process that is to be asked. */
export const ASKABLE = INSPECTABLE

export type Vitals = {
  /** Bytes of live objects, and of what they hold outside the heap. */
  readonly live: number
  /** Resident bytes; much of it may be garbage that nobody has had reason to collect. */
  readonly rss: number
  /** Open files and sockets. */
  readonly descriptors: number
  /** What keeps, or could keep, its event loop going: sockets, servers, timers. */
  readonly handles: number
}

const EXPRESSION = `({
  live: ${LIVE_BYTES},
  rss: process.memoryUsage.rss(),
  handles: process.getActiveResourcesInfo().length,
})`

export const vitalsOf = async ({ child, err }: Pick<Running, 'child' | 'err'>): Promise<Vitals> => {
  const pid = child.pid ?? 0
  const inside = await collectedAnd<Omit<Vitals, 'descriptors'>>({ pid, output: err }, EXPRESSION)
  return { ...inside, descriptors: readdirSync(`/proc/${pid}/fd`).length }
}

/** What it complained of on stderr: all but the inspector's own lines. */
export const complaintsOf = ({ err }: Pick<Running, 'err'>): readonly string[] =>
  err()
    .split('\n')
    .filter((line) => line !== '' && !/^(Debugger |For help, see: https:\/\/nodejs)/.test(line))
