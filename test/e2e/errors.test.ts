import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import supertest from 'supertest'
import { until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { firstErrorOf, startPair } from '../support/pair.ts'
import { closedPort, rawUpstream } from '../support/raw.ts'

const ADDRESS = '/orders/v0/orders/1/address'
const OPEN = '/sellers/v1/marketplaceParticipations'

const expectError = async (answer: Response, name: string, status: number, code: string) => {
  assert.equal(answer.headers.get('x-rdt-error'), name)
  assert.equal(answer.status, status)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
  const error = await firstErrorOf(answer)
  assert.equal(error.code, code)
  assert.ok(error.message.length > 0 && typeof error.details === 'string')
  return error
}

test('unsafe-path', async (t) => {
  const pair = await startPair(t)
  const answer = await pair.call('/orders/v0/orders/1%2Faddress', pair.simulator.accessToken())
  await expectError(answer, 'unsafe-path', 400, 'InvalidInput')
  assert.equal(answer.headers.get('x-rdt-verdict'), 'rejected;unsafe-path')
  assert.deepEqual(pair.simulator.log(), [])
  assert.equal(await metric(pair, 'rdt_http_rejections_total{reason="unsafe-path"}'), 1)
})

test('invalid-header', async (t) => {
  const pair = await startPair(t)
  const answer = await pair.call(ADDRESS, pair.simulator.accessToken(), { headers: { 'x-rdt-scope': 'all' } })
  const { message } = await expectError(answer, 'invalid-header', 400, 'InvalidInput')
  assert.equal(message, 'x-rdt-scope must be generic or specific')
  assert.deepEqual(pair.simulator.log(), [])
})

test('missing-token: a restricted call without one; an unrestricted call is none of our business', async (t) => {
  const pair = await startPair(t)
  await expectError(await pair.call(ADDRESS), 'missing-token', 403, 'Unauthorized')
  await expectError(
    await pair.call(ADDRESS, '', { headers: { 'x-amz-access-token': '' } }),
    'missing-token',
    403,
    'Unauthorized',
  )
  assert.deepEqual(pair.simulator.log(), [])
  const open = await pair.call(OPEN)
  assert.equal(open.headers.get('x-rdt-error'), null)
  assert.equal(open.status, 403)
})

test('body-too-large: declared, and found out while it streams in chunks', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_LIMITS_BODY_BYTES: '1000' } })
  const token = pair.simulator.accessToken()
  const chunked = new ReadableStream({
    pull: (controller) => {
      for (let i = 0; i < 3; i += 1) controller.enqueue(new Uint8Array(500))
      controller.close()
    },
  })
  for (const body of [Buffer.alloc(1001), chunked]) {
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    await expectError(await pair.call('/mfn/v0/shipments', token, init), 'body-too-large', 413, 'RequestTooLarge')
  }
  assert.deepEqual(pair.simulator.log(), [])
  const fits = await pair.call('/mfn/v0/shipments', token, { method: 'POST', body: Buffer.alloc(1000, ' ') })
  assert.equal(fits.headers.get('x-rdt-error'), null)
})

test("mint-refused: Amazon's status, code, message and request id, and what to do", async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ denyElements: ['shippingAddress'] })
  const answer = await pair.call('/orders/v0/orders/1', pair.simulator.accessToken())
  const error = await expectError(answer, 'mint-refused', 400, 'InvalidInput')
  assert.equal(
    error.message,
    'Application does not have access to one or more requested data elements: [shippingAddress]',
  )
  assert.match(error.details, /GET \/orders\/v0\/orders\/\{orderId\} with data elements \[buyerInfo, shippingAddress\]/)
  assert.match(error.details, /ask for fewer/)
  assert.ok(answer.headers.get('x-amzn-requestid'))
  assert.equal(answer.headers.get('x-rdt-verdict'), 'rejected;mint-refused')
  assert.deepEqual(pair.calls(), [])
})

test('mint-refused for a token that Amazon does not know', async (t) => {
  const pair = await startPair(t)
  const error = await expectError(await pair.call(ADDRESS, 'Atza|made-up'), 'mint-refused', 403, 'Unauthorized')
  assert.match(error.details, /send a fresh one/)
})

