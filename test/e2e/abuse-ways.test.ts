/** Where a call can get by what its caller writes: to the endpoint that is configured, and nowhere else. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ADDRESS, ORDER, ownMint } from '../support/abuse.ts'
import { folderFor } from '../support/cli.ts'
import { listen } from '../support/listen.ts'
import { CALLER_TOKEN, CLIENT_ID, callerRow, startManaged } from '../support/managed.ts'
import { startPair, verdictOf } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'
import { recordingUpstream, valuesOf } from '../support/recording-upstream.ts'
import { MINT_PATH } from '../support/simulator-client.ts'
import { readAnswer } from '../support/wire.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'
const PROOF = `x-rdt-caller-token: ${CALLER_TOKEN}`

test('the admin listener is not reached through the data listener: nothing is flushed, shown or stopped', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken('victim')
  await (await pair.call(ADDRESS, token)).arrayBuffer()
  const adminHost = new URL(pair.admin).host
  for (const start of [
    'POST /flush',
    'POST /flush?operation=other',
    'POST /shutdown',
    'GET /metrics',
    'GET /status',
    'GET /readyz',
  ])
    for (const line of [start, start.replace('/', `${pair.admin}/`), start.replace('/', `//${adminHost}/`)]) {
      const answer = await exchange(pair.port, `${line} HTTP/1.1\r\nHost: ${adminHost}\r\nConnection: close\r\n\r\n`)
      assert.ok(readAnswer(answer).status >= 400, line)
      assert.doesNotMatch(answer, /rdt_|flushed|draining|uptime|ready/, line)
    }
  assert.equal(verdictOf(await pair.call(ADDRESS, token)), 'hit')
  assert.equal((await fetch(`${pair.admin}/readyz`)).status, 200)
})

/** A server of an abuser's own, and how many have connected to it. */
const startEvil = async (t: TestContext) => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  const port = await listen(server)
  t.after(() => void server.close())
  return { host: `127.0.0.1:${port}`, connections: () => connections }
}

test('no host but the configured one is connected to, and no access token of a managed seller goes elsewhere, whatever the call names', async (t) => {
  const evil = await startEvil(t)
  const upstream = await recordingUpstream(t)
  const pair = await startManaged(t, { endpoint: upstream.url })
  const named = [
    ...['Host', 'X-Forwarded-Host', 'X-Host', 'Location', 'Referer', 'Destination', 'X-Rdt-Endpoint', 'X-Rdt-Target'],
    ...['X-Original-Url', 'X-Rewrite-Url', 'Proxy', 'X-Rdt-Lwa-Endpoint', 'X-Amz-Endpoint', 'Alt-Used', ':authority'],
  ].map((name) => `${name}: ${evil.host}`)
  const targets = [
    ...[
      `http://${evil.host}${OPEN}`,
      `//${evil.host}${OPEN}`,
      `@${evil.host}${OPEN}`,
      `/@${evil.host}/`,
      `\\\\${evil.host}\\`,
    ],
    ...[
      `/%2f${evil.host}/`,
      `/http://${evil.host}/`,
      `${OPEN}?url=http://${evil.host}/`,
      `${OPEN}#@${evil.host}/`,
      `*`,
    ],
  ]
  const send = (target: string, header: string, method = 'GET') =>
    exchange(
      pair.port,
      `${method} ${target} HTTP/1.1\r\n${header.startsWith('Host') ? '' : 'Host: 127.0.0.1\r\n'}${header}\r\n${PROOF}\r\nConnection: close\r\n\r\n`,
    )
  for (const target of [OPEN, ADDRESS]) for (const header of named) await send(target, header)
  for (const target of targets) for (const method of ['GET', 'OPTIONS']) await send(target, 'x: y', method)
  await send(evil.host, 'x: y', 'CONNECT')
  assert.equal(evil.connections(), 0)
  assert.ok(upstream.calls.length >= 20, `${upstream.calls.length} calls went out`)
  for (const call of upstream.calls) {
    assert.deepEqual(valuesOf(call, 'host'), [new URL(upstream.url).host], call.target)
    assert.equal(valuesOf(call, 'x-amz-access-token').length, 1)
  }
})

test('a caller with a list of operations does not get another by a header that says so', async (t) => {
  const operations = ['GET /sellers/v1/marketplaceParticipations', 'orders-v0.getOrderAddress']
  const limited = callerRow(folderFor(t), 'limited', { operations })
  const upstream = await recordingUpstream(t)
  const env = { SIDECAR_AUTH_CALLERS: JSON.stringify([limited.row]) }
  const pair = await startManaged(t, { endpoint: upstream.url, env })
  const as = async (token: string, header: Record<string, string>) => {
    const headers = { 'x-rdt-caller-token': token, ...header }
    const answers = [await pair.call(OPEN, undefined, { headers }), await pair.call(ADDRESS, undefined, { headers })]
    return answers.map(({ status, headers: got }) => `${status} ${got.get('x-rdt-error')}`)
  }
  const [TAKEN, DENIED] = ['200 null', '403 operation-not-allowed']
  assert.deepEqual(await as(limited.token, {}), [TAKEN, TAKEN])
  const overrides = [
    'x-http-method-override',
    'X-HTTP-Method',
    'x-method-override',
    'x_http_method_override',
    'x-original-url',
    'X-Rewrite-URL',
  ]
  for (const name of overrides) {
    assert.deepEqual(await as(limited.token, { [name]: 'DELETE' }), [DENIED, DENIED], name)
    assert.deepEqual(await as(CALLER_TOKEN, { [name]: 'DELETE' }), [TAKEN, TAKEN], name) // may do everything anyway
  }
})

test('what one caller of a seller has refused by what it asks for is not refused to the seller’s other callers', async (t) => {
  const greedy = callerRow(folderFor(t), 'greedy')
  const pair = await startManaged(t, { env: { SIDECAR_AUTH_CALLERS: JSON.stringify([greedy.row]) } })
  pair.simulator.control({ denyElements: ['buyerTaxInformation'] })
  const strange = [
    { 'x-rdt-target-application': CLIENT_ID },
    { 'x-rdt-data-elements': 'buyerTaxInformation' },
    { 'x-rdt-data-elements': 'buyerInfo,buyerTaxInformation', 'x-rdt-scope': 'specific' },
  ]
  for (const headers of strange)
    for (const [target, init] of [
      [ORDER, {}],
      [MINT_PATH, ownMint(`${ORDER}/../x`)],
    ] as const)
      await pair.call(target, undefined, {
        ...init,
        headers: { ...init.headers, ...headers, 'x-rdt-caller-token': greedy.token },
      })
  assert.ok(pair.mints().filter(({ status }) => status === 400).length >= 4)
  assert.equal(verdictOf(await pair.ask(ORDER)), 'minted')
  assert.equal(verdictOf(await pair.ask(MINT_PATH, undefined, ownMint(ORDER))), 'minted')
})
