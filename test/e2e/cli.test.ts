import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Status } from '../../src/admin/status.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { LogEntry } from '../../src/simulator/types.ts'
import { FREE, lwaToken, printed, run, serving, simulating, start } from '../support/cli.ts'
import { until } from '../support/many.ts'

const FIXTURES = path.join(import.meta.dirname, '../fixtures')
test('serve is the default command; SIGTERM drains and exits 0', async (t) => {
  const running = start(t, [], FREE)
  await printed(running, /"msg":"serving"/)
  running.child.kill('SIGTERM')
  const { code, out } = await running.finished
  assert.equal(code, 0)
  assert.match(out, /"msg":"draining"[\s\S]*"msg":"stopped"/)
})

test('a call in flight at SIGTERM is finished before the exit', async (t) => {
  const url = await simulating(t)
  await fetch(`${url}/_simulator/control`, { method: 'POST', body: JSON.stringify({ latencyMs: { call: 500 } }) })
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: url })
  const call = fetch(`${sidecar.base}/sellers/v1/marketplaceParticipations`, {
    headers: { 'x-amz-access-token': await lwaToken(url) },
  })
  await new Promise((resolve) => setTimeout(resolve, 200))
  sidecar.child.kill('SIGTERM')
  assert.equal((await call).status, 200)
  assert.equal((await sidecar.finished).code, 0)
})

test('a call that outlasts drain.maxMs is cut, and the exit code says so', async (t) => {
  const url = await simulating(t)
  await fetch(`${url}/_simulator/control`, {
    method: 'POST',
    body: JSON.stringify({ fail: [{ on: 'call', times: 1, as: 'hang' }] }),
  })
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: url, SIDECAR_DRAIN_MAX_MS: '200' })
  const call = fetch(`${sidecar.base}/sellers/v1/marketplaceParticipations`, {
    headers: { 'x-amz-access-token': await lwaToken(url) },
  })
  await new Promise((resolve) => setTimeout(resolve, 200))
  sidecar.child.kill('SIGTERM')
  await assert.rejects(call)
  assert.equal((await sidecar.finished).code, 1)
})

test('a port in use is told in one line, exit 1', async (t) => {
  const first = await serving(t)
  const { code, err } = await run(t, ['serve'], { ...FREE, SIDECAR_ADMIN_PORT: String(first.adminPort) })
  assert.equal(code, 1)
  assert.match(err, /^listen EADDRINUSE: address already in use 127\.0\.0\.1:\d+\n$/)
})

test('check-config: exit 0 for a good configuration, 2 with all problems on stderr for a bad one', async (t) => {
  const good = await run(t, ['check-config', '--config', path.join(FIXTURES, 'config-good.yaml')])
  assert.deepEqual([good.code, good.out, good.err], [0, 'The configuration is good: 32 restricted operations.\n', ''])
  const bad = await run(t, ['check-config'], {
    SIDECAR_CONFIG: path.join(FIXTURES, 'config/row-overlaps.yaml'),
    SIDECAR_TYPO: '1',
  })
  assert.equal(bad.code, 2)
  assert.equal(bad.err.trim().split('\n').length, 2)
  const serve = await run(t, ['serve', '--config', path.join(FIXTURES, 'config/unknown-key.yaml')])
  assert.deepEqual([serve.code, serve.err], [2, 'mint.ratePerSeconds: unknown key\n'])
})

test('print-config prints YAML that serve takes, the same configuration again', async (t) => {
  const environments = [
    { SIDECAR_MINT_BURST: '3' },
    { SIDECAR_LISTENERS: '[{ port: 8081, endpoint: eu }]', SIDECAR_OPERATIONS: '{ orders-v0.getOrder: null }' },
    { SIDECAR_SOCKET_PATH: '/tmp/rdt.sock' },
    { SIDECAR_LISTENERS: '[{ port: 8081, endpoint: eu }, { socketPath: /tmp/rdt.sock, endpoint: eu }]' },
  ]
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'rdt-')), 'printed.yaml')
  t.after(() => rmSync(path.dirname(file), { recursive: true }))
  for (const env of environments) {
    const { code, out } = await run(t, ['print-config'], env)
    assert.equal(code, 0)
    writeFileSync(file, out)
    const [printed, original] = [loadConfig(file, {}), loadConfig(undefined, env)]
    assert.ok(printed.ok && original.ok)
    assert.deepEqual(printed.config, original.config)
  }
})

