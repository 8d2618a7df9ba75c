/** What the swap does not concern goes through byte for byte, there and back. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startPair } from '../support/pair.ts'
import { exchange, rawUpstream } from '../support/raw.ts'
import { bodyOf, LWA, RDT, valuesOf } from '../support/recording-upstream.ts'
import { type Answer, readAnswer, requestText, startWorld } from '../support/wire.ts'

const TOKEN = `x-amz-access-token: ${LWA}`
const OPEN = '/sellers/v1/account'
const RESTRICTED = '/orders/v0/orders/902-1/address'
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1')

describe('a request', () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']) {
    it(`keeps its headers, to the last and no more, as a ${method}`, async (t) => {
      const { upstream, send } = await startWorld(t)
      const body = ['POST', 'PUT', 'PATCH', 'QUERY'].includes(method) ? '{}' : ''
      const own = ['user-agent: me/1 (a; b)', TOKEN, 'authorization: AWS4-HMAC-SHA256 x', 'accept: */*', 'x-empty:']
      await send(`${method} ${OPEN}`, [...own, ...(body && [`content-length: ${body.length}`])], body)
      const [call] = upstream.calls
      assert.ok(call)
      const { rawHeaders } = call
      const lines = rawHeaders.flatMap((name, i) =>
        i % 2 ? [] : [`${name.toLowerCase()}: ${rawHeaders[i + 1]}`.trim()],
      )
      const ours = [`host: ${new URL(upstream.url).host}`, 'connection: keep-alive']
      assert.deepEqual(lines.toSorted(), [...own, ...(body && ['content-length: 2']), ...ours].toSorted())
      assert.deepEqual([call.method, call.target, bodyOf(call)], [method, OPEN, body])
    })
  }

  it('keeps the values of repeated headers in their order, and bytes outside ASCII', async (t) => {
    const { upstream, send } = await startWorld(t)
    await send(`GET ${OPEN}`, ['x-two: a, b', 'x-two: c', 'cookie: a=1', 'cookie: b=2', 'x-latin: caf\xe9 \xff'])
    const [call] = upstream.calls
    assert.ok(call)
    assert.deepEqual(
      ['x-two', 'cookie', 'x-latin'].map((name) => valuesOf(call, name).join(name === 'cookie' ? '; ' : ', ')),
      ['a, b, c', 'a=1; b=2', 'caf\xe9 \xff'],
    )
  })

  for (const [path, token] of [
    [OPEN, LWA],
    ['/mfn/v0/shipments', RDT],
  ] as const) {
    for (const [what, framing, body] of [
      ['framed by its length', 'content-length: 256', EVERY_BYTE],
      [
        'chunked',
        'transfer-encoding: chunked',
        `80\r\n${EVERY_BYTE.slice(0, 128)}\r\n80\r\n${EVERY_BYTE.slice(128)}\r\n0\r\n\r\n`,
      ],
    ] as const) {
      it(`keeps every byte of a body ${what} on ${path}`, async (t) => {
        const { upstream, send } = await startWorld(t)
        await send(`POST ${path}`, [framing, TOKEN, 'content-encoding: gzip'], body)
        const [call] = upstream.calls
        assert.ok(call)
        assert.equal(bodyOf(call), EVERY_BYTE)
        assert.deepEqual(
          [valuesOf(call, 'x-amz-access-token'), valuesOf(call, 'content-encoding')],
          [[token], ['gzip']],
        )
      })
    }
  }

  it('gets a User-Agent only where it has none', async (t) => {
    const { upstream, send } = await startWorld(t)
    for (const headers of [[], ['User-Agent: mine'], ['User-Agent: mine', 'Connection: close, User-Agent']]) {
      await send(`GET ${OPEN}`, headers)
    }
    const agents = upstream.calls.map((call) => valuesOf(call, 'user-agent'))
    assert.deepEqual(agents, [['rdt-sidecar/0.0.0-test'], ['mine'], ['rdt-sidecar/0.0.0-test']])
  })

  it('with an expectation that nobody knows goes through without it', async (t) => {
    const { upstream, send } = await startWorld(t)
    const answer = await send(`POST ${OPEN}`, ['expect: more', 'content-length: 2'], '{}')
    assert.deepEqual([answer.status, answer.values('x-rdt-verdict')], [200, ['not-restricted']])
    const [call] = upstream.calls
    assert.ok(call)
    assert.deepEqual([bodyOf(call), valuesOf(call, 'expect')], ['{}', []])
  })

  it('that brings its own RDT keeps it', async (t) => {
    const { upstream, send } = await startWorld(t)
    const answer = await send(`GET ${RESTRICTED}`, ['x-amz-access-token: Atz.sprdt|own'])
    assert.deepEqual(answer.values('x-rdt-verdict'), ['caller-rdt'])
    assert.deepEqual(
      [valuesOf(upstream.calls[0] ?? assert.fail(), 'x-amz-access-token'), upstream.mints],
      [['Atz.sprdt|own'], []],
    )
  })
})

