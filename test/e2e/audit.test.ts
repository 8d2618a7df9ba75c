import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import { setImmediate as immediate } from 'node:timers/promises'
import { createLogger } from '../../src/telemetry/logger.ts'
import { folderFor } from '../support/cli.ts'
import { listen } from '../support/listen.ts'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type Pair, startPair } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'

type Line = Readonly<Record<string, unknown>> & { readonly event?: string; readonly msg?: string }
const linesOf = (pair: Pair): readonly Line[] => pair.lines.map((line) => JSON.parse(line))
const audited = (pair: Pair, event?: string): readonly Line[] =>
  linesOf(pair).filter((line) => line['log'] === 'audit' && (event === undefined || line.event === event))
const callsOf = (pair: Pair): readonly Line[] => linesOf(pair).filter(({ msg }) => msg === 'call')
/** When `count` calls have ended: a call is told when its response is closed, a moment after the caller has all of it. */
const ended = async (pair: Pair, count: number): Promise<void> => {
  await until(() => callsOf(pair).length === count)
}
const HASH = /^[0-9a-f]{8}$/

test('one line a request: route, method, status, verdict, durations, Amazon’s request id, who', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { call: 50, mint: 100 } })
  const restricted = await pair.call('/orders/v0/orders/1/address?x=y', token)
  const open = await pair.call('/sellers/v1/marketplaceParticipations', token)
  await pair.call('/orders/v0/orders/1%2F2', token)
  await ended(pair, 3)
  const [first, second, third] = callsOf(pair) as [Line, Line, Line]
  const requestId = (answer: Response) => answer.headers.get('x-amzn-requestid') ?? 'none'
  const { ms, waitMs, overheadMs, upstreamMs, credential, time, ...rest } = first
  assert.deepEqual(rest, {
    level: 'info',
    route: 'orders-v0.getOrderAddress',
    method: 'GET',
    status: 200,
    verdict: 'minted',
    requestId: requestId(restricted),
    msg: 'call',
  })
  assert.match(String(credential), HASH)
  assert.ok(Number(waitMs) >= 95 && Number(upstreamMs) >= 45 && Number(overheadMs) >= 0, JSON.stringify(first))
  assert.ok(Number(ms) >= Number(waitMs) + Number(upstreamMs) - 1, JSON.stringify(first))
  assert.ok(!Number.isNaN(Date.parse(String(time))))
  assert.deepEqual(
    [second['route'], second['verdict'], second['requestId'], second['credential'], second['waitMs']],
    ['other', 'not-restricted', requestId(open), credential, 0],
  )
  assert.deepEqual(
    [third['verdict'], third['reason'], third['credential'], third['upstreamMs'], third['requestId']],
    ['rejected', 'unsafe-path', credential, undefined, undefined],
  )
})

test('the audit stream tells each mint and each swap, and agrees with the log of the simulator', async (t) => {
  const pair = await startPair(t)
  const [a, b] = [pair.simulator.accessToken('seller-a'), pair.simulator.accessToken('seller-b')]
  for (const token of [a, a, b]) await (await pair.call('/orders/v0/orders/1/orderItems', token)).text()
  await (await pair.call('/orders/v0/orders', a, { headers: { 'x-rdt-data-elements': 'buyerInfo' } })).text()
  await (await pair.call('/sellers/v1/marketplaceParticipations', a)).text()
  await ended(pair, 5)
  const mints = audited(pair, 'mint')
  assert.equal(mints.length, pair.mints().length)
  const items = { operation: 'orders-v0.getOrderItems', dataElements: ['buyerInfo'], scope: 'generic', count: 1 }
  const orders = { operation: 'orders-v0.getOrders', dataElements: ['buyerInfo'], scope: 'specific', count: 1 }
  assert.deepEqual(
    mints.map(({ resources, trigger, outcome, delegated }) => ({ resources, trigger, outcome, delegated })),
    [items, items, orders].map((one) => ({
      resources: [one],
      trigger: 'miss',
      outcome: 'success',
      delegated: false,
    })),
  )
  for (const { requestId } of mints) assert.match(String(requestId), /^[0-9a-f-]{36}$/)
  const swaps = audited(pair, 'swap')
  assert.deepEqual(
    swaps.map(({ resources, outcome, status, method }) => [resources, outcome, status, method]),
    [
      [[items], 'minted', 200, 'GET'],
      [[items], 'hit', 200, 'GET'],
      [[items], 'minted', 200, 'GET'],
      [[orders], 'minted', 200, 'GET'],
    ],
  )
  const [first, second, third] = swaps.map(({ credential }) => String(credential))
  assert.match(first ?? '', HASH)
  assert.ok(first === second && first !== third)
  assert.deepEqual(
    mints.map(({ credential }) => credential),
    [first, third, first],
  )
  assert.deepEqual(
    swaps.map(({ requestId }) => requestId),
    callsOf(pair)
      .slice(0, 4)
      .map(({ requestId }) => requestId),
  )
})

