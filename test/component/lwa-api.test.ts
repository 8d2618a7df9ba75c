import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener } from 'node:http'
import { test } from 'node:test'
import { createLwaApi, type LwaAnswer, type LwaRequest } from '../../src/lwa/lwa-api.ts'
import { createPoster } from '../../src/post.ts'
import { EXPIRY } from '../support/expiry.ts'
import { serveHttp } from '../support/listen.ts'
import { closedPort } from '../support/raw.ts'

const REQUEST: LwaRequest = {
  clientId: 'amzn1.application-oa2-client.canary-id',
  clientSecret: 'canary-secret',
  refreshToken: 'Atzr|canary-refresh',
}

const ask = (origin: string, request: Partial<LwaRequest> = {}, timeoutMs = 2000): Promise<LwaAnswer> =>
  createLwaApi(createPoster({ fetch, timeoutMs, userAgent: 'rdt-sidecar/test' }), `${origin}/auth/o2/token`).grant({
    ...REQUEST,
    ...request,
  })

const answering =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers })
    res.end(body)
  }
const token = (expiresIn: unknown) =>
  JSON.stringify({ access_token: 'Atza|x', token_type: 'bearer', expires_in: expiresIn, refresh_token: 'Atzr|x' })
const oauth = (error: string) => JSON.stringify({ error, error_description: 'canary-secret is wrong' })

const bodyOf = async (req: IncomingMessage): Promise<string> => Buffer.concat(await req.toArray()).toString('latin1')

test('the request is the one of the guide: a form, and nothing of it in the URL or the headers', async (t) => {
  const seen: unknown[] = []
  const origin = await serveHttp(t, async (req, res) => {
    const { 'content-type': type, 'user-agent': agent, accept } = req.headers
    const text = await bodyOf(req)
    const form = Object.fromEntries(new URLSearchParams(text))
    seen.push([req.method, req.url, type, agent, accept, form])
    assert.doesNotMatch(JSON.stringify([req.url, req.rawHeaders]), /canary/)
    res.end(token(3600))
  })
  await ask(origin)
  const form = {
    grant_type: 'refresh_token',
    refresh_token: REQUEST.refreshToken,
    client_id: REQUEST.clientId,
    client_secret: REQUEST.clientSecret,
  }
  const type = 'application/x-www-form-urlencoded;charset=UTF-8'
  assert.deepEqual(seen, [['POST', '/auth/o2/token', type, 'rdt-sidecar/test', 'application/json', form]])
})

for (const secret of ['a+b', 'a&client_id=b', '100%', '%2B', 'a=b', 'a b', 'schlüssel', '鍵', 'a;b#c?d/e\\f"g\'h']) {
  test(`a secret arrives as it is: ${secret}`, async (t) => {
    let text = ''
    const origin = await serveHttp(t, async (req, res) => {
      text = await bodyOf(req)
      res.end(token(3600))
    })
    const request = { clientSecret: secret, refreshToken: `Atzr|${secret}` }
    assert.equal((await ask(origin, request)).kind, 'success')
    assert.match(text, /^[A-Za-z0-9*._+%=&-]+$/, 'escaped throughout')
    const form = [...new URLSearchParams(text)]
    assert.deepEqual(form, [
      ['grant_type', 'refresh_token'],
      ['refresh_token', `Atzr|${secret}`],
      ['client_id', REQUEST.clientId],
      ['client_secret', secret],
    ])
  })
}

for (const [what, expiresIn, expiresInMs] of EXPIRY) {
  test(`expires_in is read, never assumed: ${what}`, async (t) => {
    const answer = await ask(await serveHttp(t, answering(200, token(expiresIn))))
    assert.deepEqual(answer, { kind: 'success', accessToken: 'Atza|x', ...(expiresInMs && { expiresInMs }) })
  })
}

for (const [status, error, kind] of [
  [401, 'invalid_client', 'invalid_client'],
  [400, 'invalid_client', 'invalid_client'],
  [400, 'invalid_grant', 'invalid_grant'],
  [400, 'unauthorized_client', 'unauthorized_client'],
  [403, 'unauthorized_client', 'unauthorized_client'],
  [400, 'invalid_request', 'refused'],
  [400, 'unsupported_grant_type', 'refused'],
  [400, 'invalid_scope', 'refused'],
  [400, 'constructor', 'refused'],
] as const) {
  test(`${status} ${error} is ${kind}, in a word of ours`, async (t) => {
    assert.deepEqual(await ask(await serveHttp(t, answering(status, oauth(error)))), { kind, status })
  })
}
for (const [what, status, body] of [
  ['without a body', 403, ''],
  ['a web page', 403, '<html>invalid_client</html>'],
  ['an error that is no text', 400, '{"error":["invalid_client"]}'],
  ['null', 400, 'null'],
  ['not found', 404, '{}'],
  ['a large one', 400, `{"error":"invalid_client","x":"${'a'.repeat(400_000)}"}`],
] as const) {
  test(`any other 4xx says nothing of the secrets: ${what}`, async (t) => {
    assert.deepEqual(await ask(await serveHttp(t, answering(status, body))), { kind: 'refused', status })
  })
}
test('429 is throttled, whatever else it says', async (t) => {
  assert.deepEqual(await ask(await serveHttp(t, answering(429, oauth('invalid_client')))), {
    kind: 'throttled',
    status: 429,
  })
})
for (const status of [500, 502, 503, 504]) {
  test(`${status} is a server error, whatever else it says`, async (t) => {
    const answer = await ask(await serveHttp(t, answering(status, oauth('invalid_grant'))))
    assert.deepEqual(answer, { kind: 'server_error', status })
  })
}

