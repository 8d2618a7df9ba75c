/** What a caller may take: of each a little more is refused with the name of the limit, and others are served meanwhile. */
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { lwaToken, serving, simulating } from '../support/cli.ts'
import { dial, expectRefusal, trickle } from '../support/dial.ts'
import { answerTo, open } from '../support/http-client.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { firstErrorOf } from '../support/pair.ts'
import { readAnswer, requestText, startWorld } from '../support/wire.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'
const SHIPMENTS = '/mfn/v0/shipments' // POST: restricted, so that its body is kept

describe('of one request', () => {
  const lines = (count: number): string[] => Array.from({ length: count }, (_, i) => `x-${i}: 1`)

  it('one header more than limits.headerCount is a 431 that names it; as many are forwarded', async (t) => {
    const { port, send, upstream } = await startWorld(t, { env: { SIDECAR_LIMITS_HEADER_COUNT: '50' } })
    assert.equal((await send(`GET ${OPEN}`, lines(48))).status, 200) // with Host and Connection
    const refused = await send(`GET ${OPEN}`, lines(49))
    assert.deepEqual([refused.status, refused.values('x-rdt-error')], [431, ['invalid-header']])
    assert.match(refused.body, /limits\.headerCount/)
    assert.equal(upstream.calls.length, 1)
    assert.ok(port)
  })

  it('a target of one byte more than limits.urlBytes is a 414 that names it; one as long is forwarded', async (t) => {
    const { send, upstream } = await startWorld(t, { env: { SIDECAR_LIMITS_URL_BYTES: '100' } })
    const target = `${OPEN}?q=`.padEnd(100, 'a')
    assert.equal((await send(`GET ${target}`)).status, 200)
    const refused = await send(`GET ${target}a`)
    assert.deepEqual([refused.status, refused.values('x-rdt-error')], [414, ['unsafe-path']])
    assert.match(refused.body, /limits\.urlBytes/)
    assert.equal(upstream.calls.length, 1)
  })

  it('both hold as they are configured anew, for the next call', async (t) => {
    const { pair, send } = await startWorld(t)
    assert.equal((await send(`GET ${OPEN}`, lines(150))).status, 200)
    pair.reload({ SIDECAR_LIMITS_HEADER_COUNT: '100', SIDECAR_LIMITS_URL_BYTES: '20' })
    assert.equal((await send('GET /x', lines(150))).status, 431)
    assert.equal((await send(`GET ${OPEN}`)).status, 414)
  })
})

test('bodies that are kept share limits.keptBytes: one more is told to call again, and there is room when they have ended', async (t) => {
  const held: (() => void)[] = []
  const { pair } = await startWorld(t, {
    env: { SIDECAR_LIMITS_KEPT_BYTES: '2500' },
    onMint: (reply) => void held.push(reply),
  })
  const post = (path: string, token = 'Atza|a') => pair.call(path, token, { method: 'POST', body: 'a'.repeat(1000) })
  const first = [post(SHIPMENTS), post(SHIPMENTS)]
  await until(() => held.length === 1)
  const refused = await post(SHIPMENTS)
  assert.deepEqual(
    [refused.status, refused.headers.get('x-rdt-error'), refused.headers.get('retry-after')],
    [503, 'overloaded', '1'],
  )
  assert.match((await firstErrorOf(refused)).details, /limits\.keptBytes/)
  assert.equal((await post('/feeds/2021-06-30/feeds')).status, 200) // it streams
  held[0]?.()
  const statuses = async (answers: Promise<Response>[]) => (await Promise.all(answers)).map(({ status }) => status)
  assert.deepEqual(await statuses(first), [200, 200])
  for (let i = 0; i < 3; i += 1) assert.deepEqual(await statuses([post(SHIPMENTS), post(SHIPMENTS)]), [200, 200])
})

test('connections beyond limits.connections are closed and counted; probes are exempt, and the next is let in when one has gone', async (t) => {
  const { pair, port } = await startWorld(t, { env: { SIDECAR_LIMITS_CONNECTIONS: '2' } })
  const held = await many(2, () => dial(t, port))
  const third = await dial(t, port)
  await third.closed
  assert.equal(third.received, '')
  assert.equal(await metric(pair, 'rdt_connections'), 2)
  assert.equal(await metric(pair, 'rdt_connections_refused_total'), 1)
  assert.equal((await fetch(`${pair.admin}/readyz`)).status, 200)
  held[0]?.socket.destroy()
  await until(async () => (await metric(pair, 'rdt_connections')) === 1)
  assert.equal((await answerTo(open(pair.base, 'GET', OPEN).end())).statusCode, 200)
})

