/** The data listener on a Unix socket: what callers get there, and whose file it is. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { callAt } from '../support/caller.ts'
import { FREE, folderFor, lwaToken, printed, run, servingWith, simulating } from '../support/cli.ts'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { startPair } from '../support/pair.ts'

const RESTRICTED = '/orders/v0/orders/902-1845936-5435001/address'
const OPEN = '/sellers/v1/marketplaceParticipations'

/** Elsewhere a full queue looks like nobody. */
const notLinux = process.platform === 'linux' ? false : 'needs Linux'

const socketIn = (t: TestContext): string => path.join(folderFor(t), 'rdt.sock')

/** Environment of a `serve` on a socket. */
const onSocket = (socketPath: string, env: Record<string, string> = {}) => ({
  SIDECAR_SOCKET_PATH: socketPath,
  SIDECAR_ADMIN_PORT: '0',
  ...env,
})

describe('on a Unix socket', () => {
  it('calls with tokens of their own get personal data, by the connection that they keep', async (t) => {
    const socketPath = socketIn(t)
    const { simulator, mints } = await startPair(t, { listeners: (endpoint) => [{ socketPath, endpoint }] })
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const token = { 'x-amz-access-token': simulator.accessToken() }
    const answers = []
    for (const target of [RESTRICTED, RESTRICTED, OPEN])
      answers.push(await callAt({ socketPath, agent }, target, token))
    assert.deepEqual(
      answers.map(({ status, verdict, reused }) => [status, verdict, reused]),
      [
        [200, 'minted', false],
        [200, 'hit', true],
        [200, 'not-restricted', true],
      ],
    )
    assert.equal(mints().length, 1)
  })

  it('calls of managed sellers need no caller token; their Host is nobody’s matter; what was forwarded is refused', async (t) => {
    const socketPath = socketIn(t)
    const env = { SIDECAR_AUTH_CALLER_TOKEN_FILE: 'null' }
    const { calls } = await startManaged(t, { env, listeners: (endpoint) => [{ socketPath, endpoint }] })
    for (const host of ['localhost', 'orders.example', 'sellingpartnerapi-eu.amazon.com'])
      assert.equal((await callAt({ socketPath }, RESTRICTED, { host })).status, 200, host)
    const forwarded = await callAt({ socketPath }, RESTRICTED, { via: '1.1 proxy' })
    assert.deepEqual([forwarded.status, forwarded.error], [400, 'forwarded-call'])
    assert.equal(calls().length, 3)
    assert.ok(calls().every(({ seller, pii }) => seller === 'seller-a' && pii))
  })

  it('a caller token is asked for there too, where one is configured', async (t) => {
    const socketPath = socketIn(t)
    const { calls } = await startManaged(t, { listeners: (endpoint) => [{ socketPath, endpoint }] })
    const without = await callAt({ socketPath }, RESTRICTED)
    assert.deepEqual([without.status, without.error], [403, 'untrusted-caller'])
    assert.equal((await callAt({ socketPath }, RESTRICTED, { 'x-rdt-caller-token': CALLER_TOKEN })).status, 200)
    assert.equal(calls().length, 1)
  })

  it('and on a port beside it: each has its own endpoint', async (t) => {
    const socketPath = socketIn(t)
    const pair = await startPair(t, {
      listeners: (endpoint) => [
        { socketPath, endpoint },
        { port: 0, endpoint },
      ],
    })
    const headers = { 'x-amz-access-token': pair.simulator.accessToken() }
    assert.equal((await callAt({ socketPath }, RESTRICTED, headers)).verdict, 'minted')
    const answer = await fetch(`http://127.0.0.1:${pair.ports[1]}${RESTRICTED}`, { headers })
    assert.deepEqual([answer.status, answer.headers.get('x-rdt-verdict')], [200, 'hit'])
    const { listeners } = (await (await fetch(`${pair.admin}/status`)).json()) as { listeners: object[] }
    assert.deepEqual(listeners, [
      { socketPath, endpoint: pair.amazon },
      { host: '127.0.0.1', port: pair.ports[1], endpoint: pair.amazon },
    ])
  })
})

