/** What /status says is what happened, and what /metrics says of it. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import supertest from 'supertest'
import type { Status } from '../../src/admin/status.ts'
import { documentId } from '../../src/simulator/reports.ts'
import { folderFor } from '../support/cli.ts'
import { dial } from '../support/dial.ts'
import { serveHttp } from '../support/listen.ts'
import { startManaged } from '../support/managed.ts'
import { after, many, until } from '../support/many.ts'
import { type Pair, startPair, verdictOf } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'
import { noRedis, startRedis } from '../support/redis.ts'

const MINT = '/tokens/2021-03-01/restrictedDataToken'
const ORDERS = '/orders/v0/orders'
const ADDRESS = { method: 'GET', path: `${ORDERS}/{orderId}/address` }

const statusOf = async ({ admin }: Pick<Pair, 'admin'>): Promise<Status> =>
  (await (await fetch(`${admin}/status`)).json()) as Status

const mintOwn = (pair: Pair, token: string | undefined, body: unknown, headers: Record<string, string> = {}) =>
  pair.call(MINT, token, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

/** A caller who leaves after `ms` milliseconds. */
const leaveAfter = async (pair: Pair, path: string, token: string, ms: number): Promise<void> => {
  await pair.call(path, token, { signal: AbortSignal.timeout(ms) }).catch(() => {})
}

type Series = { readonly labels: Readonly<Record<string, string>>; readonly value: number }
const scrape = async ({ admin }: Pick<Pair, 'admin'>) => {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const read = (name: string): readonly Series[] =>
    text.split('\n').flatMap((line) => {
      const [, found, labels = '', value] = /^(\w+)(?:\{(.*)\})? (.+)$/.exec(line) ?? []
      if (found !== name) return []
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', one = '']) => [key, one])
      return { labels: Object.fromEntries(pairs), value: Number(value) }
    })
  return {
    sum: (name: string, wanted: Readonly<Record<string, string>> = {}): number =>
      read(name)
        .filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value))
        .reduce((sum, { value }) => sum + value, 0),
  }
}

/** `unreadable`: requests that were none. */
const agree = async (pair: Pick<Pair, 'admin'>, unreadable = 0): Promise<Status> => {
  await until(async () => (await scrape(pair)).sum('rdt_http_requests_in_flight') === 0)
  await turn() // calls are told together, after they have ended
  const [status, { sum }] = [await statusOf(pair), await scrape(pair)]
  const total = (column: readonly (number | null)[]) => column.reduce<number>((all, one) => all + (one ?? 0), 0)
  const rows = Object.entries(status.operations)
  assert.equal(status.calls, sum('rdt_http_requests_total'))
  assert.equal(status.mints, sum('rdt_mint_requests_total'))
  assert.equal(total(status.lastHour.mints), status.mints)
  assert.equal(total(status.lastHour.throttled), sum('rdt_mint_requests_total', { outcome: 'throttled' }))
  for (const [result, count] of Object.entries(status.lookups))
    assert.equal(count, sum('rdt_token_lookups_total', { result }), result)
  assert.equal(total(rows.map(([, { rejected }]) => rejected)) + unreadable, sum('rdt_http_rejections_total'))
  for (const [route, { calls, hit, minted }] of rows) {
    assert.equal(calls, sum('rdt_http_requests_total', { route }), route)
    assert.equal(hit, sum('rdt_http_requests_total', { route, verdict: 'hit' }), route)
    assert.equal(minted, sum('rdt_http_requests_total', { route, verdict: 'minted' }), route)
  }
  assert.equal(status.cacheEntries, sum('rdt_token_cache_entries'))
  assert.equal(status.mintQueue, sum('rdt_mint_queue_length'))
  assert.equal(status.lastHour.mostWaiting.length, 60)
  return status
}

