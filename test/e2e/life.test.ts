import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { FREE, folderFor, lwaToken, run, serving, simulating, start } from '../support/cli.ts'
import { listen } from '../support/listen.ts'
import { after, until } from '../support/many.ts'
import { closedPort, exchange } from '../support/raw.ts'

const control = (url: string, patch: object) =>
  fetch(`${url}/_simulator/control`, { method: 'POST', body: JSON.stringify(patch) })

/** A sidecar as a process with a call in flight that Amazon answers after `latencyMs`. */
const busy = async (t: TestContext, latencyMs: number, env: Record<string, string> = {}) => {
  const url = await simulating(t)
  const token = await lwaToken(url)
  await control(url, { latencyMs: { call: latencyMs } })
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: url, ...env })
  const call = fetch(`${sidecar.base}/sellers/v1/marketplaceParticipations`, {
    headers: { 'x-amz-access-token': token },
  })
  call.catch(() => {})
  await inFlight(sidecar.admin)
  return { ...sidecar, call }
}
const inFlight = (admin: string, calls = 1): Promise<void> =>
  until(async () =>
    (await (await fetch(`${admin}/metrics`)).text()).includes(`\nrdt_http_requests_in_flight ${calls}\n`),
  )
const statusOf = async (url: string): Promise<number> => (await fetch(url)).status

test('while it drains it is live, not ready, soon takes no new connection, and finishes what is in flight', async (t) => {
  const sidecar = await busy(t, 3000)
  assert.equal(await statusOf(`${sidecar.admin}/readyz`), 200)
  sidecar.child.kill('SIGTERM')
  await until(async () => (await statusOf(`${sidecar.admin}/readyz`)) === 503)
  assert.equal(await statusOf(`${sidecar.admin}/livez`), 200)
  const refused = () =>
    fetch(`${sidecar.base}/sellers/v1/x`).then(
      () => false,
      () => true,
    )
  await until(refused)
  assert.equal((await sidecar.call).status, 200)
  assert.equal((await sidecar.finished).code, 0)
})

test('idle keep-alive connections are closed after a moment, while a call is still in flight', async (t) => {
  const sidecar = await busy(t, 3000)
  const agent = new Agent({ keepAlive: true })
  const answer = await once(get(`${sidecar.base}/orders/v0/orders`, { agent }), 'response')
  answer[0].resume()
  await once(answer[0], 'end')
  assert.equal(Object.keys(agent.freeSockets).length, 1)
  sidecar.child.kill('SIGTERM')
  await until(() => Object.keys(agent.freeSockets).length === 0)
  await inFlight(sidecar.admin)
  assert.equal((await sidecar.finished).code, 0)
})

test('a call that comes when it has just begun to drain is told to call again: on an idle connection, and on a new one', async (t) => {
  const sidecar = await busy(t, 4000, { SIDECAR_DRAIN_LAME_DUCK_MS: '3000' })
  const agent = new Agent({ keepAlive: true })
  const ask = async () => {
    const [answer] = await once(get(`${sidecar.base}/orders/v0/orders`, { agent }), 'response')
    await once(answer.resume(), 'end')
    return answer
  }
  await ask()
  sidecar.child.kill('SIGTERM')
  await until(async () => (await statusOf(`${sidecar.admin}/readyz`)) === 503)
  await after(200)
  for (const connection of ['idle', 'new']) {
    const { statusCode, headers } = await ask()
    assert.deepEqual([statusCode, headers['x-rdt-error'], headers.connection], [503, 'draining', 'close'], connection)
  }
  assert.equal((await sidecar.call).status, 200)
  assert.equal((await sidecar.finished).code, 0)
})

test('a connection on which nothing was ever sent holds nothing up either', async (t) => {
  const sidecar = await serving(t, { SIDECAR_DRAIN_MAX_MS: '60000' })
  const socket = connect(Number(new URL(sidecar.base).port), '127.0.0.1')
  await once(socket, 'connect')
  sidecar.child.kill('SIGTERM')
  await once(socket.resume(), 'close')
  assert.equal((await sidecar.finished).code, 0)
})

test('a mint that nobody waits for any more does not hold up the exit', async (t) => {
  const url = await simulating(t)
  const token = await lwaToken(url)
  await control(url, { fail: [{ on: 'mint', times: 1, as: 'hang' }] })
  const sidecar = await serving(t, {
    SIDECAR_ENDPOINT: url,
    SIDECAR_MINT_TIMEOUT_MS: '600000',
    SIDECAR_DRAIN_MAX_MS: '100',
  })
  const call = fetch(`${sidecar.base}/orders/v0/orders`, { headers: { 'x-amz-access-token': token } })
  call.catch(() => {})
  await until(async () => ((await (await fetch(`${url}/_simulator/log`)).json()) as unknown[]).length > 1)
  sidecar.child.kill('SIGTERM')
  assert.equal((await sidecar.finished).code, 1) // the caller was cut
})

test('shutdown asks a running sidecar to drain: the call in flight is finished, and it exits 0', async (t) => {
  const sidecar = await busy(t, 1500)
  const asked = await run(t, ['shutdown'], { SIDECAR_ADMIN_PORT: String(sidecar.adminPort) })
  assert.deepEqual([asked.code, asked.out, asked.err], [0, '', ''])
  assert.equal((await sidecar.call).status, 200)
  const { code, out } = await sidecar.finished
  assert.equal(code, 0)
  assert.match(out, /"event":"admin","action":"shutdown","peer":"127\.0\.0\.1","status":202/)
})

