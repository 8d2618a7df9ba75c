/**
 * The programs that are measured, each a process of its own, and what the kernel says of them: processor time and memory, of the
 * process and of its children (nginx's workers) together. Linux only, as /proc is.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type Program = {
  readonly command: string
  readonly args: readonly string[]
  /** On top of this process's own environment without its SIDECAR_* variables. */
  readonly env?: Readonly<Record<string, string>>
  /** What of its output names its port (first group), or the port it was told to take. */
  readonly port: RegExp | number
}
/** Since the process began, in microseconds. `user` and `system` come in steps of 10 ms, `total` and `mainThread` are exact. */
export type ProcessorTime = {
  readonly total: number
  readonly mainThread: number
  readonly user: number
  readonly system: number
}
/** In bytes. `pss`: pages that several processes share count in parts. */
export type Memory = { readonly rss: number; readonly pss: number }
export type Running = {
  readonly pid: number
  /** Its own, and those of its children. */
  readonly pids: () => readonly number[]
  readonly port: number
  /** What it printed so far, both streams; they go to a file. */
  readonly output: () => string
  readonly processorTime: () => ProcessorTime
  readonly memory: () => Memory
  /** Ends it: asks first, and kills what is still there after two seconds. */
  readonly stop: () => Promise<void>
}

/** For a visible line in the place of the benchmark; undefined where it can run. */
export const whyNot = (): string | undefined =>
  process.platform === 'linux' ? undefined : `it reads processor time from /proc, and this is ${process.platform}`

/** Starts it and resolves when it listens; rejects with what it printed where it does not within 20 s. */
export const startProgram = async (program: Program): Promise<Running> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-bench-'))
  const file = path.join(folder, 'output')
  const output = openSync(file, 'w')
  const inherited = Object.entries(process.env).filter(([name]) => !/^SIDECAR_|^NODE_/.test(name))
  const env = { ...Object.fromEntries(inherited), NODE_ENV: 'production', ...program.env }
  const child = spawn(program.command, program.args, { env, stdio: ['ignore', output, output] })
  closeSync(output)
  const abandon = () => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  outlived.add(abandon)
  endAllAtExit()
  const printed = () => readFileSync(file, 'utf8')
  const stop = async () => {
    await ended(child)
    outlived.delete(abandon)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await once(child, 'spawn')
    const { pid = 0 } = child
    const port = await listening(child, program, printed)
    const pids = () => familyOf(pid)
    const processorTime = () => pids().map(processorTimeOf).reduce(plus)
    const memory = () => pids().map(memoryOf).reduce(plus)
    return { pid, pids, port, output: printed, processorTime, memory, stop }
  } catch (error) {
    const said = printed()
    await stop()
    throw new Error(`${program.command} ${program.args.join(' ')} did not start: ${said}`, { cause: error })
  }
}

/** What is left to do where this process ends before its programs: a crash, a signal. */
const outlived = new Set<() => void>()
let watching = false
const endAllAtExit = (): void => {
  if (watching) return
  watching = true
  process.on('exit', () => {
    for (const abandon of outlived) abandon()
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}

const listening = async (child: ChildProcess, { port }: Program, printed: () => string): Promise<number> => {
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; await delay(5)) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    const found = typeof port === 'number' ? port : Number(port.exec(printed())?.[1])
    if (found > 0 && (await accepts(found))) return found
  }
  throw new Error('it did not listen within 20 s')
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 2000)
  await exit
  clearTimeout(late)
}

/** The process and its children; not every kernel lists children by itself. */
const familyOf = (pid: number): readonly number[] => {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return [pid, ...all.map(Number).filter((one) => parentOf(one) === pid)]
}
const parentOf = (pid: number): number | undefined => {
  try {
    return statOf(pid)[1]
  } catch {
    return undefined // it ended meanwhile
  }
}

/** The numbers of /proc/PID/stat that follow the name of the command (proc(5): state is the third). */
const statOf = (pid: number): readonly number[] => {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
}
const TICK_US = 10_000 // USER_HZ is 100 on every architecture that Node runs on

const processorTimeOf = (pid: number): ProcessorTime => {
  const [user = 0, system = 0] = statOf(pid)
    .slice(11, 13)
    .map((ticks) => ticks * TICK_US)
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => [Number(thread), ranUs(pid, thread)] as const)
  const total = threads.reduce((sum, [, us]) => sum + us, 0)
  return { total, mainThread: threads.find(([thread]) => thread === pid)?.[1] ?? 0, user, system }
}
/** The first number of schedstat: nanoseconds on a processor. */
const ranUs = (pid: number, thread: string): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000
  } catch {
    return 0 // it ended meanwhile
  }
}

const memoryOf = (pid: number): Memory => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1])
  return { rss: bytes('Rss'), pss: bytes('Pss') }
}

const plus = <T extends Readonly<Record<string, number>>>(one: T, other: T): T =>
  Object.fromEntries(Object.entries(one).map(([name, value]) => [name, value + (other[name] ?? 0)])) as T

/** What was spent between two looks. */
export const spent = (before: ProcessorTime, after: ProcessorTime): ProcessorTime => ({
  total: after.total - before.total,
  mainThread: after.mainThread - before.mainThread,
  user: after.user - before.user,
  system: after.system - before.system,
})

/**
 * Keeps processes on the first processor, or on all others, so that one that is sampled by the clock does not count the time of
 * those that ousted it. Returns what gives them all processors again. Does nothing where there is one processor, or no taskset.
 */
export const pinned = (pids: readonly number[], where: 'the first' | 'the others'): (() => void) => {
  const last = availableParallelism() - 1
  if (last < 1) return () => {}
  const set = (processors: string): void => {
    for (const pid of pids) spawnSync('taskset', ['-a', '-p', '-c', processors, String(pid)])
  }
  set(where === 'the first' ? '0' : `1-${last}`)
  return () => set(`0-${last}`)
}

/** Proxies on the first processor, load and upstream on the others. Returns what gives these all processors again. */
export const keptApart = (proxies: readonly Running[], upstream: Running): (() => void) => {
  pinned(
    proxies.flatMap(({ pids }) => pids()),
    'the first',
  )
  return pinned([process.pid, upstream.pid], 'the others')
}