test('mint-throttled: the queue is full, Retry-After says when to come back', async (t) => {
  const pair = await startPair(t, {
    env: {
      SIDECAR_RDT_SCOPE: 'specific',
      SIDECAR_MINT_MAX_RESOURCES: '1',
      SIDECAR_MINT_BURST: '2',
      SIDECAR_MINT_MAX_WAIT_MS: '1500',
    },
  })
  const token = pair.simulator.accessToken()
  const answers = await Promise.all([1, 2, 3, 4, 5].map((n) => pair.call(`/mfn/v0/shipments/${n}`, token)))
  const refused = answers.filter(({ status }) => status === 429)
  assert.equal(answers.filter(({ status }) => status === 200).length, 3)
  assert.equal(refused.length, 2)
  for (const answer of refused) {
    assert.ok(Number(answer.headers.get('retry-after')) >= 1)
    await expectError(answer, 'mint-throttled', 429, 'QuotaExceeded')
  }
})

const TROUBLE = [500, 503, 'reset', 'garbage', 'html', 'cut', 'empty'] as const
for (const as of TROUBLE) {
  test(`mint-unavailable: the Tokens API answers ${as} and goes on doing so`, async (t) => {
    const pair = await startPair(t)
    pair.simulator.control({ fail: [{ on: 'mint', times: 99, as }] })
    const answer = await pair.call(ADDRESS, pair.simulator.accessToken())
    assert.equal(answer.headers.get('retry-after'), '1')
    await expectError(answer, 'mint-unavailable', 503, 'ServiceUnavailable')
    assert.equal(pair.mints().length, 3)
    assert.deepEqual(pair.calls(), [])
  })
}

test('mint-unavailable: the Tokens API hangs, and the caller is told within mint.maxWaitMs', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_MAX_WAIT_MS: '300' } })
  pair.simulator.control({ fail: [{ on: 'mint', times: 99, as: 'hang' }] })
  const from = performance.now()
  const answer = await pair.call(ADDRESS, pair.simulator.accessToken())
  await expectError(answer, 'mint-unavailable', 503, 'ServiceUnavailable')
  assert.ok(performance.now() - from < 2000)
})

for (const [status, times] of [
  [500, 1],
  [503, 2],
] as const) {
  test(`a Tokens API that answers ${status} ${times} times costs the caller nothing but time`, async (t) => {
    const pair = await startPair(t)
    pair.simulator.control({ fail: [{ on: 'mint', times, as: status }] })
    const answer = await pair.call(ADDRESS, pair.simulator.accessToken())
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('x-rdt-verdict'), 'minted')
  })
}

test('rdt.onMintFailure: forward sends the call with the token of the caller, and the verdict says so', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
  pair.simulator.control({ denyOperations: ['orders-v0.getOrderAddress'] })
  const refused = await pair.call(ADDRESS, pair.simulator.accessToken())
  assert.equal(refused.headers.get('x-rdt-verdict'), 'fallback;mint-refused')
  assert.deepEqual(
    pair.calls().map(({ token, pii }) => [token, pii]),
    [['lwa', false]],
  )
  pair.simulator.control({ reset: true, fail: [{ on: 'mint', times: 9, as: 500 }] })
  const down = await pair.call('/orders/v0/orders/1', pair.simulator.accessToken())
  assert.equal(down.headers.get('x-rdt-verdict'), 'fallback;mint-unavailable')
  assert.equal(down.status, 200)
})

test('upstream-unreachable: refused, and reset before an answer', async (t) => {
  const refused = await startPair(t, { endpoint: await closedPort() })
  await expectError(await refused.call(OPEN), 'upstream-unreachable', 502, 'BadGateway')
  assert.equal(await metric(refused, 'rdt_upstream_errors_total{reason="connect"}'), 1)
  const resetting = await rawUpstream(t, (_request, socket) => void socket.resetAndDestroy())
  const reset = await startPair(t, { endpoint: resetting.url })
  await expectError(await reset.call(OPEN), 'upstream-unreachable', 502, 'BadGateway')
  assert.equal(resetting.requests.length, 1, 'never sent twice')
  assert.equal(await metric(reset, 'rdt_upstream_errors_total{reason="reset"}'), 1)
})

