/** A token that Amazon no longer takes: cured once, for all who suffer; anything else is passed on. */
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { answerTo, open } from '../support/http-client.ts'
import { serveHttp } from '../support/listen.ts'
import { after, many } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { firstErrorOf, startPair, verdictOf } from '../support/pair.ts'
import { bodyOf, LWA, valuesOf } from '../support/recording-upstream.ts'
import { startWorld } from '../support/wire.ts'

const ADDRESS = '/orders/v0/orders/1/address'
const SHIPMENTS = '/mfn/v0/shipments'
const EXPIRED = 'The access token you provided has expired.'
const denied = (details: string) =>
  JSON.stringify({ errors: [{ message: 'Access to requested resource is denied.', code: 'Unauthorized', details }] })

const UNSUPPORTED = JSON.stringify({
  errors: [{ code: 'InvalidInput', message: 'Invalid or unsupported document ID found' }],
})

test('revoked: the call is answered as if nothing had happened, one mint for twenty who suffer', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(ADDRESS, token)
  pair.simulator.control({ revoke: 'rdts', latencyMs: { call: 800 } }) // all are on their way before the first comes back
  const answers = await many(20, (i) => pair.call(`/orders/v0/orders/${i}/address`, token))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.deepEqual(new Set(answers.map(verdictOf)), new Set(['replayed']))
  assert.equal(pair.mints().length, 2)
  assert.equal(verdictOf(await pair.call(ADDRESS, token)), 'hit')
  assert.equal(await metric(pair, 'rdt_replays_total{outcome="cured"}'), 20)
  assert.equal(await metric(pair, 'rdt_replays_total{outcome="failed"}'), 0)
  assert.equal(await metric(pair, 'rdt_token_evictions_total{reason="rejected"}'), 1)
  assert.equal(await metric(pair, 'rdt_mint_requests_total{outcome="success",trigger="replay"}'), 1)
})

test('an RDT that several resources share is dropped for all of them by the first who suffers', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_BATCH_WINDOW_MS: '60' } })
  const token = pair.simulator.accessToken()
  const paths = [ADDRESS, '/orders/v0/orders/1/buyerInfo', '/mfn/v0/shipments/1']
  await Promise.all(paths.map((path) => pair.call(path, token)))
  assert.equal(pair.mints().length, 1)
  pair.simulator.control({ revoke: 'rdts' })
  assert.equal(verdictOf(await pair.call(ADDRESS, token)), 'replayed')
  const others = await Promise.all(paths.slice(1).map((path) => pair.call(path, token)))
  assert.deepEqual(others.map(verdictOf), ['minted', 'minted'])
})

test('a body is sent again byte for byte: buying postage with an expired RDT buys it once', async (t) => {
  let refusals = 1
  const body = '{"ShipmentRequestDetails":{"AmazonOrderId":"\u00e9"}}'
  const world = await startWorld(t, {
    answer: (_req, res) => {
      if (refusals-- > 0) res.writeHead(403).end(denied(EXPIRED))
      else res.end('{"payload":{}}')
    },
  })
  const headers = { 'x-amz-access-token': LWA, 'content-type': 'application/json' }
  const answer = await fetch(world.base + SHIPMENTS, { method: 'POST', body, headers })
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'replayed'])
  assert.equal(world.upstream.calls.length, 2)
  for (const call of world.upstream.calls) {
    assert.equal(Buffer.concat(call.chunks).toString(), body)
    assert.deepEqual(valuesOf(call, 'content-length'), [String(Buffer.byteLength(body))])
  }
})

test('a DELETE without a body goes out the second time as it did the first', async (t) => {
  let refusals = 1
  const world = await startWorld(t, {
    answer: (_req, res) => {
      if (refusals-- > 0) res.writeHead(403).end(denied(EXPIRED))
      else res.end('{}')
    },
  })
  const answer = await fetch(`${world.base}/mfn/v0/shipments/1`, {
    method: 'DELETE',
    headers: { 'x-amz-access-token': LWA },
  })
  assert.equal(verdictOf(answer), 'replayed')
  const [first, second] = world.upstream.calls
  assert.deepEqual(second?.rawHeaders, first?.rawHeaders)
  assert.ok(second && bodyOf(second) === '' && valuesOf(second, 'transfer-encoding').length === 0)
})

