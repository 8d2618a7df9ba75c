import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { PAGE_PATHS } from '../../src/admin/page.ts'
import { run } from '../support/cli.ts'
import { startManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { startPair } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'

const AMAZON_DOWN = 'http://127.0.0.1:9'

test('the page and all of its files come from the listener, under a policy that lets them load nothing else', async (t) => {
  const { admin } = await startPair(t, { endpoint: AMAZON_DOWN })
  const policies = new Set<string>()
  for (const file of PAGE_PATHS) {
    const answer = await supertest(admin).get(file).expect(200)
    assert.ok(Number(answer.get('content-length')) > 100, file)
    assert.equal(answer.get('x-content-type-options'), 'nosniff')
    policies.add(answer.get('content-security-policy') ?? 'none')
    // a namespace is no address to load from
    const text = (answer.text ?? String(answer.body)).replaceAll('http://www.w3.org/2000/svg', '')
    assert.doesNotMatch(text.replace(/^\/\*!.*$/m, ''), /https?:\/\/|@import|url\(/, file)
  }
  assert.deepEqual([...policies].length, 1)
  const [policy = ''] = policies
  const directives = Object.fromEntries(policy.split('; ').map((one) => one.split(/ (.*)/s, 2)))
  assert.deepEqual(directives, {
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self'",
    'connect-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    'require-trusted-types-for': "'script'",
    'trusted-types': "'none'",
  })
  await supertest(admin)
    .get('/')
    .expect('content-type', /^text\/html/)
  await supertest(admin)
    .get('/page/main.js')
    .expect('content-type', /^text\/javascript/)
})

test('nothing but the page’s own files is served beside it, and only to those who read', async (t) => {
  const { admin } = await startPair(t, { endpoint: AMAZON_DOWN })
  const others = ['/page', '/page/', '/PAGE/main.js', '/page/main.js/', '/page/%2e%2e/admin.ts', '/page/tsconfig.json']
  for (const other of others) await supertest(admin).get(other).expect(404)
  for (const way of ['/page/../admin.ts', '/page/..%2fadmin.ts', '//etc/passwd', '/page/main.js%00']) {
    const request = `GET ${way} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
    assert.match(await exchange(Number(new URL(admin).port), request), /^HTTP\/1\.1 40[04] /, way)
  }
  for (const file of ['/', '/page/main.js', '/explain'])
    for (const method of ['post', 'put', 'delete', 'patch'] as const) await supertest(admin)[method](file).expect(404)
})

test('a browser that has the page asks whether it has changed, and gets it no second time', async (t) => {
  const { admin } = await startPair(t, { endpoint: AMAZON_DOWN })
  const first = await supertest(admin).get('/page/uplot.js').expect(200).expect('cache-control', 'no-cache')
  await supertest(admin)
    .get('/page/uplot.js')
    .set('if-none-match', first.get('etag') ?? '')
    .expect(304)
  await supertest(admin).get('/status').expect('cache-control', 'no-store')
})

const CALLS: readonly (readonly [string, string])[] = [
  ['GET', '/orders/v0/orders/902-1/orderItems'],
  ['get', '/orders/v0/orders?MarketplaceIds=A1&CreatedAfter=2026-01-01'],
  ['GET', '/reports/2021-06-30/documents/amzn1.spdoc.1'],
  ['POST', '/vendor/directFulfillment/shipping/2021-12-28/shippingLabels/PO1'],
  ['GET', '/sellers/v1/marketplaceParticipations'],
  ['GET', '/listings/2021-08-01/items/A1/a%2Fb'],
  ['GET', '/orders/v0/orders/..%2f902-1/address'],
  ['GET', '/orders/v0//orders'],
  ['GET', 'orders'],
  ['GET', '/orders/v0/orders/%'],
]

test('/explain answers what the command explain answers', async (t) => {
  const env = { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_RDT_DATA_ELEMENTS: '[buyerInfo]' }
  const { admin } = await startPair(t, { endpoint: AMAZON_DOWN, env })
  for (const [method, path] of CALLS) {
    const { body } = await supertest(admin).get('/explain').query({ method, path }).expect(200)
    const { out } = await run(t, ['explain', method, path, '--json'], env)
    assert.equal(JSON.stringify(body), out.trim(), `${method} ${path}`)
  }
})

test('/explain follows a configuration that was read again', async (t) => {
  const pair = await startPair(t, { endpoint: AMAZON_DOWN })
  const ask = async () =>
    (await supertest(pair.admin).get('/explain?method=GET&path=/orders/v0/orders/1/address')).body.resource
  assert.equal(await ask(), 'GET /orders/v0/orders/{orderId}/address')
  pair.reload({ SIDECAR_RDT_SCOPE: 'specific' })
  assert.equal(await ask(), 'GET /orders/v0/orders/1/address')
})

test('/explain says what it wants of a question that is none', async (t) => {
  const { admin } = await startPair(t, { endpoint: AMAZON_DOWN })
  for (const query of [
    '',
    '?method=GET',
    '?path=/',
    '?method=&path=/',
    '?method=GET&path=/&path=/x',
    '?method=GET&path=/&json=1',
  ]) {
    const { body } = await supertest(admin).get(`/explain${query}`).expect(400)
    assert.match(body.error, /method=GET&path=/)
  }
})

test('the audit stream tells of whoever reads again and again once a minute, of a refusal to read at once', async (t) => {
  let time = 0
  const pair = await startPair(t, { endpoint: AMAZON_DOWN, overrides: { now: () => performance.now() + time } })
  const audited = () =>
    pair.lines
      .map((line) => JSON.parse(line))
      .filter(({ log, event }) => log === 'audit' && event === 'admin')
      .map(({ action, status }) => `${action} ${status}`)
  for (let i = 0; i < 5; i += 1) for (const what of ['/', '/status', '/explain']) await fetch(pair.admin + what)
  await fetch(`${pair.admin}/explain?method=GET&path=/CANARY`)
  await until(() => audited().length === 4)
  assert.deepEqual(audited(), ['page 200', 'status 200', 'explain 400', 'explain 200'])
  time = 61_000
  await fetch(`${pair.admin}/status`)
  await until(() => audited().length === 5)
  assert.equal(audited().at(-1), 'status 200')
  assert.doesNotMatch(pair.lines.join(''), /CANARY/)
})

test('neither page nor /status nor /explain tells a token, a seller, a credential or a path with ids', async (t) => {
  const managed = await startManaged(t, { sellers: ['seller-canary'] })
  const own = managed.simulator.accessToken('seller-own-canary')
  const headers = { 'x-amz-access-token': own }
  managed.simulator.control({ denyOperations: ['mfn-v0.getShipment'], revokeRefreshTokens: ['Atzr|seller-canary'] })
  await managed.ask('/orders/v0/orders/order-canary/address', 'seller-canary')
  await managed.ask('/orders/v0/orders/order-canary/address', 'unknown-canary')
  for (const path of [
    '/orders/v0/orders/order-canary/address',
    '/mfn/v0/shipments/order-canary',
    '/orders/v0/orders/..%2forder-canary',
  ])
    await fetch(managed.base + path, { headers })
  const { text, body } = await supertest(managed.admin).get('/status').expect(200)
  const kinds = body.problems.map(({ kind }: { kind: string }) => kind).sort()
  assert.deepEqual(kinds, ['lwa-failed', 'lwa-refused', 'mint-refused', 'unknown-seller', 'unsafe-path'])
  assert.doesNotMatch(text, /canary|Atz|simulated-secret|caller-token|"who"/i)
  for (const { credential } of managed.lines.map((line) => JSON.parse(line)))
    if (credential) assert.ok(!text.includes(credential))
})