test('refusals, ours and Amazon’s, calls without a swap and RDTs handed out are told apart', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const call = async (target: string, init: RequestInit = {}) => (await pair.call(target, token, init)).text()
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  await call('/mfn/v0/shipments/S1')
  await call('/orders/v0/orders/1', { headers: { 'x-rdt-mode': 'skip' } })
  await call('/tokens/2021-03-01/restrictedDataToken', {
    method: 'POST',
    body: JSON.stringify({
      restrictedResources: [
        { method: 'GET', path: '/orders/v0/orders/1/address' },
        { method: 'GET', path: '/orders/v0/orders/2/address' },
      ],
    }),
  })
  await (await pair.call('/orders/v0/orders/1')).text()
  await call('/sellers/v1/x', { headers: { 'x-rdt-scope': 'all' } })
  await ended(pair, 5)
  assert.deepEqual(
    audited(pair)
      .filter(({ event }) => event !== 'mint' && event !== 'configuration')
      .map(({ event, operation, outcome, status }) => [event, operation, outcome, status]),
    [
      ['refusal', 'mfn-v0.getShipment', 'rejected;mint-refused', 400],
      ['pass', 'orders-v0.getOrder', 'skipped;header', 200],
      ['hand-out', 'other', 'minted', 200],
      ['refusal', 'orders-v0.getOrder', 'rejected;missing-token', 403],
      ['refusal', 'other', 'rejected;invalid-header', 400],
    ],
  )
  const shipment = { operation: 'mfn-v0.getShipment', scope: 'generic', count: 1 }
  assert.deepEqual(audited(pair, 'refusal')[0]?.['resources'], [shipment])
  const [handOut] = audited(pair, 'hand-out')
  assert.deepEqual(handOut?.['resources'], [{ operation: 'orders-v0.getOrderAddress', scope: 'specific', count: 2 }])
  const refusedMint = audited(pair, 'mint').find(({ outcome }) => outcome === 'refused')
  const amazons = pair.mints().find(({ status }) => status === 400)
  assert.deepEqual([refusedMint?.['status'], refusedMint?.['code']], [amazons?.status, 'InvalidInput'])
  assert.match(String(refusedMint?.['requestId']), /^[0-9a-f-]{36}$/)
})

test('the data elements of a swap are those its RDT has, not those asked for', async (t) => {
  const pair = await startPair(t, {
    env: { SIDECAR_RDT_ON_REFUSED_ELEMENTS: 'drop', SIDECAR_RDT_DATA_ELEMENTS: '[buyerInfo, buyerTaxInformation]' },
  })
  const token = pair.simulator.accessToken()
  pair.simulator.control({ denyElements: ['buyerTaxInformation'] })
  await (await pair.call('/orders/v0/orders/1', token)).text()
  await ended(pair, 1)
  const [swap] = audited(pair, 'swap')
  assert.deepEqual(swap?.['resources'], [
    { operation: 'orders-v0.getOrder', dataElements: ['buyerInfo'], scope: 'generic', count: 1 },
  ])
})

test('a call that was forced to an RDT and got none is told as passed, though no operation is known', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
  pair.simulator.control({ fail: [{ on: 'mint', times: 3, as: 503 }] })
  const headers = { 'x-rdt-mode': 'force' }
  await pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken(), { headers })
  await ended(pair, 1)
  const [pass] = audited(pair, 'pass')
  assert.deepEqual(
    [pass?.['operation'], pass?.['outcome'], pass?.['resources']],
    ['other', 'fallback;mint-unavailable', [{ operation: 'other', scope: 'specific', count: 1 }]],
  )
})

