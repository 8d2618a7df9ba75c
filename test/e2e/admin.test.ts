import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { shippedOperations } from '../support/catalogue.ts'
import { type Pair, startPair } from '../support/pair.ts'

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

const scrape = async (pair: Pair): Promise<readonly Sample[]> => {
  const { text } = await supertest(pair.admin)
    .get('/metrics')
    .expect(200)
    .expect('content-type', /^text\/plain/)
  return text.split('\n').flatMap((line) => {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (!match) return []
    const labels = Object.fromEntries(
      [...(match[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    )
    return [{ name: match[1] ?? '', labels, value: Number(match[3]) }]
  })
}
const read = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined =>
  samples.find(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  )?.value

/** After the last answer: a call is counted when its response is closed, a moment after the caller has all of it. */
const settled = async (pair: Pair): Promise<readonly Sample[]> => {
  for (;;) {
    const samples = await scrape(pair)
    if (read(samples, 'rdt_http_requests_in_flight') === 0) return samples
  }
}

// The series of the contract that there is something to count for by now, with their closed label values.
const COUNTERS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  rdt_http_rejections_total: {
    reason: [
      'unsafe-path',
      'invalid-header',
      'missing-token',
      'body-too-large',
      'mint-refused',
      'mint-throttled',
      'mint-unavailable',
      'upstream-unreachable',
      'upstream-timeout',
      'draining',
      'overloaded',
      'internal',
    ],
  },
  rdt_http_client_aborts_total: {},
  rdt_upstream_errors_total: { reason: ['connect', 'timeout', 'reset', 'other'] },
  rdt_token_lookups_total: { result: ['hit', 'miss', 'coalesced', 'negative'] },
  rdt_token_evictions_total: { reason: ['capacity', 'expired', 'rejected', 'flushed'] },
  rdt_replays_total: { outcome: ['cured', 'failed'] },
  rdt_mint_resources_count: {},
  rdt_mint_requests_total: {
    outcome: ['success', 'refused', 'throttled', 'server_error', 'network', 'bad_response'],
    trigger: ['miss', 'refresh', 'replay', 'caller'],
  },
  rdt_http_overhead_seconds_count: {},
  rdt_mint_duration_seconds_count: {},
  rdt_mint_queue_wait_seconds_count: {},
  rdt_http_request_duration_seconds_count: { route: [...shippedOperations.map(({ id }) => id), 'other'] },
}
const GAUGES = [
  'rdt_http_requests_in_flight',
  'rdt_token_cache_entries',
  'rdt_mint_queue_length',
  'rdt_mint_last_success_timestamp_seconds',
]

test('every series is there before the first call, at zero, with closed label values', async (t) => {
  const samples = await scrape(await startPair(t))
  for (const [name, labels] of Object.entries(COUNTERS)) {
    const found = samples.filter((sample) => sample.name === name)
    assert.ok(
      found.every(({ value }) => value === 0),
      name,
    )
    for (const [label, values] of Object.entries(labels)) {
      assert.deepEqual(
        [...new Set(found.map((sample) => sample.labels[label] ?? ''))].sort(),
        [...values].sort(),
        `${name} ${label}`,
      )
    }
    assert.ok(found.length > 0, name)
  }
  for (const name of GAUGES) assert.equal(read(samples, name), 0, name)
  assert.equal(read(samples, 'rdt_config_last_reload_successful'), 1)
  assert.equal(read(samples, 'rdt_build_info', { version: '0.0.0-test', node_version: process.version }), 1)
  assert.ok(
    read(samples, 'process_cpu_seconds_total') !== undefined &&
      read(samples, 'nodejs_eventloop_lag_seconds') !== undefined,
  )
})

test('counts agree with what was done and with the log of the simulator', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken()
  pair.simulator.control({ fail: [{ on: 'mint', times: 1, as: 503 }] })
  for (const order of ['1', '1', '2', '1']) await (await pair.call(`/orders/v0/orders/${order}/address`, token)).text()
  await (await pair.call('/sellers/v1/marketplaceParticipations', token)).text()
  await (await pair.call('/orders/v0/orders/1%2F2', token)).text()
  const route = 'orders-v0.getOrderAddress'
  const samples = await settled(pair)
  const is = (value: number, name: string, labels?: Record<string, string>) =>
    assert.equal(read(samples, name, labels), value, `${name} ${JSON.stringify(labels)}`)
  is(2, 'rdt_http_requests_total', { route, method: 'GET', code: '200', verdict: 'minted' })
  is(2, 'rdt_http_requests_total', { route, method: 'GET', code: '200', verdict: 'hit' })
  is(1, 'rdt_http_requests_total', { route: 'other', method: 'GET', code: '200', verdict: 'not-restricted' })
  is(1, 'rdt_http_requests_total', { route: 'other', method: 'GET', code: '400', verdict: 'rejected' })
  is(1, 'rdt_http_rejections_total', { reason: 'unsafe-path' })
  is(4, 'rdt_http_request_duration_seconds_count', { route })
  is(5, 'rdt_http_overhead_seconds_count')
  is(2, 'rdt_token_lookups_total', { result: 'hit' })
  is(2, 'rdt_token_lookups_total', { result: 'miss' })
  is(2, 'rdt_token_cache_entries')
  is(2, 'rdt_mint_requests_total', { outcome: 'success', trigger: 'miss' })
  is(1, 'rdt_mint_requests_total', { outcome: 'server_error', trigger: 'miss' })
  is(pair.mints().length, 'rdt_mint_duration_seconds_count')
  is(3, 'rdt_mint_queue_wait_seconds_count')
  is(0, 'rdt_http_requests_in_flight')
  const mintedAt = read(samples, 'rdt_mint_last_success_timestamp_seconds') ?? 0
  assert.ok(Math.abs(Date.now() / 1000 - mintedAt) < 60)
})

test('a caller who leaves is counted, and not as an error of Amazon', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ fail: [{ on: 'call', times: 1, as: 'hang' }] })
  const abort = new AbortController()
  const call = pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken(), {
    signal: abort.signal,
  })
  for (let i = 0; i < 100 && pair.calls().length === 0; i += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  abort.abort()
  await assert.rejects(call)
  for (let i = 0; i < 100; i += 1) {
    if (read(await scrape(pair), 'rdt_http_client_aborts_total') === 1) break
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const samples = await scrape(pair)
  assert.equal(read(samples, 'rdt_http_client_aborts_total'), 1)
  assert.equal(read(samples, 'rdt_http_requests_total', { code: '499' }), 1)
  assert.equal(samples.filter(({ name, value }) => name === 'rdt_upstream_errors_total' && value > 0).length, 0)
})