test('a password of the store is in no output of any command, where it belongs and where it does not', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const passwordFile = path.join(folder, 'password')
  writeFileSync(passwordFile, 'CANARY\n', { mode: 0o600 })
  const key = readFileSync(path.join(FIXTURES, 'secrets/store-key'), 'utf8').trim()
  const file = path.join(folder, 'sidecar.yaml')
  const codes = async (url: string, more: readonly string[][] = []) => {
    writeFileSync(
      file,
      JSON.stringify({ store: { url, passwordFile, keyFile: path.join(FIXTURES, 'secrets/store-key') } }),
    )
    const commands = [['print-config'], ['check-config'], ['explain', 'GET', '/sellers/v1/x'], ...more]
    const ends = await Promise.all(commands.map((args) => run(t, [...args, '--config', file])))
    for (const { out, err } of ends) assert.ok(!/CANARY/.test(out + err) && !(out + err).includes(key), out + err)
    return ends.map(({ code }) => code)
  }
  assert.deepEqual(await codes('rediss://sidecar@127.0.0.1'), [0, 0, 0])
  assert.deepEqual(await codes('rediss://sidecar:CANARY@127.0.0.1', [['serve']]), [2, 2, 2, 2])
  assert.deepEqual(await codes('rediss://127.0.0.1/0?password=CANARY', [['serve']]), [2, 2, 2, 2])
})

test('explain tells operation, resource, data elements and why', async (t) => {
  const json = async (...args: string[]) => JSON.parse((await run(t, ['explain', ...args, '--json'])).out)
  const items = await json('GET', '/orders/v0/orders/902-1/orderItems?x=y')
  assert.equal(items.operation, 'orders-v0.getOrderItems')
  assert.equal(items.resource, 'GET /orders/v0/orders/{orderId}/orderItems')
  assert.equal(items['data elements'], 'buyerInfo')
  const open = await json('GET', '/sellers/v1/x')
  assert.equal(open.restricted, false)
  const unsafe = await json('GET', '/orders/v0/orders%2F1')
  assert.match(unsafe.treated, /unsafe-path/)
  const usage = await run(t, ['explain', 'GET'])
  assert.equal(usage.code, 2)
  assert.match(usage.err, /^usage: explain METHOD PATH/)
})

test('healthcheck: exit 0 against a running sidecar, 1 with a reason where none answers', async (t) => {
  const sidecar = await serving(t)
  const healthy = await run(t, ['healthcheck'], { SIDECAR_ADMIN_PORT: String(sidecar.adminPort) })
  assert.deepEqual([healthy.code, healthy.err], [0, ''])
  sidecar.child.kill('SIGTERM')
  await sidecar.finished
  const gone = await run(t, ['healthcheck'], { SIDECAR_ADMIN_PORT: String(sidecar.adminPort) })
  assert.equal(gone.code, 1)
  assert.match(gone.err, /^not ready: nothing answers at http:\/\/127\.0\.0\.1:\d+\/readyz\n$/)
})

test('bad usage is exit 2 with a line that helps', async (t) => {
  for (const args of [['nonsense'], ['serve', '--verbose'], ['simulate', '--port', '99999'], ['constructor']]) {
    const { code, err, out } = await run(t, args)
    assert.equal(code, 2, args.join(' '))
    assert.ok(err.length > 0 && out === '')
    assert.doesNotMatch(err, /\n {4}at /)
  }
  const help = await run(t, ['--help'])
  assert.equal(help.code, 0)
  for (const command of [
    'serve',
    'simulate',
    'demo',
    'check-config',
    'print-config',
    'explain',
    'healthcheck',
    'wait',
    'shutdown',
  ])
    assert.match(help.out, new RegExp(`^ {2}${command} `, 'm'))
})

test('demo --once: mints fewer than calls, no 429, plain text when piped, and it ends', async (t) => {
  const { code, out, err } = await run(t, ['demo', '--once'])
  assert.equal(code, 0)
  assert.equal(err, '')
  assert.match(
    out,
    /44 restricted calls, 44 of them with personal data in the answer\.\n {2}8 mints at Amazon, 36 saved; 0 answered 429\./,
  )
  assert.match(out, /getOrders {2,}4 {2,}4 200 {2,}2 minted, 2 hit/)
  const [, burst] = /200 orders at once[^\n]*\n {2}(\d+) mints, [^;]*; 0 answered 429; all served/.exec(out) ?? []
  assert.ok(Number(burst) >= 4 && Number(burst) <= 14, out)
  assert.match(out, / calls, 1 waited for a mint; [1-9] mints renewed the RDT/)
  assert.match(out, /46 calls served, 44 of them with personal data; \d+ LWA requests, 8 mints\./)
  assert.match(out, /Without the caller token: 403 untrusted-caller; 0 requests reached Amazon\./)
  assert.match(
    out,
    /\d+ calls with access tokens that live 2 s, 0 failed; [1-9]\d* LWA requests renewed them.*, 0 mints\./,
  )
  assert.match(out, /was rotated, 0 failed; [1-9]\d* LWA requests with the new one, 0 refused, 0 mints\./)
  assert.ok(!out.includes('\u001b'))
  assert.doesNotMatch(out, /Atz|^\{/m) // no token, no log line
  assert.doesNotMatch(out, /browser/)
  assert.equal(new Set(out.match(/127\.0\.0\.1:\d+/g)).size, 2, 'simulator and sidecar, no page')
})

const noCurl = spawnSync('curl', ['--version']).error && !process.env['CI'] ? 'curl is not installed' : false
test('demo stays up, and its curl lines work as printed', { skip: noCurl }, async (t) => {
  const running = start(t, ['demo'])
  await printed(running, /grep \^rdt_/)
  const lines = running.out().replace(/[\s\S]*\n\n {2}LWA=/, '  LWA=')
  const [, tokenFile = ''] = /\$\(cat (\S+)\)/.exec(lines) ?? []
  assert.equal(statSync(tokenFile).mode & 0o777, 0o440)
  const answers = execFileSync('sh', ['-c', lines], { encoding: 'utf8' })
  assert.match(answers, /"AmazonOrderId":"902-1845936-5435001"\}/)
  assert.match(answers, /x-rdt-verdict: hit|x-rdt-verdict: minted/)
  assert.equal(answers.split('"ShippingAddress"').length - 1, 2, 'with an access token, and with a caller token')
  assert.match(answers, /rdt_mint_requests_total/)
  running.child.kill('SIGINT')
  assert.equal((await running.finished).code, 0)
  assert.ok(!existsSync(path.dirname(tokenFile)), 'the caller token is gone')
})

