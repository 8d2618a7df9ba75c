/** A real redis-server of a test's own: on 127.0.0.1, in a folder of its own, with nothing kept on disk. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { Redis as Client } from 'ioredis'
import { selfSigned } from './certificates.ts'
import { folderFor } from './cli.ts'
import { until } from './many.ts'
import { needs } from './tools.ts'

/** For a test's `skip` option. */
export const noRedis = needs('redis-server')

export type RedisOptions = {
  readonly password?: string
  /** TLS alone, with a certificate that vouches for itself. */
  readonly tls?: boolean
  /** More of its configuration, as on its command line. */
  readonly settings?: readonly string[]
  /** What it is started by, which puts it in its own place: `env`, say. */
  readonly through?: readonly string[]
}

export type Entry = {
  readonly key: string
  readonly type: string
  /** Milliseconds; -1: it never ends. */
  readonly ttl: number
  /** Everything in it, raw, as latin1. */
  readonly contents: string
}

/** Runs until the test ends. */
export const startRedis = async (t: TestContext, options: RedisOptions = {}) => {
  const { tls = false } = options
  let { password } = options
  const folder = folderFor(t)
  const own = tls ? selfSigned(folder, 'redis') : undefined
  const settings = [
    ...['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
    ...(password ? ['--requirepass', password] : []),
    ...(options.settings ?? []),
    ...(own ? ['--tls-cert-file', own.certFile, '--tls-key-file', own.keyFile, '--tls-auth-clients', 'no'] : []),
  ]
  const portSettings = (at: number) => (tls ? ['--port', '0', '--tls-port', `${at}`] : ['--port', `${at}`])

  let server: ChildProcess | undefined
  t.after(() => void server?.kill('SIGKILL'))

  /** False: the port is somebody else's. */
  const startAt = async (at: number): Promise<boolean> => {
    const [program = '', ...args] = [...(options.through ?? []), 'redis-server', ...portSettings(at), ...settings]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    server = child
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    await until(() => /Ready to accept|already in use/.test(said) || child.exitCode !== null)
    if (said.includes('Ready to accept')) return true
    if (said.includes('already in use')) return false
    throw new Error(`redis-server does not start: ${said}`)
  }

  let port = randomPort()
  while (!(await startAt(port))) port = randomPort()

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = server
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  /** What `use` makes of a connection of its own. */
  const connected = async <T>(use: (client: Client) => Promise<T>): Promise<T> => {
    const secure = own && { tls: { ca: own.cert } }
    const client = new Client({ host: '127.0.0.1', port, ...(password && { password }), ...secure })
    try {
      return await use(client)
    } finally {
      client.disconnect()
    }
  }

  return {
    port,
    url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    password,
    pid: (): number | undefined => server?.pid,
    folder,
    /** Cuts off who is connected; until a restart. */
    changePassword: (changed: string): Promise<void> =>
      connected(async (client) => {
        await client.config('SET', 'requirepass', changed)
        await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        password = changed
      }),
    /** Who vouches for its certificate, where it speaks TLS. */
    caFile: own?.certFile,
    /** One command. Rejects with what Redis refuses it with. */
    cli: (command: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown> =>
      connected((client) => client.call(command, ...args)),
    flush: (): Promise<unknown> => connected((client) => client.flushall()),
    /** Everything that is in it. */
    dump: (): Promise<readonly Entry[]> =>
      connected(async (client) => {
        const entries = []
        for (const key of await client.keysBuffer('*')) entries.push(await read(client, key))
        return entries
      }),
    /** It takes connections and answers nothing, until `thaw`. */
    freeze: (): void => void server?.kill('SIGSTOP'),
    thaw: (): void => void server?.kill('SIGCONT'),
    /** As an administrator would. */
    stop: (): Promise<void> => end('SIGTERM'),
    /** `kill -9`. */
    kill: (): Promise<void> => end('SIGKILL'),
    /** An empty one at the same place; ends the one that is there. */
    restart: async (): Promise<void> => {
      await end('SIGKILL')
      if (!(await startAt(port))) throw new Error(`somebody has taken port ${port} meanwhile`)
    },
  }
}
export type Redis = Awaited<ReturnType<typeof startRedis>>

/** Below those that the system hands out: nobody is given it while Redis is away. */
const randomPort = (): number => randomInt(10_000, 32_000)

const read = async (client: Client, key: Buffer): Promise<Entry> => {
  const type = await client.type(key)
  return {
    key: key.toString('latin1'),
    type,
    ttl: await client.pttl(key),
    contents: textIn(await rawOf(client, key, type)),
  }
}

const rawOf = (client: Client, key: Buffer, type: string): Promise<unknown> => {
  switch (type) {
    case 'string':
      return client.callBuffer('GET', key)
    case 'hash':
      return client.callBuffer('HGETALL', key)
    case 'list':
      return client.callBuffer('LRANGE', key, 0, -1)
    case 'set':
      return client.callBuffer('SMEMBERS', key)
    case 'zset':
      return client.callBuffer('ZRANGE', key, 0, -1, 'WITHSCORES')
    case 'stream':
      return client.callBuffer('XRANGE', key, '-', '+')
    case 'none': // it has ended meanwhile
      return Promise.resolve('')
    default:
      throw new Error(`nobody knows how to read a ${type}`)
  }
}

const textIn = (raw: unknown): string => {
  if (Array.isArray(raw)) return raw.map(textIn).join('\n')
  return Buffer.isBuffer(raw) ? raw.toString('latin1') : String(raw)
}