test('shutdown says so where nobody answers', async (t) => {
  const port = new URL(await closedPort()).port
  const { code, err } = await run(t, ['shutdown'], { SIDECAR_ADMIN_PORT: port })
  assert.deepEqual([code, err], [1, `not asked to stop: nothing answers at http://127.0.0.1:${port}/shutdown\n`])
})

test('wait returns when the sidecar is ready, which starts after it', async (t) => {
  const { port } = new URL(await closedPort())
  const waiting = start(t, ['wait', '--timeout', '2m'], { SIDECAR_ADMIN_PORT: port })
  await after(300)
  assert.equal(waiting.child.exitCode, null)
  await serving(t, { SIDECAR_ADMIN_PORT: port })
  const { code, err } = await waiting.finished
  assert.deepEqual([code, err], [0, ''])
})

test('wait gives up at --timeout, and says what it saw', async (t) => {
  const { port } = new URL(await closedPort())
  const alone = await run(t, ['wait', '--timeout', '300ms'], { SIDECAR_ADMIN_PORT: port })
  const nobody = `not ready within 300ms: nothing answers at http://127.0.0.1:${port}/readyz\n`
  assert.deepEqual([alone.code, alone.err], [1, nobody])
  const sidecar = await busy(t, 5000)
  sidecar.child.kill('SIGTERM')
  await until(async () => (await statusOf(`${sidecar.admin}/readyz`)) === 503)
  const draining = await run(t, ['wait', '--timeout', '0'], { SIDECAR_ADMIN_PORT: String(sidecar.adminPort) })
  assert.equal(draining.code, 1)
  assert.match(draining.err, /^not ready within 0: http:\S+\/readyz answered 503\n$/)
  const wrong = await run(t, ['wait', '--timeout', 'soon'])
  assert.deepEqual([wrong.code, wrong.err], [2, '--timeout must be a time such as 60s, 500ms or 2m\n'])
})

test('it is ready only once all its listeners are open: one that cannot be had ends it', async (t) => {
  const taken = createServer()
  const port = await listen(taken)
  t.after(() => taken.close())
  const { code, out, err } = await run(t, ['serve'], { ...FREE, SIDECAR_PORT: String(port) })
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /EADDRINUSE/)
})

test('a second signal ends it at once', async (t) => {
  const sidecar = await busy(t, 60_000)
  sidecar.child.kill('SIGTERM')
  await until(async () => (await statusOf(`${sidecar.admin}/readyz`)) === 503)
  sidecar.child.kill('SIGTERM')
  assert.equal((await sidecar.finished).code, null)
  assert.equal(sidecar.child.signalCode, 'SIGTERM')
})

test('a keep-alive connection in use is told to close with its answer', async (t) => {
  const url = await simulating(t)
  await control(url, { latencyMs: { call: 1500 } })
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: url })
  const head = `GET /sellers/v1/x HTTP/1.1\r\nhost: x\r\nx-amz-access-token: ${await lwaToken(url)}\r\n\r\n`
  const call = exchange(Number(new URL(sidecar.base).port), head, { ms: 20_000 })
  await inFlight(sidecar.admin)
  sidecar.child.kill('SIGTERM')
  assert.match(await call, /^HTTP\/1\.1 \d+ [\s\S]*\r\nconnection: close\r\n/i)
  assert.equal((await sidecar.finished).code, 0)
})

test('calls that were sent ahead on one connection are all answered', async (t) => {
  const url = await simulating(t)
  await control(url, { latencyMs: { call: 1500 } })
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: url })
  const head = `GET /sellers/v1/x HTTP/1.1\r\nhost: x\r\nx-amz-access-token: ${await lwaToken(url)}\r\n\r\n`
  const calls = exchange(Number(new URL(sidecar.base).port), head + head, { ms: 20_000 })
  await inFlight(sidecar.admin, 2)
  sidecar.child.kill('SIGTERM')
  assert.equal((await calls).match(/HTTP\/1\.1 /g)?.length, 2)
  assert.equal((await sidecar.finished).code, 0)
})

test('healthcheck works on any port, also on those that fetch refuses to call', async (t) => {
  const sidecar = await serving(t, { SIDECAR_ADMIN_PORT: '6697' })
  assert.equal((await run(t, ['healthcheck'], { SIDECAR_ADMIN_PORT: String(sidecar.adminPort) })).code, 0)
})

test('it listens for signals before it does anything else: one that comes while it starts is not lost', async (t) => {
  const sendsItself = `process.on('newListener', (name) => {
    if (name !== 'SIGTERM') return
    const loaded = process.moduleLoadList.some((one) => one.endsWith('_http_server'))
    require('fs').writeSync(1, loaded ? 'late\\n' : 'early\\n')
    process.nextTick(() => process.kill(process.pid, 'SIGTERM'))
  })`
  const preload = path.join(folderFor(t), 'preload.cjs')
  writeFileSync(preload, sendsItself)
  const { code, out } = await run(t, ['serve'], { ...FREE, NODE_OPTIONS: `--require ${preload}` })
  assert.equal(code, 0)
  assert.match(out, /^early\n[\s\S]*"msg":"serving"[\s\S]*"msg":"stopped"/)
})
