import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import supertest from 'supertest'
import { loadConfig } from '../../src/config/load.ts'
import { shippedOperations } from '../support/catalogue.ts'
import { noOpenssl, selfSigned } from '../support/certificates.ts'
import { folderFor } from '../support/cli.ts'
import { startManaged } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { type Pair, type PairOptions, startPair, verdictOf } from '../support/pair.ts'

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

const textOf = async (pair: Pair): Promise<string> =>
  (
    await supertest(pair.admin)
      .get('/metrics')
      .expect(200)
      .expect('content-type', /^text\/plain/)
  ).text
const samplesIn = (text: string): readonly Sample[] =>
  text.split('\n').flatMap((line) => {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (!match) return []
    const labels = Object.fromEntries(
      [...(match[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    )
    return [{ name: match[1] ?? '', labels, value: Number(match[3]) }]
  })
const scrape = async (pair: Pair): Promise<readonly Sample[]> => samplesIn(await textOf(pair))
const sumOf = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number =>
  samples
    .filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .reduce((sum, { value }) => sum + value, 0)

/** After the last answer: a call is counted when its response is closed, a moment after the caller has all of it. */
const settled = async (pair: Pair): Promise<readonly Sample[]> => {
  let samples: readonly Sample[] = []
  await until(async () => {
    samples = await scrape(pair)
    return sumOf(samples, 'rdt_http_requests_in_flight') === 0
  })
  return samples
}

// Metric → its type, its labels and their values: all there are.
const ROUTES = [...shippedOperations.map(({ id }) => id), 'other']
const ERRORS = [
  'unsafe-path',
  'invalid-header',
  'missing-token',
  'untrusted-caller',
  'unknown-seller',
  'operation-not-allowed',
  'forwarded-call',
  'foreign-host',
  'lwa-refused',
  'lwa-unavailable',
  'body-too-large',
  'mint-refused',
  'mint-throttled',
  'mint-unavailable',
  'upstream-unreachable',
  'upstream-timeout',
  'draining',
  'overloaded',
  'internal',
]
type Labels = Readonly<Record<string, readonly string[]>>
const METRICS: Readonly<Record<string, readonly [type: string, labels?: Labels, series?: number]>> = {
  rdt_http_requests_total: ['counter'], // has no series before the first request
  rdt_http_request_duration_seconds: ['histogram', { route: ROUTES }],
  rdt_http_overhead_seconds: ['histogram'],
  rdt_http_requests_in_flight: ['gauge'],
  rdt_connections: ['gauge'],
  rdt_connections_refused_total: ['counter'],
  rdt_http_rejections_total: ['counter', { reason: ERRORS }],
  rdt_http_client_aborts_total: ['counter'],
  rdt_upstream_errors_total: ['counter', { reason: ['connect', 'timeout', 'reset', 'other'] }],
  rdt_token_lookups_total: ['counter', { result: ['hit', 'miss', 'coalesced', 'negative'] }],
  rdt_token_cache_entries: ['gauge'],
  rdt_token_evictions_total: ['counter', { reason: ['capacity', 'expired', 'rejected', 'flushed'] }],
  rdt_mint_requests_total: [
    'counter',
    {
      outcome: ['success', 'refused', 'throttled', 'server_error', 'network', 'bad_response'],
      trigger: ['miss', 'refresh', 'replay', 'caller'],
    },
  ],
  rdt_mint_duration_seconds: ['histogram'],
  rdt_mint_resources: ['histogram'],
  rdt_mint_queue_length: ['gauge'],
  rdt_mint_queue_wait_seconds: ['histogram'],
  rdt_mint_last_success_timestamp_seconds: ['gauge'],
  rdt_replays_total: ['counter', { outcome: ['cured', 'failed'] }],
  rdt_lwa_requests_total: [
    'counter',
    {
      outcome: [
        'success',
        'invalid_client',
        'invalid_grant',
        'unauthorized_client',
        'refused',
        'throttled',
        'server_error',
        'network',
        'bad_response',
      ],
      secret: ['current', 'previous'],
    },
  ],
  rdt_lwa_request_duration_seconds: ['histogram'],
  rdt_secret_last_success_timestamp_seconds: ['gauge', { secret: [] }], // none is configured
  rdt_store_operations_total: [
    'counter',
    {
      operation: ['claim', 'put', 'release', 'quota', 'beat', 'flush'],
      outcome: ['hit', 'unfit', 'won', 'held', 'granted', 'queued', 'settled', 'ok', 'timeout', 'error', 'skipped'],
    },
    4 + 3 + 4 * 1 + 6 * 3, // not every outcome is one of each
  ],
  rdt_store_operation_duration_seconds: [
    'histogram',
    { operation: ['claim', 'put', 'release', 'quota', 'beat', 'flush'] },
  ],
  rdt_store_unreadable_total: ['counter'],
  rdt_store_unreachable: ['gauge'],
  rdt_store_replicas: ['gauge'],
  rdt_insecure_listeners: ['gauge'],
  rdt_config_last_reload_successful: ['gauge'],
  rdt_build_info: ['gauge', { version: ['0.0.0-test'], node_version: [process.version] }],
}
const AT_ONE = ['rdt_config_last_reload_successful', 'rdt_build_info']

test('before the first call every series is there, at zero, and no other', async (t) => {
  const text = await textOf(await startPair(t))
  const types = [...text.matchAll(/^# TYPE (rdt_\w+) (\w+)$/gm)].map(([, name = '', type]) => [name, type])
  assert.deepEqual(
    Object.fromEntries(types),
    Object.fromEntries(Object.entries(METRICS).map(([name, [type]]) => [name, type])),
  )
  const samples = samplesIn(text)
  for (const [name, [type, labels = {}, told]] of Object.entries(METRICS)) {
    const found = samples.filter((sample) => sample.name === (type === 'histogram' ? `${name}_count` : name))
    const series = told ?? Object.values(labels).reduce((count, values) => count * values.length, 1)
    assert.equal(found.length, name === 'rdt_http_requests_total' ? 0 : series, name)
    for (const [label, values] of Object.entries(labels)) {
      const seen = new Set(found.map((sample) => sample.labels[label] ?? ''))
      assert.deepEqual([...seen].sort(), [...values].sort(), `${name} ${label}`)
    }
    for (const sample of found) {
      assert.deepEqual(Object.keys(sample.labels).sort(), Object.keys(labels).sort(), name)
      assert.equal(sample.value, AT_ONE.includes(name) ? 1 : 0, name)
    }
  }
})

test('the process and its event loop are measured too', async (t) => {
  const samples = await scrape(await startPair(t))
  const names = [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'process_open_fds',
    'nodejs_eventloop_lag_seconds',
    'nodejs_eventloop_lag_p99_seconds',
    'nodejs_heap_size_used_bytes',
    'nodejs_active_handles_total',
  ]
  for (const name of names)
    assert.ok(
      samples.some((sample) => sample.name === name && sample.value >= 0),
      name,
    )
})

type Counted = readonly [value: number, name: string, labels?: Record<string, string>]
const counts = async (pair: Pair, expected: readonly Counted[]): Promise<void> => {
  const samples = await settled(pair)
  for (const [value, name, labels] of expected)
    assert.equal(sumOf(samples, name, labels), value, `${name} ${JSON.stringify(labels)}`)
}
const startSpecific = (t: TestContext, options: PairOptions = {}) =>
  startPair(t, { ...options, env: { SIDECAR_RDT_SCOPE: 'specific', ...options.env } })

test('calls, lookups and mints are counted as they were done, and as the simulator saw them', async (t) => {
  const pair = await startSpecific(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ fail: [{ on: 'mint', times: 1, as: 503 }] })
  for (const order of ['1', '1', '2', '1']) await (await pair.call(`/orders/v0/orders/${order}/address`, token)).text()
  await (await pair.call('/sellers/v1/marketplaceParticipations', token)).text()
  await (await pair.call('/orders/v0/orders/1%2F2', token)).text()
  const route = 'orders-v0.getOrderAddress'
  await counts(pair, [
    [2, 'rdt_http_requests_total', { route, method: 'GET', code: '200', verdict: 'minted' }],
    [2, 'rdt_http_requests_total', { route, method: 'GET', code: '200', verdict: 'hit' }],
    [1, 'rdt_http_requests_total', { route: 'other', method: 'GET', code: '200', verdict: 'not-restricted' }],
    [1, 'rdt_http_requests_total', { route: 'other', method: 'GET', code: '400', verdict: 'rejected' }],
    [6, 'rdt_http_requests_total'],
    [1, 'rdt_http_rejections_total', { reason: 'unsafe-path' }],
    [1, 'rdt_http_rejections_total'],
    [4, 'rdt_http_request_duration_seconds_count', { route }],
    [pair.calls().length, 'rdt_http_overhead_seconds_count'],
    [2, 'rdt_token_lookups_total', { result: 'hit' }],
    [2, 'rdt_token_lookups_total', { result: 'miss' }],
    [4, 'rdt_token_lookups_total'],
    [2, 'rdt_token_cache_entries'],
    [2, 'rdt_mint_requests_total', { outcome: 'success', trigger: 'miss' }],
    [1, 'rdt_mint_requests_total', { outcome: 'server_error', trigger: 'miss' }],
    [pair.mints().length, 'rdt_mint_requests_total'],
    [pair.mints().length, 'rdt_mint_duration_seconds_count'],
    [3, 'rdt_mint_queue_wait_seconds_count'],
    [3, 'rdt_mint_resources_sum'],
  ])
  const mintedAt = sumOf(await scrape(pair), 'rdt_mint_last_success_timestamp_seconds')
  assert.ok(Math.abs(Date.now() / 1000 - mintedAt) < 60)
})

test('callers who wait together, refusals that are remembered, replays, and each trigger of a mint', async (t) => {
  const pair = await startSpecific(t, { env: { SIDECAR_MINT_MAX_RESOURCES: '1' } })
  const token = pair.simulator.accessToken()
  const verdict = async (target: string, init?: RequestInit) => verdictOf(await pair.call(target, token, init))
  await many(5, () => verdict('/orders/v0/orders/1'))
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  for (const _ of [1, 2, 3]) assert.equal(await verdict('/mfn/v0/shipments/1'), 'rejected;mint-refused')
  pair.simulator.control({ revoke: 'rdts' })
  assert.equal(await verdict('/orders/v0/orders/1'), 'replayed')
  const mint = (body: string) => verdict('/tokens/2021-03-01/restrictedDataToken', { method: 'POST', body })
  const restrictedResources = [{ method: 'GET', path: '/orders/v0/orders/2/address' }]
  assert.equal(await mint(JSON.stringify({ restrictedResources })), 'minted')
  assert.equal(await mint('{}'), 'not-restricted') // not of Amazon's model: goes as it is
  pair.simulator.control({ fail: [{ on: 'mint', times: 1, as: 'reset' }] })
  assert.equal(await mint('{}'), 'not-restricted')
  await counts(pair, [
    [4, 'rdt_token_lookups_total', { result: 'coalesced' }],
    [2, 'rdt_token_lookups_total', { result: 'negative' }],
    [1, 'rdt_token_lookups_total', { result: 'hit' }],
    [4, 'rdt_token_lookups_total', { result: 'miss' }],
    [1, 'rdt_mint_requests_total', { outcome: 'success', trigger: 'miss' }],
    [1, 'rdt_mint_requests_total', { outcome: 'refused', trigger: 'miss' }],
    [1, 'rdt_mint_requests_total', { outcome: 'success', trigger: 'replay' }],
    [1, 'rdt_mint_requests_total', { outcome: 'success', trigger: 'caller' }],
    [1, 'rdt_mint_requests_total', { outcome: 'refused', trigger: 'caller' }],
    [1, 'rdt_mint_requests_total', { outcome: 'network', trigger: 'caller' }],
    [pair.mints().length, 'rdt_mint_requests_total'],
    [1, 'rdt_replays_total', { outcome: 'cured' }],
    [0, 'rdt_replays_total', { outcome: 'failed' }],
    [1, 'rdt_token_evictions_total', { reason: 'rejected' }],
    [3, 'rdt_http_rejections_total', { reason: 'mint-refused' }],
  ])
})

test('restricted calls less mints are the mints saved, whatever the mixture', async (t) => {
  const pair = await startSpecific(t)
  const tokens = ['seller-a', 'seller-b'].map((seller) => pair.simulator.accessToken(seller))
  await many(60, async (i) => {
    await (await pair.call(`/orders/v0/orders/${i % 7}/address`, tokens[i % 2])).text()
  })
  const samples = await settled(pair)
  const served = samples.filter(
    ({ name, labels }) => name === 'rdt_http_requests_total' && ['hit', 'minted'].includes(labels['verdict'] ?? ''),
  )
  assert.equal(
    served.reduce((sum, { value }) => sum + value, 0),
    pair.calls().length,
  )
  assert.equal(sumOf(samples, 'rdt_mint_requests_total'), pair.mints().length)
  assert.ok(pair.mints().length < 14)
})

test('no label tells a seller, a token, a path or an id', async (t) => {
  const pair = await startSpecific(t)
  const token = pair.simulator.accessToken('CANARY')
  const targets = [
    '/orders/v0/orders/CANARY',
    '/CANARY?CANARY',
    '/orders/v0/orders/CANARY%2F',
    '/mfn/v0/shipments/CANARY',
  ]
  for (const target of targets) await (await pair.call(target, token, { method: 'GET' })).text()
  await (await pair.call('/CANARY', token, { method: 'PROPFIND' })).text()
  await settled(pair)
  assert.doesNotMatch(await textOf(pair), /CANARY|Atz|PROPFIND/)
})

test('a caller who leaves is counted, and not as an error of Amazon', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ fail: [{ on: 'call', times: 1, as: 'hang' }] })
  const abort = new AbortController()
  const call = pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken(), {
    signal: abort.signal,
  })
  await until(() => pair.calls().length > 0)
  abort.abort()
  await assert.rejects(call)
  await until(async () => sumOf(await scrape(pair), 'rdt_http_client_aborts_total') === 1)
  await counts(pair, [
    [1, 'rdt_http_requests_total', { code: '499' }],
    [0, 'rdt_upstream_errors_total'],
  ])
})

