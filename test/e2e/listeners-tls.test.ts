/** The data listener over TLS: what callers get there, and what comes to nothing. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { Readable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { callAt } from '../support/caller.ts'
import { selfSigned, noOpenssl as skip, tryTls11 } from '../support/certificates.ts'
import { folderFor, serving } from '../support/cli.ts'
import { digestOf, manyChunks } from '../support/http-client.ts'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type PairOptions, startPair } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'
import { recordingUpstream } from '../support/recording-upstream.ts'
import { readAnswer, requestText } from '../support/wire.ts'

const RESTRICTED = '/orders/v0/orders/902-1845936-5435001/address'
const OPEN = '/sellers/v1/marketplaceParticipations'

/** Environment of a TLS listener, and the authority that callers trust. */
const tlsFor = (t: TestContext) => {
  const { cert, certFile, keyFile } = selfSigned(folderFor(t), 'localhost')
  return { ca: cert, env: { SIDECAR_TLS_CERT_FILE: certFile, SIDECAR_TLS_KEY_FILE: keyFile } }
}

const startTls = async (
  t: TestContext,
  { env = {}, ...options }: PairOptions & { env?: Record<string, string> } = {},
) => {
  const tls = tlsFor(t)
  const pair = await startPair(t, { ...options, env: { ...tls.env, ...env } })
  const place = { port: pair.port, ca: tls.ca }
  return {
    ...pair,
    place,
    /** A connection to the data listener, when its handshake is done. */
    connected: async (options: ConnectionOptions = {}): Promise<TLSSocket> => {
      const socket = connect({ ...place, host: '127.0.0.1', ...options }).on('error', () => {})
      await once(socket, 'secureConnect')
      return socket
    },
    failures: (): readonly unknown[] => failuresIn(pair.lines),
  }
}

const failuresIn = (lines: readonly string[]): readonly unknown[] =>
  lines
    .map((line) => JSON.parse(line))
    .filter(({ level, msg }) => level === 'info' && msg === 'TLS handshake failed')
    .map(({ code }) => code)

/** All that came until the other side closed. */
const received = async (socket: TLSSocket): Promise<string> => {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  await once(socket, 'close')
  return text
}