test('counts agree with the metrics whatever happened', async (t) => {
  const managed = await startManaged(t, {
    sellers: ['seller-a', 'seller-b'],
    env: { SIDECAR_MINT_BATCH_WINDOW_MS: '40', SIDECAR_RDT_SCOPE: 'specific', SIDECAR_MINT_MAX_WAIT_MS: '1500' },
  })
  const { simulator } = managed
  const token = simulator.accessToken('own')
  simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  await managed.ask(`${ORDERS}/1/address`, 'seller-a')
  await managed.ask(`${ORDERS}/1/address`, 'seller-a')
  await managed.ask(`${ORDERS}/1/address`, 'seller-b')
  await managed.ask(`${ORDERS}/1/address`, 'nobody')
  await managed.call('/sellers/v1/marketplaceParticipations', token)
  // a batch that is divided
  await Promise.all([
    ...[1, 2, 3, 4, 5].map((n) => managed.call(`${ORDERS}/${n}/address`, token)),
    managed.call('/mfn/v0/shipments/1', token),
  ])
  await mintOwn(managed, token, { restrictedResources: [ADDRESS] })
  await mintOwn(managed, token, { restrictedResources: [ADDRESS] })
  await mintOwn(managed, token, 'not json') // goes on as it came
  await mintOwn(managed, token, { restrictedResources: [ADDRESS] }, { 'x-rdt-mode': 'skip' })
  await mintOwn(managed, token, { restrictedResources: [{ method: 'GET', path: '/mfn/v0/shipments/9' }] })
  simulator.control({ revoke: 'rdts' })
  await managed.call(`${ORDERS}/1/address`, token)
  await leaveAfter(managed, `${ORDERS}/77/address`, token, 10) // before its mint has left
  simulator.control({ latencyMs: { mint: 300 } })
  await leaveAfter(managed, `${ORDERS}/78/address`, token, 150)
  simulator.control({ latencyMs: { call: 300, mint: 0 } })
  await leaveAfter(managed, `${ORDERS}/79/address`, token, 150)
  simulator.control({ latencyMs: { call: 0 }, fail: [{ on: 'mint', times: 1, as: 429 }] })
  await managed.call(`${ORDERS}/81/address`, token)
  simulator.control({ fail: [{ on: 'mint', times: 3, as: 500 as never }] })
  await managed.call(`${ORDERS}/80/address`, token)
  simulator.control({ fail: [{ on: 'call', times: 1, as: 'reset' as never }] })
  await managed.call(`${ORDERS}/1/address`, token)
  const port = Number(new URL(managed.base).port)
  await exchange(port, 'NONSENSE\r\n\r\n')
  await exchange(port, `GET ${ORDERS}/..%2f/address HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  await until(async () => (await statusOf(managed)).mintQueue === 0)
  const { lastHour } = await agree(managed, 1)
  assert.equal(lastHour.throttled.at(-1) || lastHour.throttled.at(-2), 1)
})

/** One that is told, of its kind and operation. */
const problem = async (pair: Pick<Pair, 'admin'>, kind: string, operation?: string) =>
  (await statusOf(pair)).problems.find((one) => {
    const { operation: where } = { operation: undefined, ...one }
    return one.kind === kind && where === operation
  })

test('a mint of a caller’s own that is refused is not cured by calls to other operations, but by one that is granted', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const refusedOnes = async () => (await problem(pair, 'mint-refused', 'other'))?.wentWellSince
  pair.simulator.control({ denyElements: ['buyerTaxInformation'] })
  const order = { method: 'GET', path: `${ORDERS}/{orderId}` }
  await mintOwn(pair, token, { restrictedResources: [{ ...order, dataElements: ['buyerTaxInformation'] }] })
  assert.equal((await pair.call('/sellers/v1/marketplaceParticipations', token)).status, 200)
  assert.equal(await refusedOnes(), false)
  await mintOwn(pair, token, { restrictedResources: [{ ...order, dataElements: ['buyerInfo'] }] })
  assert.equal(await refusedOnes(), true)
})

test('an RDT that was there, or a call that goes without one, shows nothing of the mints that fail', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken()
  const operation = 'orders-v0.getOrderAddress'
  const failing = async () => (await problem(pair, 'mint-unavailable', operation))?.wentWellSince
  await pair.call(`${ORDERS}/1/address`, token)
  pair.simulator.control({ fail: [{ on: 'mint', times: 3, as: 503 }] })
  await pair.call(`${ORDERS}/2/address`, token)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1/address`, token)), 'hit')
  assert.equal((await pair.call(`${ORDERS}/2/address`, token, { headers: { 'x-rdt-mode': 'skip' } })).status, 200)
  assert.equal(await failing(), false)
  assert.equal((await problem(pair, 'mint-failed'))?.wentWellSince, false)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/2/address`, token)), 'minted')
  assert.equal(await failing(), true)
  assert.equal((await problem(pair, 'mint-failed'))?.wentWellSince, true)
})

test('an answer of Amazon’s shows that it is reached again; what a caller does wrong is not undone by what it does right', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const path = '/sellers/v1/marketplaceParticipations'
  pair.simulator.control({ fail: [{ on: 'call', times: 1, as: 'reset' }] })
  assert.equal((await pair.call(path, token)).status, 502)
  pair.simulator.control({ fail: [{ on: 'call', times: 1, as: 503 }] })
  assert.equal((await pair.call(path, token)).status, 503)
  await pair.call(path, token, { headers: { 'x-rdt-mode': 'perhaps' } })
  const kinds = async () =>
    (await statusOf(pair)).problems.map(({ kind, wentWellSince }) => `${kind} ${wentWellSince}`).sort()
  assert.deepEqual(await kinds(), ['amazon-failing false', 'invalid-header false', 'upstream-unreachable false'])
  assert.equal((await pair.call(path, token)).status, 200)
  assert.deepEqual(await kinds(), ['amazon-failing true', 'invalid-header false', 'upstream-unreachable true'])
})

test('Login with Amazon works again for a seller when a call has gone out with an access token, not when an RDT was there', async (t) => {
  let time = 0
  const managed = await startManaged(t, {
    env: { SIDECAR_RDT_SCOPE: 'specific' },
    overrides: { now: () => performance.now() + time },
  })
  const operation = 'orders-v0.getOrderAddress'
  const refused = async () => (await problem(managed, 'lwa-refused', operation))?.wentWellSince
  managed.simulator.control({ accessTokenSeconds: 600 })
  await managed.ask(`${ORDERS}/1/address`)
  managed.simulator.control({ revokeRefreshTokens: ['Atzr|seller-a'] })
  time = 595_000 // less than its margin is left of the access token
  assert.equal((await managed.ask(`${ORDERS}/2/address`)).status, 403)
  assert.equal(verdictOf(await managed.ask(`${ORDERS}/1/address`)), 'hit')
  assert.equal(await refused(), false)
  managed.simulator.control({ revokeRefreshTokens: [] })
  await supertest(managed.admin).post('/flush').expect(200)
  assert.equal(verdictOf(await managed.ask(`${ORDERS}/2/address`)), 'minted')
  assert.equal(await refused(), true)
  assert.equal((await problem(managed, 'lwa-failed'))?.wentWellSince, true)
})

test('whoever leaves while a new RDT is minted for its call has not been failed by it', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(`${ORDERS}/1/address`, token)
  pair.simulator.control({ revoke: 'rdts', latencyMs: { mint: 2000 } })
  const leave = new AbortController()
  const call = pair.call(`${ORDERS}/1/address`, token, { signal: leave.signal }).catch(() => {})
  await until(() => pair.calls().length === 2)
  await after(100)
  leave.abort()
  await call
  await until(async () => (await statusOf(pair)).calls === 2)
  assert.deepEqual((await statusOf(pair)).problems, [])
})

test('calls whose new RDT does not help either are told of, of every kind', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
  const token = pair.simulator.accessToken()
  pair.simulator.control({ fail: [{ on: 'mint', times: 3, as: 500 }] })
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1/address`, token)), 'fallback;mint-unavailable')
  const { problems } = await statusOf(pair)
  assert.deepEqual(
    problems.map((one) => [one.kind, 'cause' in one && one.cause, one.alert]),
    [
      ['fallback', 'mint-unavailable', 'RdtFallbacks'],
      ['mint-failed', 'server_error', 'RdtMintsFailing'],
    ],
  )
})