const SECRET = 'rdt_secret_last_success_timestamp_seconds'
const ADDRESS = '/orders/v0/orders/1/address'

/** When each configured secret last worked, by its place. */
const secretsOf = async (pair: Pair): Promise<Readonly<Record<string, number>>> => {
  const samples = (await scrape(pair)).filter(({ name }) => name === SECRET)
  return Object.fromEntries(samples.map(({ labels, value }) => [labels['secret'], value]))
}

test('each configured secret has a series from the start, named by its place, which rises with use', async (t) => {
  const folder = folderFor(t)
  const [both, audit] = [path.join(folder, 'both'), path.join(folder, 'audit')]
  writeFileSync(both, 'first-token\nsecond-token\n')
  writeFileSync(audit, 'audit-token\n')
  const managed = await startManaged(t, {
    sellers: ['seller-a', 'seller-b'],
    env: {
      SIDECAR_AUTH_CALLER_TOKEN_FILE: both,
      SIDECAR_AUTH_CALLERS: JSON.stringify([{ name: 'audit', tokenFile: audit }]),
    },
  })
  const places = [
    ...['sellers.0.clientSecret', 'sellers.0.refreshToken', 'sellers.1.clientSecret', 'sellers.1.refreshToken'],
    ...['auth.callerTokenFile.1', 'auth.callerTokenFile.2', 'auth.callers.0.1'],
  ]
  assert.deepEqual(await secretsOf(managed), Object.fromEntries(places.map((place) => [place, 0])))

  const begun = Date.now() / 1000
  const headers = { 'x-rdt-caller-token': 'second-token' }
  assert.equal((await managed.ask(ADDRESS, 'seller-b', { headers })).status, 200)
  const used = await secretsOf(managed)
  for (const place of places) {
    const worked = ['sellers.1.clientSecret', 'sellers.1.refreshToken', 'auth.callerTokenFile.2'].includes(place)
    const at = used[place] ?? Number.NaN
    assert.ok(worked ? at >= begun - 1 && at <= Date.now() / 1000 + 1 : at === 0, `${place} ${at}`)
  }
  assert.doesNotMatch(await textOf(managed), /seller-[ab]|first-token|second-token|audit/)
})