test('a replay that fails again is passed on as it came', async (t) => {
  const world = await startWorld(t, {
    answer: (_req, res) => void res.writeHead(403, { 'x-amzn-requestid': 'r-2' }).end(denied(EXPIRED)),
  })
  const answer = await fetch(world.base + ADDRESS, { headers: { 'x-amz-access-token': LWA } })
  assert.deepEqual([answer.status, verdictOf(answer)], [403, 'replayed'])
  assert.equal(answer.headers.get('x-amzn-requestid'), 'r-2')
  assert.equal(answer.headers.get('x-rdt-error'), null)
  assert.equal(await answer.text(), denied(EXPIRED))
  assert.deepEqual([world.upstream.calls.length, world.upstream.mints.length], [2, 2])
  assert.equal(await metric(world.pair, 'rdt_replays_total{outcome="failed"}'), 1)
})

test('where no new RDT can be had either, the caller is told why', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(ADDRESS, token)
  pair.simulator.control({ revoke: 'all' })
  const answer = await pair.call(ADDRESS, token)
  assert.deepEqual([answer.status, verdictOf(answer)], [403, 'rejected;mint-refused'])
  assert.match((await firstErrorOf(answer)).details, /send a fresh one/)
  assert.equal(pair.calls().length, 2)
})

test('where no new RDT can be had and rdt.onMintFailure is forward, the call goes out with the own token of the caller', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
  const token = pair.simulator.accessToken()
  await pair.call(ADDRESS, token)
  pair.simulator.control({ revoke: 'rdts', denyOperations: [], fail: [{ on: 'mint', times: 9, as: 500 }] })
  const answer = await pair.call(ADDRESS, token)
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'fallback;mint-unavailable'])
  assert.deepEqual(
    pair.calls().map((call) => call.token),
    ['rdt', 'revoked', 'lwa'],
  )
})

const PASSED: readonly (readonly [string, (res: ServerResponse) => void, number, Buffer])[] = [
  ['403 with empty details', (res) => void res.writeHead(403).end(denied('')), 403, Buffer.from(denied(''))],
  ['403 that is no JSON', (res) => void res.writeHead(403).end('<html>expired'), 403, Buffer.from('<html>expired')],
  ['403 without a body', (res) => void res.writeHead(403).end(), 403, Buffer.alloc(0)],
  [
    '403 of a megabyte',
    (res) => void res.writeHead(403).end(Buffer.alloc(1_048_576, 'expired')),
    403,
    Buffer.alloc(1_048_576, 'expired'),
  ],
  ['401', (res) => void res.writeHead(401).end(denied(EXPIRED)), 401, Buffer.from(denied(EXPIRED))],
  ['500', (res) => void res.writeHead(500).end(denied(EXPIRED)), 500, Buffer.from(denied(EXPIRED))],
]
for (const [what, answer, status, body] of PASSED) {
  test(`passed on untouched, nothing evicted, no loop: ${what}`, async (t) => {
    const world = await startWorld(t, {
      answer: (_req, res) => {
        res.setHeader('x-amzn-requestid', 'r-1')
        res.setHeader('set-cookie', ['a=1', 'b=2'])
        answer(res)
      },
    })
    for (const verdict of ['minted', 'hit']) {
      const got = await fetch(world.base + ADDRESS, { headers: { 'x-amz-access-token': LWA } })
      assert.deepEqual([got.status, verdictOf(got)], [status, verdict])
      assert.ok(Buffer.from(await got.arrayBuffer()).equals(body))
      assert.equal(got.headers.get('x-amzn-requestid'), 'r-1')
      assert.deepEqual(got.headers.getSetCookie(), ['a=1', 'b=2'])
      assert.equal(got.headers.get('x-rdt-error'), null)
    }
    assert.deepEqual([world.upstream.calls.length, world.upstream.mints.length], [2, 1])
  })
}

test('details are read through gzip too, and what is passed on is still gzip', async (t) => {
  for (const [details, status, calls] of [
    [EXPIRED, 200, 2],
    ['', 403, 1],
  ] as const) {
    let refusals = 1
    const packed = gzipSync(denied(details))
    const world = await startWorld(t, {
      answer: (_req, res) => {
        if (refusals-- > 0) res.writeHead(403, { 'content-encoding': 'gzip' }).end(packed)
        else res.end('{}')
      },
    })
    const headers = { 'x-amz-access-token': LWA, 'accept-encoding': 'gzip' }
    const answer = await answerTo(open(world.base, 'GET', ADDRESS, headers).end())
    const bytes = Buffer.concat(await answer.toArray())
    assert.equal(answer.statusCode, status)
    if (status === 403) assert.ok(bytes.equals(packed))
    assert.equal(world.upstream.calls.length, calls)
  }
})