describe('over TLS', { skip }, () => {
  it('calls with tokens of their own get personal data, by the connection that they keep', async (t) => {
    const { place, simulator, calls } = await startTls(t)
    const token = { 'x-amz-access-token': simulator.accessToken() }
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const answers = []
    for (const target of [RESTRICTED, RESTRICTED, OPEN]) answers.push(await callAt({ ...place, agent }, target, token))
    assert.deepEqual(
      answers.map(({ status, verdict, reused }) => [status, verdict, reused]),
      [
        [200, 'minted', false],
        [200, 'hit', true],
        [200, 'not-restricted', true],
      ],
    )
    assert.match(answers[0]?.body ?? '', /ShippingAddress/)
    assert.deepEqual(
      calls().map(({ pii }) => pii),
      [true, true, false],
    )
  })

  it('calls of managed sellers work, by each name that is ours', async (t) => {
    const { ca, env } = tlsFor(t)
    const { port, calls } = await startManaged(t, { env })
    const caller = { 'x-rdt-caller-token': CALLER_TOKEN }
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`])
      assert.equal((await callAt({ port, ca }, RESTRICTED, { ...caller, host })).status, 200)
    const foreign = await callAt({ port, ca }, RESTRICTED, { ...caller, host: 'evil.example' })
    assert.deepEqual([foreign.status, foreign.error], [421, 'foreign-host'])
    assert.equal(calls().length, 2)
  })

  it('a big body streams through, both ways at once', async (t) => {
    const upstream = await recordingUpstream(t, { stream: (req, res) => void req.pipe(res) })
    const { place } = await startTls(t, { endpoint: upstream.url })
    const sent = createHash('sha256')
    const chunks = function* () {
      for (const chunk of manyChunks(512)) {
        sent.update(chunk)
        yield chunk
      }
    }
    const req = request({ ...place, host: '127.0.0.1', method: 'POST', path: OPEN, agent: false })
    Readable.from(chunks()).pipe(req)
    const [res] = await once(req, 'response')
    assert.equal(await digestOf(res, createHash('sha256')), sent.digest('hex'))
  })

  it('a caller that waits for 100 Continue gets it', async (t) => {
    const upstream = await recordingUpstream(t)
    const { place } = await startTls(t, { endpoint: upstream.url })
    const headers = { expect: '100-continue', 'content-length': '2' }
    const options: RequestOptions = { ...place, host: '127.0.0.1', method: 'POST', path: OPEN, headers, agent: false }
    const req = request(options)
    req.flushHeaders()
    await once(req, 'continue')
    req.end('{}')
    const [res] = await once(req, 'response')
    res.resume()
    assert.equal(res.statusCode, 200)
    assert.equal(Buffer.concat(upstream.calls[0]?.chunks ?? []).toString(), '{}')
  })

  it('what is no HTTP is told so, counted and closed; a caller of HTTP/1.0 is served', async (t) => {
    const upstream = await recordingUpstream(t)
    const pair = await startTls(t, { endpoint: upstream.url })
    const send = async (bytes: string) => {
      const socket = await pair.connected()
      socket.write(bytes)
      return readAnswer(await received(socket))
    }
    const garbage = await send('SSH-2.0-OpenSSH_9\r\n\r\n')
    assert.deepEqual([garbage.status, garbage.values('x-rdt-error')], [400, ['invalid-header']])
    assert.equal(await metric(pair, 'rdt_http_rejections_total{reason="invalid-header"}'), 1)
    assert.equal((await send('GET /sellers/v1/x HTTP/1.0\r\n\r\n')).status, 200)
    assert.deepEqual(pair.failures(), [])
  })

  it('a caller that half-closes behind its request holds nothing', async (t) => {
    const upstream = await recordingUpstream(t)
    const pair = await startTls(t, { endpoint: upstream.url })
    const socket = await pair.connected()
    socket.end(requestText(`GET ${OPEN}`, ['Connection: keep-alive']))
    await received(socket)
    await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 0)
  })

  it('records that are none end a connection, and are no refused call', async (t) => {
    const upstream = await recordingUpstream(t)
    const pair = await startTls(t, { endpoint: upstream.url })
    const plain = connectPlain(pair.port, '127.0.0.1').on('error', () => {})
    const socket = connect({ socket: plain, ca: pair.place.ca, servername: 'localhost' }).on('error', () => {})
    await once(socket, 'secureConnect')
    socket.write(requestText(`GET ${OPEN}`, ['Connection: keep-alive']))
    await once(socket, 'data')
    plain.write('this is no record of TLS, whatever it is\r\n\r\n')
    await once(plain.resume(), 'close')
    assert.equal(await metric(pair, 'rdt_http_rejections_total{reason="invalid-header"}'), 0)
    assert.equal((await callAt(pair.place, OPEN)).status, 200)
  })
})

describe('a handshake', { skip }, () => {
  it('is done with TLS 1.2 and 1.3, and for HTTP/1.1', async (t) => {
    const pair = await startTls(t)
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await pair.connected({ maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] })
      assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, 'http/1.1'])
      socket.destroy()
    }
  })

  it('comes to nothing with TLS 1.1, with HTTP/2 alone, with plain HTTP; others go on meanwhile', async (t) => {
    const pair = await startTls(t)
    const token = { 'x-amz-access-token': pair.simulator.accessToken() }
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const goesOn = async () => assert.equal((await callAt({ ...pair.place, agent }, OPEN, token)).status, 200)
    await goesOn()
    await assert.rejects(tryTls11(pair.port), /alert protocol version/)
    await assert.rejects(pair.connected({ ALPNProtocols: ['h2'] }), /no application protocol/i)
    assert.equal(await exchange(pair.port, requestText(`GET ${OPEN}`)), '')
    assert.deepEqual(pair.failures(), [
      'ERR_SSL_UNSUPPORTED_PROTOCOL',
      'ERR_SSL_NO_APPLICATION_PROTOCOL',
      'ERR_SSL_HTTP_REQUEST',
    ])
    await goesOn()
    assert.equal(await metric(pair, 'rdt_http_rejections_total{reason="invalid-header"}'), 0)
  })

  it('comes to nothing with TLS 1.1 where OpenSSL and Node would do it, too', async (t) => {
    const flags = ['--tls-min-v1.0', '--tls-cipher-list=DEFAULT@SECLEVEL=0']
    const sidecar = await serving(t, tlsFor(t).env, [], flags)
    await assert.rejects(tryTls11(Number(new URL(sidecar.base).port)), /alert protocol version/)
  })

  it('that is looked at only, or left midway, is told by nobody above debug', async (t) => {
    const pair = await startTls(t)
    for (const bytes of ['', '\x16\x03']) {
      const socket = connectPlain(pair.port, '127.0.0.1')
      await once(socket, 'connect')
      socket.end(bytes)
      await once(socket.resume(), 'close')
    }
    assert.deepEqual(pair.failures(), [])
    assert.equal(pair.lines.filter((line) => line.includes('"TLS handshake failed"')).length, 2)
  })

  it('that takes longer than ten seconds is ended', { timeout: 60_000 }, async (t) => {
    const pair = await startTls(t)
    const from = performance.now()
    await many(3, async (i) => {
      const socket = connectPlain(pair.port, '127.0.0.1', () => socket.write('\x16\x03\x01'.slice(0, i)))
      await once(socket.resume(), 'close')
    })
    const seconds = (performance.now() - from) / 1000
    assert.ok(seconds > 9 && seconds < 40, `${seconds} s`)
    assert.deepEqual(pair.failures(), Array(3).fill('ERR_TLS_HANDSHAKE_TIMEOUT'))
    assert.equal(await metric(pair, 'rdt_http_rejections_total{reason="invalid-header"}'), 0)
  })
})

describe('a drain over TLS', { skip }, () => {
  it('finishes what is in flight and ends every connection, idle and in handshake too', async (t) => {
    const held: ServerResponse[] = []
    const upstream = await recordingUpstream(t, { answer: (_, res) => void held.push(res) })
    const pair = await startTls(t, { endpoint: upstream.url })
    const inHandshake = connectPlain(pair.port, '127.0.0.1', () => inHandshake.write('\x16\x03\x01'))
    const silent = await pair.connected()
    const idle = connectPlain(pair.port, '127.0.0.1')
    const ended = Promise.all([inHandshake, silent, idle].map((socket) => once(socket.resume(), 'close')))
    const call = callAt(pair.place, OPEN)
    await until(() => held.length === 1)
    const closed = pair.close()
    const codeOf = () =>
      callAt(pair.place, OPEN).then(
        ({ status }) => status,
        ({ code }) => code,
      )
    await until(async () => (await codeOf()) === 'ECONNREFUSED')
    held[0]?.end('{}')
    assert.equal((await call).status, 200)
    assert.equal(await closed, 0)
    await ended
  })
})