test('mints that callers make on their own past the cache are mints like others: saved is what the dashboard says', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  for (const order of [1, 2, 3]) await pair.call(`${ORDERS}/${order}/address`, token)
  assert.equal((await statusOf(pair)).mintsSaved, 2)
  for (let i = 0; i < 4; i += 1)
    await mintOwn(pair, token, { restrictedResources: [ADDRESS] }, { 'x-rdt-mode': 'skip' })
  const { mints, mintsSaved } = await agree(pair)
  assert.deepEqual([mints, mintsSaved], [5, -2]) // of three questions
})

test('a report document that needs no RDT is no call that needed one', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call('/reports/2021-06-30/reports?pageSize=20', token)
  const documents = [1, 2, 4].map((n) => `/reports/2021-06-30/documents/${documentId(n)}`)
  const verdicts = await Promise.all(documents.map(async (path) => verdictOf(await pair.call(path, token))))
  assert.deepEqual(verdicts, ['minted', 'unrestricted-report', 'unrestricted-report'])
  const { operations } = await agree(pair)
  const { calls, needed } = operations['reports-2021-06-30.getReportDocument'] ?? {}
  assert.deepEqual([calls, needed], [3, 1])
})

test('mints by operation are those that Amazon got, each with all that it was asked for', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_BATCH_WINDOW_MS: '100', SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken()
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  await Promise.all([
    many(6, (n) => pair.call(`${ORDERS}/${n}/address`, token)),
    pair.call('/mfn/v0/shipments/1', token),
  ])
  const { operations, mints } = await agree(pair)
  const asked = pair.mints().map(({ mint }) => JSON.stringify(mint))
  assert.equal(mints, asked.length)
  assert.equal(operations['orders-v0.getOrderAddress']?.mints, asked.filter((one) => one.includes('/address')).length)
  assert.equal(operations['mfn-v0.getShipment']?.mints, asked.filter((one) => one.includes('/mfn/')).length)
})