test('upstream-timeout: silence, told within upstream.responseTimeoutMs, never sent twice', async (t) => {
  const silent = await rawUpstream(t, () => {})
  const pair = await startPair(t, { endpoint: silent.url, env: { SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: '200' } })
  await expectError(
    await pair.call(OPEN, undefined, { method: 'POST', body: 'x' }),
    'upstream-timeout',
    504,
    'GatewayTimeout',
  )
  assert.equal(silent.requests.length, 1)
  assert.equal(await metric(pair, 'rdt_upstream_errors_total{reason="timeout"}'), 1)
})

test('upstream-timeout: a TLS handshake that hangs, told within upstream.connectTimeoutMs', async (t) => {
  const silent = await rawUpstream(t, () => {})
  const endpoint = silent.url.replace('http:', 'https:')
  const pair = await startPair(t, { endpoint, env: { SIDECAR_UPSTREAM_CONNECT_TIMEOUT_MS: '200' } })
  const { details } = await expectError(await pair.call(OPEN), 'upstream-timeout', 504, 'GatewayTimeout')
  assert.match(details, /nothing was sent/)
  assert.equal(await metric(pair, 'rdt_upstream_errors_total{reason="connect"}'), 1)
})

test('upstream-timeout: no connection of the pool comes free in time, and the call is not sent later', async (t) => {
  const silent = await rawUpstream(t, () => {})
  const pair = await startPair(t, {
    endpoint: silent.url,
    env: {
      SIDECAR_UPSTREAM_MAX_CONNECTIONS: '1',
      SIDECAR_UPSTREAM_CONNECT_TIMEOUT_MS: '200',
      SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: '700',
    },
  })
  const first = pair.call(OPEN)
  const second = await pair.call('/sellers/v1/second')
  const waited = await expectError(second, 'upstream-timeout', 504, 'GatewayTimeout')
  const sent = await expectError(await first, 'upstream-timeout', 504, 'GatewayTimeout')
  assert.match(waited.details, /nothing was sent/)
  assert.equal(await metric(pair, 'rdt_upstream_errors_total{reason="connect"}'), 1)
  assert.match(sent.details, /may have been carried out/)
  assert.equal(silent.requests.length, 1)
})

test('draining: the call in flight is finished, one that has just begun is refused, both connections end with the answer', async (t) => {
  let finish = () => {}
  const upstream = await rawUpstream(t, (_request, socket) => {
    finish = () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  })
  const pair = await startPair(t, { endpoint: upstream.url })
  const callers = [connect(pair.port, '127.0.0.1'), connect(pair.port, '127.0.0.1')] as const
  const answers = callers.map((socket) => text(socket))
  const [first, second] = callers
  first.write(`GET ${OPEN} HTTP/1.1\r\nHost: x\r\n\r\n`)
  second.write(`GET ${OPEN} HTTP/1.1\r\n`)
  await until(() => upstream.requests.length === 1)
  const closing = pair.close()
  assert.equal((await fetch(`${pair.admin}/readyz`)).status, 503)
  assert.equal((await fetch(`${pair.admin}/livez`)).status, 200)
  second.write('Host: x\r\n\r\n')
  await until(async () => (await metric(pair, 'rdt_http_rejections_total{reason="draining"}')) === 1)
  finish()
  assert.equal(await closing, 0)
  const [served, refused] = await Promise.all(answers)
  assert.match(served ?? '', /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*ok$/i)
  assert.match(refused ?? '', /^HTTP\/1\.1 503 [\s\S]*x-rdt-error: draining\r\n/)
  assert.equal(upstream.requests.length, 1)
})

test('overloaded: one call more than limits.requestsInFlight; probes are exempt', async (t) => {
  const silent = await rawUpstream(t, () => {})
  const pair = await startPair(t, {
    endpoint: silent.url,
    env: { SIDECAR_LIMITS_REQUESTS_IN_FLIGHT: '1', SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: '500' },
  })
  const first = pair.call(OPEN)
  await until(() => silent.requests.length === 1)
  const answer = await pair.call(OPEN)
  assert.equal(answer.headers.get('retry-after'), '1')
  await expectError(answer, 'overloaded', 503, 'ServiceUnavailable')
  await supertest(pair.admin).get('/readyz').expect(200)
  await first
})
