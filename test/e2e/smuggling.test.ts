/** Requests that two readers could take for different ones: refused, or sent on as the one request they are. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchange } from '../support/raw.ts'
import { bodyOf, LWA, RDT, type Upstream, valuesOf } from '../support/recording-upstream.ts'
import { readAnswer, requestText, startWorld } from '../support/wire.ts'

const ADDRESS = '/orders/v0/orders/902-1/address'
const TOKEN = `x-amz-access-token: ${LWA}`

/** What a smuggler wants Amazon to find behind the request that the sidecar saw. */
const INNER = `GET ${ADDRESS} HTTP/1.1\r\nHost: a\r\n${TOKEN}\r\n\r\n`

const nothingArrived = ({ calls, mints }: Upstream): void => assert.deepEqual([calls, mints], [[], []])

describe('a request with two access tokens', () => {
  const pairs: readonly [string, readonly string[]][] = [
    ['in two headers', [TOKEN, TOKEN]],
    ['in two headers of different case', [TOKEN, 'X-AMZ-Access-Token: Atz.sprdt|mine']],
    ['in two headers, one of them empty', ['X-Amz-Access-Token:', TOKEN]],
    ['joined by a comma', [`x-amz-access-token: Atz.sprdt|mine,${LWA}`]],
    ['joined by a space', [`x-amz-access-token: Atz.sprdt|mine ${LWA}`]],
    ['joined by a tab', [`x-amz-access-token: Atz.sprdt|mine\t${LWA}`]],
  ]
  for (const [what, headers] of pairs) {
    for (const path of [ADDRESS, '/sellers/v1/account']) {
      it(`${what} is refused on ${path}`, async (t) => {
        const { upstream, send } = await startWorld(t)
        const answer = await send(`GET ${path}`, headers)
        assert.deepEqual([answer.status, answer.values('x-rdt-error')], [400, ['invalid-header']])
        nothingArrived(upstream)
      })
    }
  }
})

describe('a request that breaks the grammar of HTTP is refused and not forwarded', () => {
  const lines: readonly [string, string, readonly string[]][] = [
    ['a folded header', `GET ${ADDRESS}`, ['x-note: a', ' b', TOKEN]],
    ['a folded token', `GET ${ADDRESS}`, ['x-amz-access-token: Atz.sprdt|mine', `\t${LWA}`]],
    ['a NUL in a header', `GET ${ADDRESS}`, ['x-note: a\0b', TOKEN]],
    ['a bare line feed in a header', `GET ${ADDRESS}`, [`x-note: a\n${TOKEN}`]],
    ['a bare carriage return in a header', `GET ${ADDRESS}`, [`x-note: a\r${TOKEN}`]],
    ['a space before a colon', `GET ${ADDRESS}`, [`x-amz-access-token : ${LWA}`]],
    ['a header without a name', `GET ${ADDRESS}`, [`: ${LWA}`]],
    ['a lower-case method', `get ${ADDRESS}`, [TOKEN]],
    ['a made-up method', `FETCH ${ADDRESS}`, [TOKEN]],
    ['a tunnel', 'CONNECT sellingpartnerapi-na.amazon.com:443', [TOKEN]],
    ['a space in the path', `GET ${ADDRESS} x`, [TOKEN]],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0', [TOKEN]],
  ]
  for (const [what, start, headers] of lines) {
    it(what, async (t) => {
      const { upstream, send } = await startWorld(t)
      const { status } = await send(start, headers)
      assert.ok(status === 400 || (status === 0 && start.startsWith('CONNECT')), `status ${status}`)
      nothingArrived(upstream)
    })
  }
})