test('Amazon’s words are told only where they are what they should be', async (t) => {
  const server = createServer((req, res) => {
    req.resume()
    const headers = { 'x-amzn-requestid': 'xAtza|CANARY', 'content-type': 'application/json' }
    const error = { code: 'no such order CANARY', message: 'CANARY', details: 'CANARY' }
    if (req.url?.startsWith('/tokens')) res.writeHead(400, headers).end(JSON.stringify({ errors: [error] }))
    else res.writeHead(200, { 'x-amzn-requestid': 'CANARY'.repeat(20) }).end('{}')
  })
  const port = await listen(server)
  t.after(() => void server.close())
  const pair = await startPair(t, { endpoint: `http://127.0.0.1:${port}` })
  for (const target of ['/orders/v0/orders/1', '/sellers/v1/x']) await (await pair.call(target, 'Atza|a')).text()
  await ended(pair, 2)
  assert.equal(audited(pair, 'mint')[0]?.['code'], 'other')
  assert.doesNotMatch(pair.lines.join(), /CANARY/)
  assert.doesNotMatch(await (await fetch(`${pair.admin}/status`)).text(), /CANARY/)
})

test('a caller’s own mint is told however it goes to Amazon', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const body = JSON.stringify({ restrictedResources: [{ method: 'GET', path: '/orders/v0/orders/1/address' }] })
  const mint = (init: RequestInit) =>
    pair.call('/tokens/2021-03-01/restrictedDataToken', token, {
      method: 'POST',
      body,
      ...init,
      headers: { 'content-type': 'application/json', ...init.headers },
    })
  const answers = [await mint({ headers: { 'x-rdt-mode': 'skip' } }), await mint({ body: '{}' })]
  for (const answer of answers) await answer.text()
  pair.simulator.control({ fail: [{ on: 'mint', times: 1, as: 'hang' }] })
  const abort = new AbortController()
  const left = mint({ headers: { 'x-rdt-mode': 'skip' }, signal: abort.signal })
  await until(() => pair.mints().length === 3)
  abort.abort()
  await assert.rejects(left)
  await ended(pair, 3)
  assert.deepEqual(
    audited(pair, 'mint').map(({ trigger, outcome, requestId }) => [trigger, outcome, requestId]),
    [
      ['caller', 'success', answers[0]?.headers.get('x-amzn-requestid')],
      ['caller', 'refused', answers[1]?.headers.get('x-amzn-requestid')],
      ['caller', 'abandoned', undefined],
    ],
  )
  assert.equal(await metric(pair, 'rdt_mint_requests_total{outcome="network",trigger="caller"}'), 0)
})

test('bytes that are no request are told as a refusal', async (t) => {
  const pair = await startPair(t)
  await exchange(pair.port, 'GET /orders/v0/orders HTTP/1.1\r\nbad header\r\n\r\n')
  await until(() => audited(pair, 'refusal').length === 1)
})

test('what operators do is told: flush, status, a wrong path; probes and scrapes are not', async (t) => {
  const pair = await startPair(t)
  for (const page of ['/livez', '/readyz', '/metrics', '/status', '/config?CANARY']) await fetch(pair.admin + page)
  await fetch(`${pair.admin}/flush`, { method: 'POST' })
  await fetch(`${pair.admin}/flush?operation=CANARY`, { method: 'POST' })
  await until(() => audited(pair, 'admin').length === 4)
  const peer = '127.0.0.1'
  assert.deepEqual(
    audited(pair, 'admin').map(({ action, peer, status }) => ({ action, peer, status })),
    [
      { action: 'status', peer, status: 200 },
      { action: 'unknown', peer, status: 404 },
      { action: 'flush', peer, status: 200 },
      { action: 'flush', peer, status: 400 },
    ],
  )
  assert.deepEqual(
    audited(pair, 'flush').map(({ operation, rdts }) => [operation, rdts]),
    [['all', 0]],
  )
  assert.deepEqual(
    audited(pair, 'configuration').map(({ by, outcome, changed }) => [by, outcome, changed]),
    [['start', 'in force', []]],
  )
  assert.doesNotMatch(pair.lines.join(), /CANARY/)
})

test('the audit stream does not ask for the log’s level, and log.audit turns it off', async (t) => {
  for (const audit of [true, false]) {
    const written: string[] = []
    const logger = createLogger({ level: 'silent', audit }, { write: (line) => void written.push(line) })
    const pair = await startPair(t, { overrides: { logger } })
    await (await pair.call('/orders/v0/orders/1', pair.simulator.accessToken())).text()
    await pair.close()
    const events = written.map((line) => JSON.parse(line).event)
    assert.deepEqual(events, audit ? ['configuration', 'mint', 'swap'] : [])
  }
})

