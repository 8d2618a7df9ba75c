/** Runs an image the way a container engine would under `--read-only --cap-drop ALL --security-opt no-new-privileges`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Image } from './build.ts'
import { which } from './machine.ts'

export type RunOptions = {
  /** In the place of the image's CMD. */
  readonly cmd?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  /** Mounted: path in the container → content. */
  readonly files?: Readonly<Record<string, string>>
  /** The file that takes a process into a control group. */
  readonly cgroup?: string
}
export type Ended = { readonly code: number | null; readonly out: string; readonly err: string }
export type Container = {
  readonly ended: Promise<Ended>
  /** Process 1, as this machine numbers it. */
  readonly pid: () => Promise<number>
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
  /** As `docker exec`: same file system, same user, same environment. */
  readonly exec: (command: readonly string[]) => Promise<Ended>
  readonly remove: () => Promise<void>
}

export const runImage = (image: Image, options: RunOptions = {}): Container => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-container-'))
  const { merged, points } = mountPoints(folder, options.files ?? {})
  const [uid, gid] = (options.user ?? image.user).split(':')
  const identity = [`--setgid=${gid}`, `--setuid=${uid}`]
  const variables = Object.entries({ ...image.env, ...options.env }).map(([name, value]) => `${name}=${value}`)
  const environment = ['env', '-i', ...variables, which('setpriv'), '--no-new-privs']
  const command = [...(options.entrypoint ?? image.entrypoint), ...(options.cmd ?? image.cmd)]
  const child = start([
    ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '/bin/sh', '-euc', START, 'sh'],
    ...[options.cgroup ?? '', `${points}:${image.tree}`, merged, ...environment],
    ...[which('unshare'), `--root=${merged}`, `--wd=${image.workdir}`, ...identity, '--', ...command],
  ])
  const ended = endOf(child)
  const pid = () =>
    firstChildOf(child).catch(async () => {
      const { code, out, err } = await ended
      throw new Error(`the container has ended with exit code ${code}: ${out}${err}`)
    })
  const kill = async (signal: NodeJS.Signals) => void process.kill(await pid(), signal)
  const exec = async (what: readonly string[]) => {
    const inside = [which('nsenter'), '--target', `${await pid()}`, '--mount', '--pid', '--root', '--wd']
    return endOf(start([...environment, ...inside, ...identity, '--', ...what]))
  }
  const remove = async () => {
    if (child.exitCode === null && child.signalCode === null) await kill('SIGKILL').catch(() => child.kill('SIGKILL'))
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  return { ended, pid, kill, exec, remove }
}

// An overlay without an upper folder is read-only. The shared memory that an engine gives each container can be written all the same.
const START = `
  if [ -n "$1" ]; then echo $$ > "$1"; fi
  mount -t overlay overlay -o "ro,lowerdir=$2" "$3"
  mount -t proc proc "$3/proc"
  mount --rbind /sys "$3/sys"
  mount --bind /dev/null "$3/dev/null"
  mount --bind /dev/urandom "$3/dev/urandom"
  mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev,noexec shm "$3/dev/shm"
  shift 3
  exec "$@"`

/** What an engine adds to the image's own files. */
const mountPoints = (folder: string, files: Readonly<Record<string, string>>) => {
  const [merged, points] = [path.join(folder, 'merged'), path.join(folder, 'points')]
  chmodSync(folder, 0o711)
  for (const one of [merged, ...['proc', 'sys', 'dev/shm', 'etc'].map((name) => path.join(points, name))])
    mkdirSync(one, { recursive: true })
  const added = {
    '/dev/null': '',
    '/dev/urandom': '',
    '/etc/hosts': '127.0.0.1 localhost\n',
    '/etc/resolv.conf': readFileSync('/etc/resolv.conf', 'utf8'),
    ...files,
  }
  for (const [file, content] of Object.entries(added)) {
    mkdirSync(path.dirname(path.join(points, file)), { recursive: true })
    writeFileSync(path.join(points, file), content)
  }
  return { merged, points }
}

const start = ([program = '', ...args]: readonly string[]): ChildProcess =>
  spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })

const endOf = async (child: ChildProcess): Promise<Ended> => {
  const text = { out: '', err: '' }
  child.stdout?.on('data', (chunk) => {
    text.out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    text.err += chunk
  })
  const [code] = await once(child, 'close')
  return { code, ...text }
}

/** Throws when the parent is gone. */
const firstChildOf = async ({ pid }: ChildProcess): Promise<number> => {
  for (;;) {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    if (first) return Number(first)
    await new Promise((done) => setTimeout(done, 10))
  }
}

/** A memory control group with a limit, v1 or v2; can be removed when nothing runs in it. */
export const memoryLimit = (bytes: number): { join: string; peak: () => number; remove: () => void } => {
  const groups = readFileSync('/proc/self/cgroup', 'utf8')
  const [, old] = /^\d+:memory:(.*)$/m.exec(groups) ?? []
  const [, unified = '/'] = /^0::(.*)$/m.exec(groups) ?? []
  const parent = old === undefined ? path.join('/sys/fs/cgroup', unified) : path.join('/sys/fs/cgroup/memory', old)
  const [limit, peak] =
    old === undefined ? ['memory.max', 'memory.peak'] : ['memory.limit_in_bytes', 'memory.max_usage_in_bytes']
  const group = mkdtempSync(path.join(parent, 'rdt-'))
  chmodSync(group, 0o755) // Node asks there
  writeFileSync(path.join(group, limit), `${bytes}`)
  return {
    join: path.join(group, 'cgroup.procs'),
    peak: () => Number(readFileSync(path.join(group, peak), 'utf8')),
    remove: () => rmdirSync(group),
  }
}