describe('a second request hidden by its framing never gets out', () => {
  const length = `Content-Length: ${INNER.length}`
  const chunked = 'Transfer-Encoding: chunked'
  const framings: readonly [string, readonly string[], string][] = [
    ['a length and chunks', [length, chunked], `0\r\n\r\n${INNER}`],
    ['chunks and a length', [chunked, 'Content-Length: 5'], `0\r\n\r\n${INNER}`],
    ['two lengths', ['Content-Length: 0', length], INNER],
    ['a list of lengths', [`Content-Length: 0, ${INNER.length}`], INNER],
    ['a signed length', [`Content-Length: +${INNER.length}`], INNER],
    ['a hexadecimal length', [`Content-Length: 0x${INNER.length.toString(16)}`], INNER],
    ['a misspelt coding', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${INNER}`],
    ['a coding after chunked', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${INNER}`],
    ['chunked twice', [chunked, chunked], `0\r\n\r\n${INNER}`],
    ['chunked and identity in two headers', [chunked, 'Transfer-Encoding: identity', length], `0\r\n\r\n${INNER}`],
    ['a vertical tab before chunked', ['Transfer-Encoding:\x0bchunked', length], `0\r\n\r\n${INNER}`],
    ['a space before the colon', ['Transfer-Encoding : chunked', length], `0\r\n\r\n${INNER}`],
    ['a chunk size with a sign', [chunked], `+0\r\n\r\n${INNER}`],
    ['a chunk size too large for a number', [chunked], `fffffffffffffffff\r\n\r\n${INNER}`],
    ['a chunk ended by a bare line feed', [chunked], `1;\n\r\na\r\n0\r\n\r\n${INNER}`],
    ['a Connection that names the length', ['Connection: close, Content-Length', length], INNER],
    ['a Connection that names the coding', ['Connection: close, Transfer-Encoding', chunked], `0\r\n\r\n${INNER}`],
    ['no framing at all', [], INNER],
  ]
  for (const method of ['POST', 'GET', 'DELETE']) {
    for (const [what, headers, body] of framings) {
      it(`${method} with ${what}`, async (t) => {
        const { upstream, port } = await startWorld(t)
        const keep = headers.some((header) => header.startsWith('Connection')) ? [] : ['Connection: keep-alive']
        await exchange(port, requestText(`${method} /sellers/v1/account`, [...keep, ...headers], body), {
          until: /HTTP\/1\.1 [^1]/,
        })
        const hidden = upstream.calls.filter(({ target }) => target === ADDRESS)
        assert.deepEqual(
          hidden.flatMap((call) => valuesOf(call, 'x-amz-access-token')).filter((one) => one !== RDT),
          [],
        )
      })
    }
  }

  // Node's server keeps a bounded number of headers: a length among those it dropped would leave the body unframed.
  for (const method of ['GET', 'DELETE', 'POST']) {
    it(`${method} with its length behind thousands of headers`, async (t) => {
      const { upstream, send } = await startWorld(t)
      const many = Array.from({ length: 2100 }, (_, i) => `a${i}: b`)
      await send(`${method} /sellers/v1/account`, [...many, length], INNER)
      assert.deepEqual(
        upstream.calls.filter(({ target }) => target === ADDRESS),
        [],
      )
    })
  }

  for (const method of ['GET', 'DELETE', 'POST']) {
    it(`${method} with a body that reads like a request: it stays one body`, async (t) => {
      const { upstream, send } = await startWorld(t)
      assert.equal((await send(`${method} /sellers/v1/account`, [length], INNER)).status, 200)
      assert.deepEqual(
        upstream.calls.map((call) => [call.target, bodyOf(call)]),
        [['/sellers/v1/account', INNER]],
      )
    })
  }
})

describe('a restricted call whose body never becomes whole is not forwarded', () => {
  const broken: readonly [string, string, string][] = [
    ['has a chunk of no size', 'Transfer-Encoding: chunked', '2\r\n{}\r\nzz\r\n'],
    ['has a chunk longer than it says', 'Transfer-Encoding: chunked', '2\r\n{}}}\r\n0\r\n\r\n'],
  ]
  for (const [what, framing, body] of broken) {
    it(`because it ${what}`, async (t) => {
      const { upstream, send } = await startWorld(t)
      assert.equal((await send('POST /mfn/v0/shipments', [framing, TOKEN], body)).status, 400)
      nothingArrived(upstream)
    })
  }

  it('because it is larger than may be kept', async (t) => {
    const { upstream, port } = await startWorld(t, { env: { SIDECAR_LIMITS_BODY_BYTES: '10' } })
    const chunks = requestText('POST /mfn/v0/shipments', ['Transfer-Encoding: chunked', TOKEN], 'b\r\n01234567890\r\n')
    const answer = readAnswer(await exchange(port, chunks, { until: /\}$/ }))
    assert.deepEqual([answer.status, answer.values('x-rdt-error')], [413, ['body-too-large']])
    nothingArrived(upstream)
  })
})