test('what was counted of an operation stays when a reload takes it away; one that is new is counted too', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(`${ORDERS}/1/address`, token)
  const row = (more: object) => ({ SIDECAR_OPERATIONS: JSON.stringify(more) })
  pair.reload(
    row({ 'orders-v0.getOrderAddress': { mode: 'skip' }, 'new-v1.get': { method: 'GET', path: '/new/v1/{id}' } }),
  )
  await pair.call(`${ORDERS}/1/address`, token)
  await pair.call('/new/v1/1', token)
  const { operations } = await agree(pair)
  assert.equal(operations['orders-v0.getOrderAddress']?.calls, 2)
  assert.equal(operations['new-v1.get']?.calls, 1)
})

test('while it drains it says so, and where it listened', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { call: 700 } })
  const configured = (await statusOf(pair)).listeners
  const call = pair.call('/sellers/v1/marketplaceParticipations', token)
  await until(() => pair.calls().length === 1)
  const closed = pair.close()
  await until(async () => (await statusOf(pair)).state === 'draining')
  await after(300)
  assert.deepEqual((await statusOf(pair)).listeners, configured)
  await supertest(pair.admin).get('/readyz').expect(503)
  assert.equal((await call).status, 200)
  assert.equal(await closed, 0)
})

test('the queue is who waits: also where callers leave, all is flushed, or the breaker gives them up; in the end nobody', async (t) => {
  const env = { SIDECAR_MINT_BURST: '1', SIDECAR_MINT_MAX_RESOURCES: '1', SIDECAR_RDT_SCOPE: 'specific' }
  const pair = await startPair(t, {
    env: { ...env, SIDECAR_MINT_RATE_PER_SECOND: '2', SIDECAR_MINT_MAX_WAIT_MS: '30000' },
  })
  const token = pair.simulator.accessToken()
  const leave = new AbortController()
  const ask = (order: number, init: RequestInit = {}) =>
    pair.call(`${ORDERS}/${order}/address`, token, init).then(verdictOf, () => 'left')
  const queue = async () => (await statusOf(pair)).mintQueue
  pair.simulator.control({ latencyMs: { mint: 3000 }, mintBurst: 100 })
  const first = ask(0)
  await until(async () => (await statusOf(pair)).lookups.miss === 1 && (await queue()) === 0) // its mint is on its way
  const leaving = many(8, (n) => ask(100 + n, { signal: leave.signal }))
  const staying = many(3, (n) => ask(200 + n))
  await until(async () => (await queue()) === 11)
  await supertest(pair.admin).post('/flush').expect(200)
  assert.equal(await queue(), 11)
  leave.abort()
  await leaving
  pair.simulator.control({ latencyMs: { mint: 0 }, fail: [{ on: 'mint', times: 100, as: 500 }] })
  const { lastHour } = await statusOf(pair)
  assert.equal(Math.max(...lastHour.mostWaiting.map((one) => one ?? 0)), 11)
  await first
  assert.deepEqual(new Set(await staying), new Set(['rejected;mint-unavailable'])) // five failures in a row
  assert.equal(await queue(), 0)
  assert.equal(await ask(300), 'rejected;mint-unavailable')
  const { mintQueue, problems } = await agree(pair)
  assert.equal(mintQueue, 0)
  assert.ok(problems.some(({ kind }) => kind === 'mint-unavailable'))
})