test('probes: live and ready while serving; neither asks Amazon', async (t) => {
  const pair = await startPair(t, { endpoint: 'http://127.0.0.1:9' })
  await supertest(pair.admin).get('/livez').expect(200, 'live\n')
  await supertest(pair.admin).get('/readyz').expect(200, 'ready\n')
  await supertest(pair.admin).get('/nothing').expect(404)
  assert.deepEqual(pair.simulator.log(), [])
})

test('/status says what is going on, without a token, a seller or a path with ids', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken('seller-canary')
  for (const order of ['order-canary', 'order-canary']) await pair.call(`/orders/v0/orders/${order}/address`, token)
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  await pair.call('/mfn/v0/shipments/order-canary', token)
  const { body, text } = await supertest(pair.admin).get('/status').expect(200)
  assert.equal(body.state, 'serving')
  assert.equal(body.version, '0.0.0-test')
  assert.equal(body.cacheEntries, 1)
  assert.equal(body.mintQueue, 0)
  assert.equal(body.mints, 2)
  assert.deepEqual(body.operations['orders-v0.getOrderAddress'], { calls: 2, hit: 1, minted: 1, rejected: 0 })
  assert.deepEqual(
    [body.lastMintError.outcome, body.lastMintError.status, body.lastMintError.code],
    ['refused', 400, 'InvalidInput'],
  )
  assert.equal(body.hitRatio, 1 / 3)
  assert.deepEqual(body.listeners, [{ host: '127.0.0.1', port: pair.port, endpoint: pair.amazon }])
  assert.match(body.configuration, /^[0-9a-f]{12}$/)
  assert.doesNotMatch(text, /canary|Atz/)
})

test('several listeners serve several regions from one sidecar, and share no token', async (t) => {
  const other = await startPair(t)
  const pair = await startPair(t, { listeners: (amazon) => [amazon, other.amazon] })
  const [na = 0, eu = 0] = pair.ports
  const token = pair.simulator.accessToken()
  const call = (port: number) =>
    fetch(`http://127.0.0.1:${port}/orders/v0/orders/1/address`, { headers: { 'x-amz-access-token': token } })
  assert.equal((await call(na)).headers.get('x-rdt-verdict'), 'minted')
  const elsewhere = await call(eu)
  assert.equal(elsewhere.headers.get('x-rdt-verdict'), 'rejected;mint-refused') // the other region does not know the token
  assert.deepEqual([pair.mints().length, other.mints().length], [1, 1])
})