describe('a caller too slow', () => {
  it('with its headers is told so, and what completes them later is no call', async (t) => {
    const { pair, port, upstream } = await startWorld(t, { env: { SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '200' } })
    const caller = await dial(t, port, true)
    caller.socket.write(`GET ${OPEN} HTTP/1.1\r\nHost: x\r\n`)
    await until(() => caller.received !== '')
    caller.socket.write('\r\n')
    await until(async () => (await metric(pair, 'rdt_connections')) === 0)
    expectRefusal(caller.received, 408, 'invalid-header', /did not arrive in time/)
    assert.equal(upstream.calls.length, 0)
  })

  it('that says nothing at all is closed', async (t) => {
    const { port } = await startWorld(t, { env: { SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '200' } })
    await (await dial(t, port)).closed
  })

  it('and does not close after it was told so is closed all the same, whatever it goes on sending', async (t) => {
    const { pair, port } = await startWorld(t, { env: { SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '200' } })
    const { socket } = await dial(t, port, true)
    socket.write('GET / HTTP/1.1\r\n')
    trickle(t, socket, 'x', 50)
    await until(async () => (await metric(pair, 'rdt_connections')) === 1)
    await until(async () => (await metric(pair, 'rdt_connections')) === 0)
  })

  for (const [what, path] of [
    ['kept', SHIPMENTS],
    ['streamed', '/feeds/x'],
  ] as const)
    it(`with a body that is ${what}, byte by byte beyond limits.requestTimeoutMs, is told so; Amazon never gets it whole`, async (t) => {
      const { pair, port, upstream } = await startWorld(t, {
        env: { SIDECAR_LIMITS_REQUEST_TIMEOUT_MS: '300', SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '300' },
      })
      const caller = await dial(t, port)
      const headers = ['Content-Length: 1000', 'x-amz-access-token: Atza|t', 'Connection: keep-alive']
      caller.socket.write(requestText(`POST ${path}`, headers))
      trickle(t, caller.socket, 'x', 20)
      await caller.closed
      expectRefusal(caller.received, 408, 'invalid-header', /did not arrive in time/)
      await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 0)
      assert.ok((upstream.calls[0]?.chunks ?? []).reduce((sum, { length }) => sum + length, 0) < 1000)
    })

  it('without a bound on requests, a body may take any time', async (t) => {
    const { port } = await startWorld(t, {
      env: { SIDECAR_LIMITS_REQUEST_TIMEOUT_MS: '0', SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '200' },
    })
    const caller = await dial(t, port)
    caller.socket.write(requestText('POST /feeds/x', ['Content-Length: 30']))
    trickle(t, caller.socket, 'x', 100)
    await caller.closed
    assert.equal(readAnswer(caller.received).status, 200)
  })
})

test('five hundred slow callers and five hundred slow bodies: a normal caller is served, and all of them are closed', async (t) => {
  const amazon = await simulating(t)
  const sidecar = await serving(t, {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LIMITS_HEADERS_TIMEOUT_MS: '5000',
    SIDECAR_LIMITS_REQUEST_TIMEOUT_MS: '8000',
  })
  const headers = { 'x-amz-access-token': await lwaToken(amazon) }
  /** Milliseconds of a hundred calls, one after the other: the median, and the longest. */
  const served = async (): Promise<string> => {
    const times: number[] = []
    for (let i = 0; i < 100; i += 1) {
      const from = performance.now()
      const answer = await fetch(`${sidecar.base}/orders/v0/orders`, { headers })
      await answer.arrayBuffer()
      assert.equal(answer.status, 200)
      times.push(performance.now() - from)
    }
    const [median = 0, longest = 0] = [50, 99].map((i) => times.sort((a, b) => a - b)[i])
    return `median ${median.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`
  }
  const before = await served()
  const port = Number(new URL(sidecar.base).port)
  const slow = await many(1000, async (i) => {
    const caller = await dial(t, port)
    const lines = ['Content-Length: 100000', 'x-amz-access-token: Atza|slow']
    const whole = requestText(`POST ${i % 4 === 1 ? SHIPMENTS : '/feeds/x'}`, lines)
    caller.socket.write(i % 2 === 0 ? whole.slice(0, 40) : whole)
    trickle(t, caller.socket, 'x', 500)
    return caller
  })
  await until(async () => (await metric(sidecar, 'rdt_connections')) >= 1000)
  const meanwhile = await served()
  assert.ok((await metric(sidecar, 'rdt_connections')) >= 1000, 'they were there meanwhile')
  await Promise.all(slow.map(({ closed }) => closed))
  for (const { received } of slow) assert.equal(readAnswer(received).status, 408)
  t.diagnostic(`a normal caller: ${before}; beside a thousand slow ones: ${meanwhile}`)
})