test('a usage plan that is used up for ten minutes is a problem, one that is used up for a moment is none', async (t) => {
  let time = 0
  const env = { SIDECAR_MINT_BURST: '1', SIDECAR_MINT_RATE_PER_SECOND: '4', SIDECAR_MINT_MAX_RESOURCES: '1' }
  const pair = await startPair(t, { env, overrides: { now: () => performance.now() + time } })
  const token = pair.simulator.accessToken()
  const usedUp = async () => (await statusOf(pair)).problems.some(({ kind }) => kind === 'plan-used-up')
  const crowd = (from: number) =>
    many(4, (n) => pair.call(`${ORDERS}/${from + n}/address`, token, { headers: { 'x-rdt-scope': 'specific' } }))
  await crowd(0)
  time += 60_000
  assert.equal(await usedUp(), false)
  const waits = crowd(100)
  await until(async () => (await statusOf(pair)).mintQueue > 0)
  time += 310_000 // as if they had waited for so long
  await waits
  time += 60_000
  assert.equal(await usedUp(), true)
  time += 600_000
  assert.equal(await usedUp(), false)
})

test('connections that are refused are told of', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_LIMITS_CONNECTIONS: '1' } })
  await many(3, () => dial(t, pair.port))
  await until(async () => (await problem(pair, 'connections-refused')) !== undefined)
  const { sum } = await scrape(pair)
  const told = await problem(pair, 'connections-refused')
  assert.equal(told && 'times' in told && told.times, sum('rdt_connections_refused_total'))
})

