#!/usr/bin/env node
/** The process: arguments, environment, signals, exit codes. What a command does is in cli/. */
import { debuglog } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import type { Command, Io } from './cli/command.ts'
import { UsageError } from './cli/usage-error.ts'
import { bugIn } from './telemetry/words.ts'

// With it some libraries print what they send, the store's password and callers' headers among it.
delete process.env['DEBUG']

/** Sections of NODE_DEBUG of which Node prints what it sends, RDTs and access tokens among it. It has read the variable already. */
const TALKATIVE = ['http', 'https', 'http2', 'net', 'tls']

const COMMANDS: Readonly<Record<string, readonly [summary: string, load: () => Promise<Command>]>> = {
  serve: ['run the sidecar (default); --config FILE', async () => (await import('./cli/serve.ts')).serve],
  simulate: [
    'run the SP-API simulator alone; --port N (9700)',
    async () => (await import('./cli/simulate.ts')).simulate,
  ],
  demo: ['simulator, sidecar and a short workload; --once', async () => (await import('./cli/demo.ts')).demo],
  'check-config': [
    'say all that is wrong with a configuration',
    async () => (await import('./cli/check-config.ts')).checkConfig,
  ],
  'print-config': ['print the configuration in force', async () => (await import('./cli/print-config.ts')).printConfig],
  explain: [
    'explain METHOD PATH: how a request would be treated',
    async () => (await import('./cli/explain.ts')).explain,
  ],
  healthcheck: [
    'one readiness probe of a running sidecar',
    async () => (await import('./cli/healthcheck.ts')).healthcheck,
  ],
  wait: ['return when a sidecar is ready; --timeout 60s', async () => (await import('./cli/wait.ts')).wait],
  shutdown: ['ask a running sidecar to drain and exit', async () => (await import('./cli/shutdown.ts')).shutdown],
}

// Calls that wait for a mint live long. V8 learns from them to make what every call needs in the old generation, where
// the dead keep younger garbage alive until a full collection: a third more processor time for every call after that.
setFlagsFromString('--no-allocation-site-pretenuring')

const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']
/** Commands that end in their own way when one of these signals says so; the others end at once. */
const UNTIL_STOPPED: Readonly<Record<string, readonly NodeJS.Signals[]>> = {
  serve: ENDING, // at SIGHUP it reads its configuration again
  simulate: [...ENDING, 'SIGHUP'],
  demo: [...ENDING, 'SIGHUP'],
}

const usage = (): string =>
  `usage: rdt-sidecar [COMMAND] [OPTIONS]\n\n${Object.entries(COMMANDS)
    .map(([name, [summary]]) => `  ${name.padEnd(13)} ${summary}\n`)
    .join('')}`

const NEEDED = [22, 15] as const // http-proxy-middleware's floor

const tooOld = (): boolean => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])
}

const main = async (argv: readonly string[]): Promise<number> => {
  if (tooOld()) throw new UsageError(`Node.js ${NEEDED.join('.')} or newer is needed; this is ${process.version}`)
  const first = argv[0] ?? 'serve'
  const [name, args] = first.startsWith('--config') ? ['serve', argv] : [first, argv.slice(1)]
  if (['help', '--help', '-h'].includes(name) || args.includes('--help')) {
    process.stdout.write(usage())
    return 0
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) throw new UsageError(`unknown command: ${name}\n\n${usage()}`)
  // Before anything is loaded: as process 1 of a container a signal that nobody listens for is lost.
  const stopped = signalled(UNTIL_STOPPED[name] ?? [])
  if (name === 'serve') {
    if (TALKATIVE.some((section) => debuglog(section).enabled))
      throw new UsageError(`NODE_DEBUG: Node would print tokens that are sent; take ${TALKATIVE.join(', ')} out of it`)
    process.on('SIGHUP', () => {}) // there is nothing to read again yet
    process.umask(0o007) // a Unix socket must not be anybody's, not even until it has its mode
  }
  const run = await command[1]()
  return run(ioOf([...args], stopped))
}

const signalled = (signals: readonly NodeJS.Signals[]): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve())
  })

const ioOf = (args: string[], stopped: Promise<void>): Io => ({
  args,
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: process.stdout.isTTY === true,
  nodeVersion: process.version,
  stopped,
  onHangup: (listener) => void process.on('SIGHUP', listener),
  onExit: (listener) => void process.on('exit', listener),
})

const isUsage = (error: unknown): boolean =>
  error instanceof UsageError || String((error as NodeJS.ErrnoException)?.code).startsWith('ERR_PARSE_ARGS')

// Node would print the error's message, and whatever hangs on it.
process.on('uncaughtException', (error) => {
  process.stderr.write(`a bug: ${bugIn(error)}\n`)
  process.exit(1)
})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = isUsage(error) ? 2 : 1
}