describe('an answer', () => {
  /** What a caller reads when Amazon's bytes are these. */
  const answered = async (
    t: Parameters<typeof rawUpstream>[0],
    bytes: string,
    start = `GET ${OPEN}`,
  ): Promise<Answer> => {
    const { url } = await rawUpstream(t, (_, socket) => socket.end(Buffer.from(bytes, 'latin1')))
    const { port } = await startPair(t, { endpoint: url })
    return readAnswer(await exchange(port, requestText(start)))
  }

  const statuses = [
    '200 Quite Fine',
    '202 Accepted',
    '301 Moved',
    '400 Nope',
    '403 Forbidden',
    '404 Not Found',
    '429 Slow',
    '500 Oh',
    '599 Odd',
  ]
  for (const status of statuses) {
    it(`keeps its status line: ${status}`, async (t) => {
      const { status: code, reason, body } = await answered(t, `HTTP/1.1 ${status}\r\ncontent-length: 2\r\n\r\n{}`)
      assert.deepEqual([`${code} ${reason}`, body], [status, '{}'])
    })
  }

  it('reaches the caller also where no server may send its reason phrase', async (t) => {
    const { status, reason } = await answered(t, 'HTTP/1.1 200 O\x01K\r\ncontent-length: 2\r\n\r\n{}')
    assert.deepEqual([status, reason], [200, 'OK'])
  })

  it('with a status that no server may send is a failure on the way', async (t) => {
    const { status, values } = await answered(t, 'HTTP/1.1 099 Odd\r\ncontent-length: 2\r\n\r\n{}')
    assert.deepEqual([status, values('x-rdt-error')], [502, ['upstream-unreachable']])
  })

  it('keeps its headers in their own spelling, each on a line of its own', async (t) => {
    const headers = ['X-Amzn-RequestId: 1-2', 'X-Two: a', 'x-two: b', 'ETag: "1"', 'CONTENT-LENGTH: 0']
    const { url } = await rawUpstream(t, (_, socket) =>
      socket.end(`HTTP/1.1 200 OK\r\n${headers.join('\r\n')}\r\n\r\n`),
    )
    const { port } = await startPair(t, { endpoint: url })
    const lines = (await exchange(port, requestText(`GET ${OPEN}`))).split('\r\n')
    assert.deepEqual(
      lines.filter((line) => headers.includes(line)),
      headers,
    )
  })

  it('keeps its headers: repeated ones, cookies apart, bytes outside ASCII, empty ones', async (t) => {
    const headers = [
      'x-amzn-RequestId: 1-2',
      'x-amzn-RateLimit-Limit: 0.5',
      'X-Two: a',
      'x-two: b',
      'Set-Cookie: a=1; Path=/, x',
      'set-cookie: b=2',
      'Location: http://127.0.0.1:1/elsewhere',
      'Content-Type: text/x-odd;charset=latin1',
      'Date: Thu, 01 Jan 1970 00:00:00 GMT',
      'Server: Server',
      'x-latin: caf\xe9',
      'x-empty:',
    ]
    const { values } = await answered(t, `HTTP/1.1 200 OK\r\n${headers.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`)
    const read = (name: string) => values(name).join(', ')
    assert.deepEqual(values('set-cookie'), ['a=1; Path=/, x', 'b=2'])
    assert.equal(read('x-two'), 'a, b')
    for (const header of headers.filter((one) => !/^(x-two|set-cookie)/i.test(one))) {
      const [name = '', ...value] = header.split(':')
      assert.equal(read(name.toLowerCase()), value.join(':').trim(), name)
      assert.equal(values(name.toLowerCase()).length, 1)
    }
  })

  it('does not bring what was meant for Amazon’s connection alone', async (t) => {
    const headers = ['connection: keep-alive, X-Hop , content-length', 'x-hop: 1', 'x-end: 2', 'keep-alive: timeout=9']
    const { values } = await answered(t, `HTTP/1.1 200 OK\r\n${headers.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`)
    const kept = ['x-hop', 'keep-alive', 'x-end', 'content-length', 'connection'].map(values)
    assert.deepEqual(kept, [[], [], ['2'], ['0'], ['close']])
  })

  it('cannot forge the sidecar’s own headers', async (t) => {
    const forged = ['x-rdt-verdict: hit', 'X-RDT-Verdict: minted', 'x-rdt-error: draining', 'x-rdt-other: 1']
    const { values } = await answered(t, `HTTP/1.1 200 OK\r\n${forged.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`)
    const ours = ['x-rdt-verdict', 'x-rdt-error', 'x-rdt-other'].map(values)
    assert.deepEqual(ours, [['not-restricted'], [], []])
  })

  for (const status of ['204 No Content', '304 Not Modified']) {
    it(`has no body where ${status} says so, and the connection lives on`, async (t) => {
      const { url } = await rawUpstream(t, (_, socket) => socket.write(`HTTP/1.1 ${status}\r\netag: "1"\r\n\r\n`))
      const { port } = await startPair(t, { endpoint: url })
      const text = await exchange(
        port,
        requestText(`GET ${OPEN}`, ['Connection: keep-alive']) + requestText(`GET ${OPEN}`),
      )
      assert.deepEqual(text.match(/HTTP\/1\.1 .*/g), [`HTTP/1.1 ${status}`, `HTTP/1.1 ${status}`])
      assert.deepEqual([readAnswer(text).body, readAnswer(text).values('etag')], ['', ['"1"']])
      assert.doesNotMatch(text, /transfer-encoding/i)
    })
  }

  for (const framing of ['content-length: 1234', 'transfer-encoding: chunked']) {
    it(`to HEAD keeps its headers and has no body: ${framing}`, async (t) => {
      const { status, values, body } = await answered(t, `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`, `HEAD ${OPEN}`)
      const [name = '', value] = framing.split(': ')
      assert.deepEqual([status, values(name), body], [200, [value], ''])
    })
  }

  it('keeps a compressed body as it is', async (t) => {
    const zipped = gzipSync('{"payload":{}}').toString('latin1')
    const { values, body } = await answered(
      t,
      `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n${zipped}`,
      `GET ${OPEN} HTTP/1.1`,
    )
    assert.deepEqual([values('content-encoding'), body], [['gzip'], zipped])
  })

  for (const version of ['1.0', '1.1']) {
    it(`keeps every byte of a body without a length, for a caller of HTTP/${version}`, async (t) => {
      const answer = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n100\r\n${EVERY_BYTE}\r\n0\r\n\r\n`
      const { body } = await answered(t, answer, `GET ${OPEN} HTTP/${version}`)
      assert.equal(body, version === '1.0' ? EVERY_BYTE : `100\r\n${EVERY_BYTE}\r\n0\r\n\r\n`)
    })
  }

  it('whose end is that of Amazon’s connection ends the caller’s too', async (t) => {
    const { url } = await rawUpstream(t, (_, socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nbytes'),
    )
    const { port } = await startPair(t, { endpoint: url })
    const request = requestText(`GET ${OPEN}`, ['Connection: keep-alive'])
    const text = await exchange(port, request + request)
    assert.deepEqual([text.match(/HTTP\/1\.1 /g)?.length, readAnswer(text).values('connection')], [1, ['close']])
    assert.equal(readAnswer(text).body, 'bytes')
  })

  it('reaches the caller after any interim answer', async (t) => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'
    const { status, body } = await answered(t, `${interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`)
    assert.deepEqual([status, body], [200, 'ok'])
  })
})