test('a bug behind /status or /explain tells the asker nothing of the inside', async (t) => {
  let broken = false
  const now = () => {
    const breaks = broken
    broken = false
    if (breaks) throw new Error('canary of the inside')
    return performance.now()
  }
  const pair = await startPair(t, { overrides: { now } })
  broken = true
  const answer = await fetch(`${pair.admin}/status`)
  const text = await answer.text()
  assert.equal(answer.status, 500)
  assert.doesNotMatch(text, /canary|\.ts|\bat /)
  assert.ok(pair.lines.some((line) => /"stack":"Error/.test(line)))
  assert.doesNotMatch(pair.lines.join(''), /canary/)
  await supertest(pair.admin).get('/status').expect(200)
})

test('nothing that Amazon or Login with Amazon say in their own words is told, but codes that are codes', async (t) => {
  const words = 'Atza|canary of 902-1234567-1234567'
  const own = 'Atza|canary-of-its-own'
  const upstream = await serveHttp(t, ({ url }, res) => {
    const lwa = url === '/auth/o2/token'
    const errors = lwa ? undefined : [{ code: words, message: words, details: words }]
    res.statusCode = lwa || url === MINT ? 400 : 503
    res.setHeader('content-type', 'application/json')
    res.setHeader('x-amzn-requestid', words)
    res.statusMessage = words
    res.end(JSON.stringify({ error: words, error_description: words, errors }))
  })
  const managed = await startManaged(t, {
    endpoint: upstream,
    env: { SIDECAR_LWA_ENDPOINT: `${upstream}/auth/o2/token` },
  })
  await managed.ask(`${ORDERS}/1/address`)
  await managed.call(`${ORDERS}/1/address`, own)
  await managed.call('/sellers/v1/marketplaceParticipations', own)
  await mintOwn(managed, own, { restrictedResources: [ADDRESS] })
  await mintOwn(managed, own, { restrictedResources: [ADDRESS] }, { 'x-rdt-mode': 'skip' })
  const status = await agree(managed)
  const kinds = new Set(status.problems.map(({ kind }) => kind))
  assert.deepEqual(kinds, new Set(['lwa-refused', 'lwa-failed', 'mint-refused', 'amazon-failing']))
  assert.equal(status.operations['orders-v0.getOrderAddress']?.lastRefusal?.code, 'other')
  assert.doesNotMatch(JSON.stringify(status), /canary|902-|seller-a/)
  assert.doesNotMatch(managed.lines.join(''), /canary|902-/)
})

test('replicas that share a store count each what it did itself', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t)
  const keyFile = path.join(folderFor(t), 'store-key')
  writeFileSync(keyFile, `${'ab'.repeat(32)}\n`, { mode: 0o600 })
  const env = { SIDECAR_STORE_URL: redis.url, SIDECAR_STORE_KEY_FILE: keyFile, SIDECAR_STORE_TIMEOUT_MS: '3000' }
  const one = await startPair(t, { env })
  const other = await startPair(t, { env: { ...env, SIDECAR_ENDPOINT: one.amazon }, endpoint: one.amazon })
  const token = one.simulator.accessToken()
  await many(5, (n) => one.call(`${ORDERS}/${n}/address`, token))
  await many(5, (n) => other.call(`${ORDERS}/${n}/address`, token))
  const [first, second] = [await agree(one), await agree(other)]
  assert.deepEqual([first.mints, second.mints, one.mints().length], [1, 0, 1])
  assert.deepEqual([first.mintsSaved, second.mintsSaved], [4, 5])
  assert.deepEqual([first.store?.state, second.store?.state], ['shared', 'shared'])
  assert.equal(await problem(other, 'store-unreadable'), undefined)
  await one.call('/mfn/v0/shipments/1', token)
  for (const { key, type } of await redis.dump())
    if (type === 'string') await redis.cli('SET', key, `${Date.now()}:garbage`, 'PX', 3_600_000)
  await other.call('/mfn/v0/shipments/1', token)
  assert.equal((await problem(other, 'store-unreadable'))?.alert, 'RdtStoreUnreadable')
  await redis.stop()
  await other.call('/mfn/v0/shipments/1', token)
  await until(async () => {
    await other.call(`${ORDERS}/1/address`, token)
    return (await problem(other, 'store-alone')) !== undefined
  })
  await agree(other)
})

test('a mint of a caller’s own that fails at Amazon is told once, as a mint', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ fail: [{ on: 'mint', times: 1, as: 503 }] })
  const answer = await mintOwn(pair, token, { restrictedResources: [ADDRESS] }, { 'x-rdt-mode': 'skip' })
  assert.equal(answer.status, 503)
  const { problems } = await agree(pair)
  assert.deepEqual(
    problems.map(({ kind }) => kind),
    ['mint-failed'],
  )
})

test('secrets that are refused while those before them work are a problem until they are right or as before, however long', async (t) => {
  let time = 0
  const managed = await startManaged(t, { overrides: { now: () => performance.now() + time } })
  const refused = async () => (await problem(managed, 'secrets-refused')) !== undefined
  await managed.ask(`${ORDERS}/1/address`)
  assert.equal(await refused(), false)
  managed.files.write('seller-a', 'a-wrong-secret')
  managed.reload()
  await until(refused)
  time += 2_000_000
  assert.equal(await refused(), true)
  managed.files.write('seller-a')
  managed.reload()
  assert.equal(await refused(), false)
})

test('a document that turns out to need no RDT is no trouble and no error', async (t) => {
  const pair = await startPair(t)
  const path = `/reports/2021-06-30/documents/${documentId(2)}`
  assert.equal(verdictOf(await pair.call(path, pair.simulator.accessToken())), 'unrestricted-report')
  const { mints, lastMintError, problems } = await agree(pair)
  assert.deepEqual([mints, lastMintError, problems], [1, null, []])
})