test('that the audit stream is turned off or on says nothing else of calls that have ended', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const calls = async (): Promise<void> => {
    for (let i = 0; i < 20; i += 1) await (await pair.call('/orders/v0/orders/1', token)).text()
    for (let turn = 0; turn < 5; turn += 1) await immediate() // the last one's response is closed too
  }
  await calls()
  pair.reload({ SIDECAR_LOG_AUDIT: 'false' })
  assert.equal(audited(pair, 'swap').length, 20)
  await calls()
  pair.reload({ SIDECAR_LOG_AUDIT: 'true' })
  await ended(pair, 40)
  assert.equal(audited(pair, 'swap').length, 20)
})

test('calls in the name of a managed seller tell who called, those that are refused for what they ask too', async (t) => {
  const tokenFile = path.join(folderFor(t), 'invoices')
  writeFileSync(tokenFile, 'token-of-invoices\n')
  const invoices = { name: 'invoices', tokenFile, sellers: ['seller-b'], operations: ['orders-v0.getOrderAddress'] }
  const managed = await startManaged(t, {
    sellers: ['seller-a', 'seller-b', 'seller-c'],
    env: { SIDECAR_AUTH_CALLERS: JSON.stringify([invoices]) },
  })
  const address = '/orders/v0/orders/1/address'
  const ask = async (target: string, callerToken: string, seller?: string) =>
    (await managed.ask(target, seller, { headers: { 'x-rdt-caller-token': callerToken } })).text()
  await ask(address, 'token-of-invoices')
  await ask('/sellers/v1/marketplaceParticipations', 'token-of-invoices')
  await ask(address, 'token-of-invoices', 'seller-a')
  await ask(address, CALLER_TOKEN)
  await ask(address, 'CANARY', 'seller-a')
  await (await managed.call(address, managed.simulator.accessToken('seller-a'))).text()
  await ended(managed, 6)
  const told = [
    ['invoices', 'minted'],
    ['invoices', 'rejected;operation-not-allowed'],
    ['invoices', 'rejected;unknown-seller'],
    ['default', 'rejected;missing-token'],
    [undefined, 'rejected;untrusted-caller'],
    [undefined, 'minted'], // its own access token says who it is
  ]
  const audits = audited(managed).filter(({ event }) => event === 'swap' || event === 'refusal')
  assert.deepEqual(
    audits.map(({ caller, outcome }) => [caller, outcome]),
    told,
  )
  assert.deepEqual(
    callsOf(managed).map(({ caller }) => caller),
    told.map(([caller]) => caller),
  )
  assert.doesNotMatch(managed.lines.join(), /CANARY|token-of-/)
})

test('each access token that is fetched for a managed seller is told, and each that is refused', async (t) => {
  const managed = await startManaged(t, { sellers: ['seller-a', 'seller-b'] })
  managed.simulator.control({ revokeRefreshTokens: ['Atzr|seller-b'], fail: [{ on: 'lwa', times: 1, as: 503 }] })
  for (const seller of ['seller-a', 'seller-b']) await (await managed.ask('/orders/v0/orders/1', seller)).text()
  await ended(managed, 2)
  const fetched = audited(managed, 'access-token')
  assert.deepEqual(
    fetched.map(({ seller, secrets, outcome, status }) => [seller, secrets, outcome, status]),
    [
      ['seller-a', 'current', 'server_error', 503],
      ['seller-a', 'current', 'success', undefined],
      ['seller-b', 'current', 'invalid_grant', 400],
    ],
  )
  assert.equal(fetched.length, managed.lwa().length)
  const [a, , b] = fetched.map(({ credential }) => credential)
  assert.match(String(a), HASH)
  assert.deepEqual(
    callsOf(managed).map(({ credential }) => credential),
    [a, b],
  )
  const level = (outcome: string) => linesOf(managed).find((line) => line.msg && line['outcome'] === outcome)?.['level']
  assert.deepEqual([level('success'), level('server_error'), level('invalid_grant')], ['info', 'warn', 'warn'])
  assert.doesNotMatch(managed.lines.join(), /Atz|simulated-secret/)
})