test('a secret that has changed starts anew; one whose seller is gone has no series', async (t) => {
  const sellers = ['seller-a', 'seller-b']
  const { files, callerTokenFile, ...managed } = await startManaged(t, { sellers })
  const reload = (rows: readonly object[]): void => {
    const loaded = loadConfig(undefined, {
      SIDECAR_PORT: '0',
      SIDECAR_ADMIN_PORT: '0',
      SIDECAR_ENDPOINT: managed.amazon,
      SIDECAR_LWA_ENDPOINT: `${managed.amazon}/auth/o2/token`,
      SIDECAR_AUTH_CALLER_TOKEN_FILE: callerTokenFile,
      SIDECAR_SELLERS: JSON.stringify(rows),
    })
    managed.sidecar.reload(loaded, 'file')
  }
  const rows = sellers.map((id) => files.row(id))
  for (const seller of sellers) assert.equal((await managed.ask(ADDRESS, seller)).status, 200)
  const before = await secretsOf(managed)
  assert.ok(Object.values(before).every((at) => at > 0))

  files.write('seller-b', 'no-such-secret')
  reload(rows)
  await until(async () => (await secretsOf(managed))['sellers.1.clientSecret'] === 0)
  await until(async () => sumOf(await scrape(managed), 'rdt_lwa_requests_total', { secret: 'previous' }) === 1)
  const fellBack = await secretsOf(managed)
  assert.equal(fellBack['sellers.1.clientSecret'], 0)
  assert.ok((fellBack['sellers.1.refreshToken'] ?? 0) >= (before['sellers.1.refreshToken'] ?? 0))

  reload(rows.slice(1))
  const left = await secretsOf(managed)
  assert.deepEqual(Object.keys(left), ['sellers.0.clientSecret', 'sellers.0.refreshToken', 'auth.callerTokenFile.1'])
  assert.equal(left['sellers.0.clientSecret'], 0) // it is seller-b's now
})