const AMBIGUOUS: readonly (readonly [string, (req: IncomingMessage, res: ServerResponse) => void])[] = [
  ['a reset', (req) => void req.socket.destroy()],
  ['silence', () => {}],
  ['a 503', (_req, res) => void res.writeHead(503).end(denied(EXPIRED))],
  [
    'a 403 that breaks off',
    (_req, res) => {
      res.writeHead(403, { 'content-length': '1000' })
      res.write(denied(EXPIRED), () => res.destroy())
    },
  ],
]
for (const [what, answer] of AMBIGUOUS) {
  test(`never sent twice after ${what}`, async (t) => {
    const world = await startWorld(t, { answer, env: { SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: '200' } })
    const headers = { 'x-amz-access-token': LWA }
    await fetch(world.base + SHIPMENTS, { method: 'POST', body: '{}', headers }).then(
      (got) => got.arrayBuffer(),
      () => undefined,
    )
    assert.deepEqual([world.upstream.calls.length, world.upstream.mints.length], [1, 1])
  })
}

test("a caller's own RDT is never replaced", async (t) => {
  const pair = await startPair(t)
  const answer = await pair.call(ADDRESS, 'Atz.sprdt|stale')
  assert.deepEqual([answer.status, verdictOf(answer)], [403, 'caller-rdt'])
  assert.deepEqual([pair.calls().length, pair.mints().length], [1, 0])
})

test('the caller leaves while the new RDT is minted: nothing goes out for them', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(ADDRESS, token)
  pair.simulator.control({ revoke: 'rdts', latencyMs: { mint: 200 } })
  const abort = new AbortController()
  const call = pair.call(ADDRESS, token, { signal: abort.signal })
  setTimeout(() => abort.abort(), 100)
  await assert.rejects(call)
  await after(300)
  assert.equal(pair.calls().length, 2)
})

test('overhead counts what is ours, not the trip to Amazon that was in vain', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(ADDRESS, token)
  pair.simulator.control({ revoke: 'rdts', latencyMs: { call: 400, mint: 400 } })
  assert.equal(verdictOf(await pair.call(ADDRESS, token)), 'replayed')
  const overheadS = await metric(pair, 'rdt_http_overhead_seconds_sum')
  assert.ok(overheadS < 0.3, `${overheadS} s`)
})

test('a document whose RDT ended, and that Amazon no longer calls restricted, goes out with the own token of the caller, and no third time', async (t) => {
  let mints = 0
  const url = await serveHttp(t, async (req, res) => {
    for await (const _ of req);
    const token = String(req.headers['x-amz-access-token'])
    seen.push(`${req.method} ${token.slice(0, 8)}`)
    if (req.method === 'POST' && ++mints === 1)
      return void res.end('{"restrictedDataToken":"Atz.sprdt|x","expiresIn":3600}')
    if (req.method === 'POST') return void res.writeHead(400).end(UNSUPPORTED)
    res.writeHead(403).end(denied(token === LWA ? '' : EXPIRED))
  })
  const seen: string[] = []
  const pair = await startPair(t, { endpoint: url })
  const answer = await pair.call('/reports/2021-06-30/documents/amzn1.spdoc.1', LWA)
  assert.deepEqual([answer.status, verdictOf(answer)], [403, 'unrestricted-report'])
  assert.deepEqual(seen, ['POST Atza|cal', 'GET Atz.sprd', 'POST Atza|cal', 'GET Atza|cal'])
})

test('a caller of HTTP/1.0 gets a chunked 403 without chunks', async (t) => {
  const world = await startWorld(t, {
    answer: (_req, res) => {
      res.writeHead(403)
      res.write(denied('').slice(0, 10))
      res.end(denied('').slice(10))
    },
  })
  const answer = await world.send(`GET ${ADDRESS} HTTP/1.0`, [`x-amz-access-token: ${LWA}`])
  assert.deepEqual([answer.status, answer.values('transfer-encoding'), answer.body], [403, [], denied('')])
})

test('overhead does not count the time a caller takes to send its body', async (t) => {
  const pair = await startPair(t)
  const headers = { 'x-amz-access-token': pair.simulator.accessToken(), 'content-length': '2' }
  const request = open(pair.base, 'POST', SHIPMENTS, headers)
  request.write('{')
  setTimeout(() => request.end('}'), 500)
  await (await answerTo(request)).toArray()
  const overheadS = await metric(pair, 'rdt_http_overhead_seconds_sum')
  assert.ok(overheadS < 0.3, `${overheadS} s`)
})