const GARBAGE: readonly (readonly [what: string, status: number, body: string])[] = [
  ['not JSON', 200, 'garbage'],
  ['a web page', 200, '<!doctype html><html></html>'],
  ['half an answer', 200, token(3600).slice(0, 30)],
  ['nothing', 200, ''],
  ['an empty object', 200, '{}'],
  ['null', 200, 'null'],
  ['an error with the wrong status', 200, oauth('invalid_grant')],
  ['a token that is no text', 200, '{"access_token":1,"expires_in":3600}'],
  ['an empty token', 200, '{"access_token":"","expires_in":3600}'],
  ['a token that would break a header', 200, '{"access_token":"a\\r\\nx: y","expires_in":3600}'],
  ['a body without end', 200, `{"access_token":"${'a'.repeat(400_000)}"}`],
  ['another 2xx', 201, token(3600)],
  ['no content', 204, ''],
]
for (const [what, status, body] of GARBAGE) {
  test(`garbage is told apart: ${what}`, async (t) => {
    assert.deepEqual(await ask(await serveHttp(t, answering(status, body))), { kind: 'bad_response', status })
  })
}

test('a redirect is not followed: it would hand the secrets to another host', async (t) => {
  let followed = false
  const elsewhere = await serveHttp(t, (_req, res) => {
    followed = true
    res.end(token(3600))
  })
  for (const status of [301, 302, 303, 307, 308]) {
    const origin = await serveHttp(t, answering(status, '', { location: elsewhere }))
    assert.deepEqual(await ask(origin), { kind: 'bad_response', status })
  }
  assert.equal(followed, false)
})

const TIMED_OUT = { kind: 'network', timedOut: true, cause: 'ETIMEDOUT' }
test('a hang ends at the timeout', async (t) => {
  assert.deepEqual(await ask(await serveHttp(t, () => {}), {}, 50), TIMED_OUT)
})
test('a body that never ends does so too', async (t) => {
  const origin = await serveHttp(t, (_req, res) => void res.write('{'))
  assert.deepEqual(await ask(origin, {}, 100), TIMED_OUT)
})
for (const [what, listener] of [
  ['a reset', (req) => void req.socket.destroy()],
  [
    'an answer that is cut off',
    (_req, res) => {
      res.writeHead(200, { 'content-length': '500' })
      res.write('{"access_token":"Atza|half', () => res.destroy())
    },
  ],
] satisfies readonly (readonly [string, RequestListener])[]) {
  test(`${what} is a network failure, and its cause is a code, not a message`, async (t) => {
    const answer = await ask(await serveHttp(t, listener))
    assert.ok(answer.kind === 'network' && !answer.timedOut)
    assert.match(answer.cause, /^[A-Z_]+$/)
  })
}
test('a refused connection is a network failure', async () => {
  assert.deepEqual(await ask(await closedPort()), { kind: 'network', timedOut: false, cause: 'ECONNREFUSED' })
})

test('after close nothing more is sent, and what is under way ends', async (t) => {
  let requests = 0
  const origin = await serveHttp(t, () => {
    requests += 1
    poster.close()
  })
  const poster = createPoster({ fetch, timeoutMs: 60_000, userAgent: 'test' })
  const api = createLwaApi(poster, origin)
  assert.equal((await api.grant(REQUEST)).kind, 'network')
  assert.equal((await api.grant(REQUEST)).kind, 'network')
  assert.equal(requests, 1)
})

test('ten at once ask Login with Amazon, and no more: the others wait for their turn', async () => {
  let flying = 0
  let most = 0
  const post = async () => {
    flying += 1
    most = Math.max(most, flying)
    await new Promise((resolve) => setTimeout(resolve, 5))
    flying -= 1
    return { kind: 'network' as const, timedOut: false, cause: 'ECONNREFUSED' }
  }
  const api = createLwaApi({ post }, 'http://127.0.0.1')
  const request = { clientId: 'x', clientSecret: 'x', refreshToken: 'x' }
  const answers = await Promise.all(Array.from({ length: 35 }, () => api.grant(request)))
  assert.deepEqual([most, flying, answers.length], [10, 0, 35])
})