test('requests to Login with Amazon are counted as they were answered, and by which secrets were used', async (t) => {
  const { files, callerTokenFile, ...managed } = await startManaged(t)
  managed.simulator.control({ fail: [{ on: 'lwa', times: 1, as: 503 }] })
  assert.equal((await managed.ask(ADDRESS)).status, 200)
  assert.equal((await managed.ask(ADDRESS)).status, 200)
  await counts(managed, [
    [1, 'rdt_lwa_requests_total', { outcome: 'server_error', secret: 'current' }],
    [1, 'rdt_lwa_requests_total', { outcome: 'success', secret: 'current' }],
    [managed.lwa().length, 'rdt_lwa_requests_total'],
    [managed.lwa().length, 'rdt_lwa_request_duration_seconds_count'],
  ])
})

test('data listeners that take plaintext from other machines are counted', async (t) => {
  const open = { SIDECAR_HOST: '0.0.0.0', SIDECAR_INSECURE_LISTEN: 'true' }
  await counts(await startPair(t, { env: open }), [[1, 'rdt_insecure_listeners']])
})

test('those on TLS are not', { skip: noOpenssl }, async (t) => {
  const { certFile, keyFile } = selfSigned(folderFor(t), 'rdt')
  const env = { SIDECAR_HOST: '0.0.0.0', SIDECAR_TLS_CERT_FILE: certFile, SIDECAR_TLS_KEY_FILE: keyFile }
  await counts(await startPair(t, { env }), [[0, 'rdt_insecure_listeners']])
})
