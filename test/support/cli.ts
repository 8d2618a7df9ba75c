/** The sidecar as a process: the sources run as they are on this Node. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import type { Life } from './life.ts'

const MAIN = path.join(import.meta.dirname, '../../src/main.ts')

export type Finished = { readonly code: number | null; readonly out: string; readonly err: string }
export type Running = {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  readonly finished: Promise<Finished>
}

/** Starts a command with nothing of this process's SIDECAR_* environment; killed when `t` ends. `flags`: Node's own. `main`: another copy. */
export const start = (
  t: Life,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
  main = MAIN,
): Running => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SIDECAR_'))
  const child = spawn(process.execPath, [...flags, main, ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const finished = once(child, 'close').then(([code]) => ({ code, out, err }))
  t.after(() => child.kill('SIGKILL'))
  return { child, out: () => out, err: () => err, finished }
}

export const run = (
  t: TestContext,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<Finished> => start(t, args, env).finished

/** Resolves to the first match of `pattern` in what the process printed so far. */
export const printed = async ({ out, finished }: Running, pattern: RegExp): Promise<RegExpExecArray> => {
  let over = false
  finished.then(() => {
    over = true
  })
  for (;;) {
    const match = pattern.exec(out())
    if (match) return match
    if (over) throw new Error(`it ended without printing ${pattern}: ${out()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** An empty folder for one test. */
export const folderFor = (t: Life): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** For a sidecar on free ports. */
export const FREE = { SIDECAR_PORT: '0', SIDECAR_ADMIN_PORT: '0' }

type Env = Readonly<Record<string, string>>

/** A running `serve` on free ports, when it serves. */
export const serving = (t: TestContext, env: Env = {}, args: readonly string[] = [], flags: readonly string[] = []) =>
  servingWith(t, { ...FREE, ...env }, args, flags)

/** The same with this environment alone. */
export const servingWith = async (
  t: TestContext,
  env: Env,
  args: readonly string[] = [],
  flags: readonly string[] = [],
) => {
  const running = start(t, ['serve', ...args], env, flags)
  const [line] = await printed(running, /^\{.*"msg":"serving".*$/m)
  const { data, admin } = JSON.parse(line) as { data: { port: number }[]; admin: { port: number } }
  return {
    ...running,
    base: `http://127.0.0.1:${data[0]?.port}`,
    admin: `http://127.0.0.1:${admin.port}`,
    adminPort: admin.port,
  }
}

/** A running `simulate`: its address. */
export const simulating = async (t: TestContext): Promise<string> => {
  const [, url = ''] = await printed(start(t, ['simulate', '--port', '0']), /simulator at (\S+):/)
  return url
}

/** A new LWA access token of the simulator at `url`. */
export const lwaToken = async (url: string, seller = 'seller-a'): Promise<string> => {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: `Atzr|${seller}`,
    client_id: 'amzn1.application-oa2-client.test',
    client_secret: 'simulated-secret',
  })
  const answer = (await (await fetch(`${url}/auth/o2/token`, { method: 'POST', body })).json()) as {
    access_token: string
  }
  return answer.access_token
}