test('renewals that fail are told apart from mints that callers wait for; one that succeeds ends it', async (t) => {
  const env = { SIDECAR_RDT_EXPIRY_MARGIN_MS: '500', SIDECAR_RDT_REFRESH_AFTER: '0.2' }
  const pair = await startPair(t, { env })
  const token = pair.simulator.accessToken()
  pair.simulator.control({ rdtSeconds: 10 })
  const ask = async () => verdictOf(await pair.call(`${ORDERS}/1/address`, token))
  assert.equal(await ask(), 'minted')
  pair.simulator.control({ fail: [{ on: 'mint', times: 3, as: 503 }] })
  await until(async () => (await ask()) === 'hit' && (await problem(pair, 'renewal-failed')) !== undefined)
  const { problems } = await statusOf(pair)
  assert.deepEqual(
    problems.map(({ kind, alert }) => [kind, alert]),
    [['renewal-failed', 'RdtRenewalsFailing']],
  )
  await until(async () => {
    await ask()
    return (await problem(pair, 'renewal-failed'))?.wentWellSince === true
  })
})

test('a configuration that is not taken over is a problem until one is', async (t) => {
  const pair = await startPair(t)
  const failed = async () => (await problem(pair, 'reload-failed')) !== undefined
  assert.equal(await failed(), false)
  pair.reload({ SIDECAR_RDT_SCOPE: 'nonsense' })
  assert.equal(await failed(), true)
  pair.reload()
  assert.equal(await failed(), false)
})

test('a new RDT in the place of one that Amazon no longer took shows that mints go well again', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken()
  await pair.call(`${ORDERS}/1/address`, token)
  pair.simulator.control({ revoke: 'rdts', fail: [{ on: 'mint', times: 3, as: 503 }] })
  await pair.call(`${ORDERS}/2/address`, token)
  assert.equal((await problem(pair, 'mint-unavailable', 'orders-v0.getOrderAddress'))?.wentWellSince, false)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1/address`, token)), 'replayed')
  assert.equal((await problem(pair, 'mint-unavailable', 'orders-v0.getOrderAddress'))?.wentWellSince, true)
})

test('a listener that takes plaintext from other machines is a problem', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_HOST: '0.0.0.0', SIDECAR_INSECURE_LISTEN: 'true' } })
  assert.equal((await problem(pair, 'plaintext'))?.alert, 'RdtInsecureListener')
})

test('what Amazon removes: days left, and who still calls it', async (t) => {
  const pair = await startPair(t)
  const orders = async () => (await statusOf(pair)).sunsets.find(({ families }) => families.includes('orders-v0'))
  assert.deepEqual([(await orders())?.calls, (await orders())?.lastCallSecondsAgo], [0, null])
  await pair.call(`${ORDERS}/1/address`, pair.simulator.accessToken())
  const left = (Date.UTC(2027, 2, 27) - Date.now()) / 86_400_000
  const { on, daysLeft, calls, lastCallSecondsAgo } = (await orders()) ?? {}
  assert.deepEqual([on, calls], ['2027-03-27', 1])
  assert.ok(daysLeft !== undefined && daysLeft >= left && daysLeft < left + 1)
  assert.ok(lastCallSecondsAgo !== null && lastCallSecondsAgo !== undefined && lastCallSecondsAgo < 60)
})

test('how long ago a call and a refusal were', async (t) => {
  let time = 0
  const pair = await startPair(t, { overrides: { now: () => performance.now() + time } })
  await pair.call(`${ORDERS}/1/address`)
  time += 90_000
  await pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken())
  const { operations } = await statusOf(pair)
  const { lastCallSecondsAgo, lastRefusal } = operations['orders-v0.getOrderAddress'] ?? {}
  assert.deepEqual([lastRefusal?.reason, lastRefusal?.status], ['missing-token', 403])
  for (const ago of [lastCallSecondsAgo, lastRefusal?.secondsAgo]) assert.ok(ago && ago >= 90 && ago < 150)
  assert.equal(operations['other']?.lastRefusal, null)
  await pair.call(`${ORDERS}/1/buyerInfo`)
  const orders = (await statusOf(pair)).sunsets.find(({ families }) => families.includes('orders-v0'))
  assert.equal(orders?.calls, 2)
  assert.ok((orders?.lastCallSecondsAgo ?? 90) < 60) // the last of all of them
})
