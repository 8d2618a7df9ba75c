import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { createPoster } from '../../src/post.ts'
import { createTokensApi } from '../../src/rdt/tokens-api.ts'
import { EXPIRY } from '../support/expiry.ts'
import { serveHttp } from '../support/listen.ts'
import { closedPort } from '../support/raw.ts'

const CANARY = 'Atza|canary-access-token'
const NEED = {
  resources: [{ method: 'GET', path: '/orders/v0/orders/{orderId}', dataElements: ['buyerInfo'] }],
  targetApplication: undefined,
} as const

const mint = (origin: string, timeoutMs = 2000) =>
  createTokensApi(createPoster({ fetch, timeoutMs, userAgent: 'rdt-sidecar/test' })).mint({
    origin,
    accessToken: CANARY,
    need: NEED,
  })

const answering =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers })
    res.end(body)
  }
const amazon = (code: string, message: string) => JSON.stringify({ errors: [{ message, code, details: '' }] })
const token = (expiresIn: unknown) => JSON.stringify({ restrictedDataToken: 'Atz.sprdt|x', expiresIn })

test('the request is the one of the Tokens API model', async (t) => {
  const seen: unknown[] = []
  const origin = await serveHttp(t, async (req, res) => {
    let body = ''
    for await (const chunk of req) body += chunk
    const { 'x-amz-access-token': accessToken, 'content-type': type, 'user-agent': agent } = req.headers
    seen.push([req.method, req.url, accessToken, type, agent, JSON.parse(body)])
    res.end(token(3600))
  })
  await mint(origin)
  const body = {
    restrictedResources: [{ method: 'GET', path: '/orders/v0/orders/{orderId}', dataElements: ['buyerInfo'] }],
  }
  assert.deepEqual(seen, [
    ['POST', '/tokens/2021-03-01/restrictedDataToken', CANARY, 'application/json', 'rdt-sidecar/test', body],
  ])
})

for (const [what, expiresIn, expiresInMs] of EXPIRY) {
  test(`expiresIn is read, never assumed: ${what}`, async (t) => {
    const answer = await mint(await serveHttp(t, answering(200, token(expiresIn))))
    assert.deepEqual(answer, { kind: 'success', rdt: 'Atz.sprdt|x', ...(expiresInMs && { expiresInMs }) })
  })
}

test('the wrapper of the guide of 2021 is read too', async (t) => {
  const answer = await mint(await serveHttp(t, answering(200, `{"payload":${token(60)}}`)))
  assert.deepEqual(answer, { kind: 'success', rdt: 'Atz.sprdt|x', expiresInMs: 60_000 })
})

for (const status of [400, 401, 403, 404, 413, 415]) {
  test(`${status} is a refusal with Amazon's own words`, async (t) => {
    const body = amazon('InvalidInput', 'No.')
    const headers = { 'x-amzn-RequestId': 'r-1', 'x-other': 'dropped' }
    const answer = await mint(await serveHttp(t, answering(status, body, headers)))
    assert.deepEqual(answer, {
      kind: 'refused',
      status,
      code: 'InvalidInput',
      message: 'No.',
      details: '',
      requestId: 'r-1',
      answer: { headers: { 'content-type': 'application/json', 'x-amzn-requestid': 'r-1' }, body },
    })
  })
}
test('a refusal that repeats the access token is told without it', async (t) => {
  const answer = await mint(await serveHttp(t, answering(403, amazon(`No ${CANARY}`, `Not with ${CANARY}.`))))
  assert.ok(answer.kind === 'refused' && answer.message === 'Not with [removed].')
  assert.doesNotMatch(JSON.stringify(answer), /canary/)
})
test('a refusal that is not JSON is still a refusal', async (t) => {
  const answer = await mint(await serveHttp(t, answering(403, '<html>')))
  assert.deepEqual(answer, {
    kind: 'refused',
    status: 403,
    code: 'Unknown',
    message: 'Amazon gave no reason',
    details: '',
    answer: { headers: { 'content-type': 'application/json' }, body: '<html>' },
  })
})
for (const [status, body] of [
  [200, token(3600)],
  [400, amazon('InvalidInput', 'No.')],
] as const) {
  test(`the plan's rate is read of a ${status}, and only where it makes sense`, async (t) => {
    const rateOf = async (header: string) => {
      const answer = await mint(await serveHttp(t, answering(status, body, { 'x-amzn-RateLimit-Limit': header })))
      return 'ratePerSecond' in answer ? answer.ratePerSecond : undefined
    }
    assert.deepEqual([await rateOf('5.0'), await rateOf('0.5')], [5, 0.5])
    for (const header of ['0', '-1', 'NaN', 'many', '1e9', '']) assert.equal(await rateOf(header), undefined, header)
  })
}
test('429 is throttled', async (t) => {
  assert.deepEqual(await mint(await serveHttp(t, answering(429, amazon('QuotaExceeded', 'x')))), { kind: 'throttled' })
})
for (const status of [500, 502, 503, 504]) {
  test(`${status} is a server error`, async (t) => {
    assert.deepEqual(await mint(await serveHttp(t, answering(status, ''))), { kind: 'server_error', status })
  })
}

const GARBAGE: readonly (readonly [what: string, status: number, body: string])[] = [
  ['not JSON', 200, 'garbage'],
  ['an empty object', 200, '{}'],
  ['null', 200, 'null'],
  ['a token that is no text', 200, '{"restrictedDataToken":1,"expiresIn":3600}'],
  ['an empty token', 200, '{"restrictedDataToken":"","expiresIn":3600}'],
  ['a token that would break a header', 200, '{"restrictedDataToken":"a\\r\\nx: y","expiresIn":3600}'],
  ['an answer without end', 200, `{"restrictedDataToken":"${'a'.repeat(400_000)}"}`],
  ['no content', 204, ''],
]
for (const [what, status, body] of GARBAGE) {
  test(`garbage is told apart: ${what}`, async (t) => {
    assert.deepEqual(await mint(await serveHttp(t, answering(status, body))), { kind: 'bad_response', status })
  })
}

test('a redirect is not followed: it would hand the token to another host', async (t) => {
  let followed = false
  const elsewhere = await serveHttp(t, (_req, res) => {
    followed = true
    res.end(token(3600))
  })
  for (const status of [301, 302, 307, 308]) {
    const origin = await serveHttp(t, answering(status, '', { location: elsewhere }))
    assert.deepEqual(await mint(origin), { kind: 'bad_response', status })
  }
  assert.equal(followed, false)
})

test('a hang ends at the timeout', async (t) => {
  assert.deepEqual(await mint(await serveHttp(t, () => {}), 50), {
    kind: 'network',
    timedOut: true,
    cause: 'ETIMEDOUT',
  })
})
test('a body that never ends does so too', async (t) => {
  const origin = await serveHttp(t, (_req, res) => void res.write('{'))
  assert.deepEqual(await mint(origin, 100), { kind: 'network', timedOut: true, cause: 'ETIMEDOUT' })
})
test('a reset is a network failure, and its cause is a code, not a message', async (t) => {
  const answer = await mint(await serveHttp(t, (req) => void req.socket.destroy()))
  assert.ok(answer.kind === 'network' && !answer.timedOut)
  assert.match(answer.cause, /^[A-Z_]+$/)
})
test('a refused connection is a network failure', async () => {
  assert.deepEqual(await mint(await closedPort()), { kind: 'network', timedOut: false, cause: 'ECONNREFUSED' })
})