describe('the file of a Unix socket', () => {
  it('is open to owner and group, also where the umask hides nothing, and gone with the process', async (t) => {
    const socketPath = socketIn(t)
    const amazon = await simulating(t)
    const early = path.join(folderFor(t), 'preload.cjs')
    writeFileSync(early, TELLS_MODE_BEFORE)
    const env = onSocket(socketPath, { SIDECAR_ENDPOINT: amazon, NODE_OPTIONS: `--require ${early}` })
    const sidecar = await servingWith(t, env)
    assert.equal(modeOf(socketPath), '660')
    assert.match(sidecar.err(), /^before: \d\d0\n$/)
    const headers = { 'x-amz-access-token': await lwaToken(amazon) }
    assert.equal((await callAt({ socketPath }, RESTRICTED, headers)).status, 200)

    const [line] = await printed(sidecar, /^\{.*"msg":"serving".*$/m)
    assert.deepEqual(JSON.parse(line).data, [{ socketPath }])
    const admin = { SIDECAR_ADMIN_PORT: String(sidecar.adminPort) }
    for (const command of ['healthcheck', 'wait']) {
      const { code, err } = await run(t, [command], { ...env, ...admin, NODE_OPTIONS: '' })
      assert.deepEqual([code, err], [0, ''])
    }
    assert.equal(await metric(sidecar, 'rdt_insecure_listeners'), 0)
    assert.equal((await run(t, ['shutdown'], { ...env, ...admin, NODE_OPTIONS: '' })).code, 0)
    assert.equal((await sidecar.finished).code, 0)
    assert.equal(existsSync(socketPath), false)
  })

  it('of a process that was killed is replaced', async (t) => {
    const env = onSocket(socketIn(t))
    const killed = await servingWith(t, env)
    killed.child.kill('SIGKILL')
    await killed.finished
    assert.ok(lstatSync(env.SIDECAR_SOCKET_PATH).isSocket())
    await servingWith(t, env)
    const answer = await callAt({ socketPath: env.SIDECAR_SOCKET_PATH }, RESTRICTED)
    assert.deepEqual([answer.status, answer.error], [403, 'missing-token'])
  })

  it('of a process that serves is left to it, and told', async (t) => {
    const env = onSocket(socketIn(t))
    await servingWith(t, env)
    const second = await run(t, ['serve'], env)
    assert.deepEqual([second.code, second.out], [1, ''])
    assert.equal(second.err, `the socket ${env.SIDECAR_SOCKET_PATH} cannot be opened: a process listens on it\n`)
    assert.equal((await callAt({ socketPath: env.SIDECAR_SOCKET_PATH }, RESTRICTED)).status, 403)
  })

  it('of a process too busy to take connections is left to it too', { skip: notLinux }, async (t) => {
    const env = onSocket(socketIn(t))
    const { SIDECAR_SOCKET_PATH: socketPath } = env
    const busy = spawn(process.execPath, ['-e', TAKES_NONE, socketPath])
    t.after(() => busy.kill('SIGKILL'))
    await once(busy.stdout, 'data')
    await fullQueue(t, socketPath)
    const { code, err } = await run(t, ['serve'], env)
    assert.deepEqual([code, err], [1, `the socket ${socketPath} cannot be opened: it is there, and in use (EAGAIN)\n`])
    assert.ok(existsSync(socketPath))
  })

  it('is not put in the place of a file of another kind', async (t) => {
    const env = onSocket(socketIn(t))
    const { SIDECAR_SOCKET_PATH: socketPath } = env
    writeFileSync(socketPath, 'dear to somebody')
    const file = await run(t, ['serve'], env)
    assert.deepEqual([file.code, file.out], [1, ''])
    assert.equal(file.err, `the socket ${socketPath} cannot be opened: there is a file of another kind\n`)
    assert.equal(readFileSync(socketPath, 'utf8'), 'dear to somebody')
    const folder = path.join(path.dirname(socketPath), 'folder')
    mkdirSync(folder)
    assert.match((await run(t, ['serve'], onSocket(folder))).err, /there is a file of another kind\n$/)
  })

  it('needs its folder', async (t) => {
    const socketPath = path.join(folderFor(t), 'nowhere/rdt.sock')
    const { code, err } = await run(t, ['serve'], onSocket(socketPath))
    assert.deepEqual([code, err], [1, `the socket ${socketPath} cannot be opened: its folder is not there\n`])
  })

  it('is gone as soon as a drain begins, so that the next process can have it; calls in flight are finished', async (t) => {
    const socketPath = socketIn(t)
    const amazon = await simulating(t)
    await fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify({ latencyMs: { call: 3000 } }) })
    const env = onSocket(socketPath, { SIDECAR_ENDPOINT: amazon })
    const sidecar = await servingWith(t, env)
    const headers = { 'x-amz-access-token': await lwaToken(amazon) }
    const call = callAt({ socketPath }, OPEN, headers)
    await until(async () => (await metric(sidecar, 'rdt_http_requests_in_flight')) === 1)
    sidecar.child.kill('SIGTERM')
    await until(() => !existsSync(socketPath))
    await servingWith(t, env)
    assert.equal((await call).status, 200)
    assert.equal((await sidecar.finished).code, 0)
    assert.equal((await callAt({ socketPath }, OPEN, headers)).status, 200) // the next one's file is still there
  })
})

describe('commands and a Unix socket', () => {
  it('check-config takes it; a port beside it, or a path too long, is a mistake', async (t) => {
    const socketPath = socketIn(t)
    const good = await run(t, ['check-config'], onSocket(socketPath))
    assert.deepEqual([good.code, good.err], [0, ''])
    const both = await run(t, ['serve'], { ...onSocket(socketPath), ...FREE })
    assert.deepEqual([both.code, both.err], [2, 'port: is set, and socketPath too: set one of them\n'])
    const long = await run(t, ['check-config'], onSocket(`/tmp/${'x'.repeat(100)}`))
    assert.deepEqual([long.code, long.err], [2, 'socketPath: must be shorter: systems take about 100 bytes\n'])
    assert.match(
      (await run(t, ['print-config'], onSocket(socketPath))).out,
      new RegExp(`^socketPath: ${socketPath}$`, 'm'),
    )
  })
})

const modeOf = (file: string): string => (lstatSync(file).mode & 0o777).toString(8)

/** Says on stderr which mode the socket has before it is given one; begins with a umask that hides nothing. */
const TELLS_MODE_BEFORE = `
process.umask(0)
const fs = require('node:fs')
const { chmodSync } = fs
fs.chmodSync = (file, mode) => {
  fs.writeSync(2, 'before: ' + (fs.lstatSync(file).mode & 0o777).toString(8) + '\\n')
  chmodSync(file, mode)
}
require('node:module').syncBuiltinESMExports()
`

/** Listens, and does nothing more. */
const TAKES_NONE = `
require('node:net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
  require('node:fs').writeSync(1, 'listening\\n')
  for (;;);
})
`

/** Connects until no more connections are taken. */
const fullQueue = async (t: TestContext, socketPath: string): Promise<void> => {
  for (;;) {
    const socket = connect(socketPath)
    t.after(() => socket.destroy())
    const code = await new Promise((resolve) => {
      socket.once('connect', () => resolve(undefined))
      socket.once('error', ({ code: of }: NodeJS.ErrnoException) => resolve(of))
    })
    if (code === 'EAGAIN') return
  }
}
