/** No way of sending a restricted call gets it out with the caller's own token. Attacks by their names: *-attacks.test.ts, smuggling.test.ts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchange } from '../support/raw.ts'
import { bodyOf, LWA, namesOf, RDT, type ReceivedCall, type Upstream, valuesOf } from '../support/recording-upstream.ts'
import { requestText, startWorld } from '../support/wire.ts'

const ADDRESS = '/orders/v0/orders/902-1/address'
const SHIPMENTS = '/mfn/v0/shipments'
const TOKEN = `x-amz-access-token: ${LWA}`
const BODY = '{"ShipmentRequestDetails":{}}'

/** One call arrived, it carries the RDT once, and the caller's token is nowhere in it. */
const soleSwapped = ({ calls }: Upstream): ReceivedCall => {
  const [call] = calls
  assert.ok(call && calls.length === 1, `${calls.length} calls arrived`)
  assert.deepEqual(valuesOf(call, 'x-amz-access-token'), [RDT])
  assert.ok(!call.rawHeaders.join('\n').includes(LWA))
  return call
}

describe('a restricted call leaves with the RDT and nothing else', () => {
  const ways: readonly [string, readonly string[]][] = [
    ['the header is in capitals', [TOKEN.toUpperCase().replace(/: .*/, `: ${LWA}`)]],
    ['white space surrounds the token', [`x-amz-access-token:\t ${LWA} \t`]],
  ]
  for (const [what, headers] of ways) {
    it(`when ${what}`, async (t) => {
      const { upstream, send } = await startWorld(t)
      const answer = await send(`GET ${ADDRESS}`, headers)
      assert.deepEqual([answer.status, answer.values('x-rdt-verdict')], [200, ['minted']])
      const call = soleSwapped(upstream)
      assert.deepEqual(valuesOf(call, 'host'), [new URL(upstream.url).host])
      assert.deepEqual(valuesOf(call, 'connection'), ['keep-alive'])
    })
  }

  for (const start of [`GET ${ADDRESS} HTTP/1.0`, `GET ${ADDRESS}/`, `GET ${ADDRESS}?a=1`]) {
    it(`when it is sent as ${start}`, async (t) => {
      const { upstream, send } = await startWorld(t)
      assert.equal((await send(start, [TOKEN])).status, 200)
      soleSwapped(upstream)
    })
  }

  it('when its body waits for 100 Continue', async (t) => {
    const { upstream, port } = await startWorld(t)
    const headers = ['Expect: 100-continue', `Content-Length: ${BODY.length}`, TOKEN]
    const text = await exchange(port, requestText(`POST ${SHIPMENTS}`, headers, BODY))
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    const call = soleSwapped(upstream)
    assert.deepEqual([bodyOf(call), valuesOf(call, 'expect')], [BODY, []])
  })

  it('when its body is chunked, which then arrives framed by its length', async (t) => {
    const { upstream, send } = await startWorld(t)
    const chunks = '3;name=value\r\n\0\xff{\r\n01\r\n}\r\n0\r\n\r\n'
    await send(`POST ${SHIPMENTS}`, ['Transfer-Encoding: chunked', TOKEN], chunks)
    const call = soleSwapped(upstream)
    assert.equal(bodyOf(call), '\0\xff{}')
    assert.deepEqual([valuesOf(call, 'content-length'), valuesOf(call, 'transfer-encoding')], [['4'], []])
  })

  it('when a trailer of its body names another token', async (t) => {
    const { upstream, send } = await startWorld(t)
    const headers = ['Transfer-Encoding: chunked', 'Trailer: x-amz-access-token', TOKEN]
    await send(`POST ${SHIPMENTS}`, headers, `2\r\n{}\r\n0\r\nx-amz-access-token: ${LWA}\r\nx-rdt-mode: skip\r\n\r\n`)
    assert.deepEqual(valuesOf(soleSwapped(upstream), 'trailer'), [])
  })

  it('when it is pipelined with others, each with the token it should have', async (t) => {
    const { upstream, port } = await startWorld(t)
    const keep = ['Connection: keep-alive', TOKEN]
    const requests = [
      requestText(`GET ${ADDRESS}`, keep),
      requestText('GET /sellers/v1/account', keep),
      requestText(`POST ${SHIPMENTS}`, [...keep, `Content-Length: ${BODY.length}`], BODY),
      requestText('GET /sellers/v1/account?2', [TOKEN]),
    ]
    const text = await exchange(port, requests.join(''))
    const verdicts = [...text.matchAll(/^x-rdt-verdict: (.*)\r$/gm)].map(([, verdict]) => verdict)
    assert.deepEqual(verdicts, ['minted', 'not-restricted', 'minted', 'not-restricted'])
    const arrived = Object.fromEntries(upstream.calls.map((c) => [c.target, valuesOf(c, 'x-amz-access-token')]))
    assert.deepEqual(arrived, {
      [ADDRESS]: [RDT],
      '/sellers/v1/account': [LWA],
      [SHIPMENTS]: [RDT],
      '/sellers/v1/account?2': [LWA],
    })
  })
})

describe('steering headers', () => {
  for (const path of [ADDRESS, '/sellers/v1/account']) {
    it(`and look-alikes of any kind do not reach Amazon on ${path}`, async (t) => {
      const { upstream, send } = await startWorld(t)
      const extra = ['x-rdt-scope: specific', 'x-rdt-anything: 1', 'X_RDT_CALLER_TOKEN: 2', 'x_amz_access_token: 3']
      await send(`GET ${path}`, [...extra, TOKEN])
      assert.deepEqual(namesOf(upstream.calls[0] ?? assert.fail()).toSorted(), [
        'connection',
        'host',
        'user-agent',
        'x-amz-access-token',
      ])
    })
  }
})

describe('hop-by-hop headers', () => {
  const HOPS = [
    'Connection: close, X-Mine',
    'X-Mine: 1',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Authenticate: Basic',
    'Proxy-Authorization: Basic eA==',
    'TE: trailers',
    'Trailer: x-checksum',
    'Upgrade: foo/2',
  ]
  for (const path of [ADDRESS, '/sellers/v1/account']) {
    it(`stay between the caller and the sidecar on ${path}`, async (t) => {
      const { upstream, send } = await startWorld(t)
      await send(`GET ${path}`, [...HOPS, TOKEN, 'X-Kept: 1'])
      const call = upstream.calls[0] ?? assert.fail()
      const gone = HOPS.map((header) => header.split(':')[0]?.toLowerCase() ?? '').slice(1)
      assert.deepEqual(
        namesOf(call).filter((name) => gone.includes(name)),
        [],
      )
      assert.deepEqual([valuesOf(call, 'connection'), valuesOf(call, 'x-kept')], [['keep-alive'], ['1']])
    })
  }
})