/** The demo when its work is over. */
const demonstrating = async (t: TestContext) => {
  const running = start(t, ['demo'])
  await printed(running, /grep \^rdt_\n/)
  const [, amazon = ''] = await printed(running, /SP-API at (\S+),/)
  const [, page = ''] = await printed(running, /browser: (\S+)\n/)
  const status = async (): Promise<Status> => (await fetch(`${page}status`)).json() as Promise<Status>
  const ended = async (signal: NodeJS.Signals) => {
    const from = performance.now()
    running.child.kill(signal)
    return { ...(await running.finished), ms: performance.now() - from }
  }
  return { running, amazon, page, status, ended }
}

test('demo prints the address of its page before its work and after it, and goes on so that the page has something to show', async (t) => {
  const { running, page, status, ended } = await demonstrating(t)
  const [before = '', after = ''] = running.out().split(/^ +operation .*/m)
  for (const part of [before, after]) assert.deepEqual(part.match(/http:\S+\/(?=\n)/g), [page])
  assert.match(after, /Try it by hand .*\n\n.*in a browser\n {2}http/)
  const answer = await fetch(page)
  assert.equal(answer.status, 200)
  assert.match(await answer.text(), /<title>RDT sidecar<\/title>/)

  const first = await status()
  const callsOf = ({ operations, lookups }: Status) =>
    [operations['orders-v0.getOrderAddress']?.mints, operations['other']?.calls, lookups.hit].map(Number)
  let last = first
  const seconds = () => last.uptimeSeconds - first.uptimeSeconds
  const more = async (): Promise<boolean> => {
    last = await status()
    return seconds() >= 4 && callsOf(last).every((now, i) => now > (callsOf(first)[i] ?? 0))
  }
  await until(more, 30_000)
  assert.ok(last.calls - first.calls <= 2 * seconds() + 4, `${last.calls - first.calls} calls in ${seconds()} s`)
  assert.ok(last.lastHour.mints.some((mints) => Number(mints) > 0))
  const open = last.problems.filter(({ wentWellSince }) => !wentWellSince)
  const role = open.find(({ kind }) => kind === 'mint-refused')
  assert.ok(role && 'cause' in role)
  assert.deepEqual([role.cause, role.operation], ['role', 'shipment-invoicing-v0.getShipmentDetails'])
  assert.match(role.cure, /Seller Central/)

  const { code, out, err, ms } = await ended('SIGTERM')
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /grep \^rdt_\n$/, 'what goes on says nothing')
  assert.ok(ms < 5000, `${ms} ms`)
})

test('demo goes on through answers that break, and ends at a signal in the middle of a call', async (t) => {
  const { amazon, status, ended } = await demonstrating(t)
  const control = (patch: object) =>
    fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(patch) })
  await control({ fail: (['cut', 'reset', 'html', 500] as const).map((as) => ({ on: 'call', times: 1, as })) })
  const { calls } = await status()
  await until(async () => (await status()).calls >= calls + 6)
  await control({ fail: [{ on: 'call', times: 100, as: 'hang' }] })
  const log = async (): Promise<LogEntry[]> => (await fetch(`${amazon}/_simulator/log`)).json() as Promise<LogEntry[]>
  await until(async () => (await log()).at(-1)?.status === 0)
  const { code, err, ms } = await ended('SIGINT')
  assert.deepEqual([code, err], [0, ''])
  assert.ok(ms < 10_000, `${ms} ms: it has not waited for the answer`)
})

test('demo ends at a signal, without finishing its work: a hang-up too', async (t) => {
  const running = start(t, ['demo', '--once'])
  await printed(running, /Simulated SP-API/)
  running.child.kill('SIGHUP')
  const { code, out, err } = await running.finished
  assert.deepEqual([code, err], [0, ''])
  assert.doesNotMatch(out, /Services that hold nothing/)
})
