/** Connections: kept to Amazon whatever callers do with theirs, ended where a call is cut on either side. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { answerTo, open } from '../support/http-client.ts'
import { startPair } from '../support/pair.ts'
import { exchange, rawUpstream } from '../support/raw.ts'
import { LWA } from '../support/recording-upstream.ts'
import { readAnswer, requestText, startWorld } from '../support/wire.ts'

const TOKEN = `x-amz-access-token: ${LWA}`
const OPEN = '/sellers/v1/account'
const RESTRICTED = '/orders/v0/orders/902-1/address'

describe('one connection to Amazon serves twenty calls in a row', () => {
  const chunks = ['Transfer-Encoding: chunked', TOKEN]
  const callers: readonly [string, string, readonly string[], string][] = [
    ['that close theirs', `GET ${OPEN}`, ['Connection: close'], ''],
    ['of HTTP/1.0', `GET ${OPEN} HTTP/1.0`, ['Connection: close'], ''],
    ['that ask for another protocol', `GET ${OPEN}`, ['Connection: close, Upgrade', 'Upgrade: websocket'], ''],
    ['to restricted operations', `GET ${RESTRICTED}`, [TOKEN], ''],
    ['with a body', `POST ${OPEN}`, ['Content-Length: 2'], '{}'],
    ['with a chunked body to a restricted operation', 'POST /mfn/v0/shipments', chunks, '2\r\n{}\r\n0\r\n\r\n'],
  ]
  for (const [what, start, headers, body] of callers) {
    it(what, async (t) => {
      const { upstream, send } = await startWorld(t)
      for (let i = 0; i < 20; i += 1) assert.equal((await send(start, headers, body)).status, 200)
      assert.deepEqual([upstream.calls.length, upstream.peers.size], [20, 1])
    })
  }
})

describe('the caller’s connection', () => {
  it('stays open when Amazon closes its own', async (t) => {
    const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}'
    const { url, requests } = await rawUpstream(t, (_, socket) => socket.end(answer))
    const { port } = await startPair(t, { endpoint: url })
    const text = await exchange(
      port,
      requestText(`GET ${OPEN}`, ['Connection: keep-alive']) + requestText(`GET ${OPEN}`),
    )
    assert.deepEqual(text.match(/^connection: .*\b/gim), ['connection: keep-alive', 'connection: close'])
    assert.equal(requests.length, 2)
  })

  it('gets an end when Amazon switches protocols, which nobody asked for', async (t) => {
    const { url } = await rawUpstream(t, (_, socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    )
    const { port } = await startPair(t, { endpoint: url })
    const answer = readAnswer(await exchange(port, requestText(`GET ${OPEN}`)))
    assert.deepEqual([answer.status, answer.values('x-rdt-error')], [502, ['upstream-unreachable']])
  })
})

describe('an answer that Amazon cuts', () => {
  const cuts: readonly [string, string][] = [
    ['framed by its length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"payload":'],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"payload":\r\n'],
  ]
  for (const [what, bytes] of cuts) {
    it(`reaches the caller as cut, ${what}`, async (t) => {
      const { url, sockets } = await rawUpstream(t, (_, socket) => socket.write(bytes))
      const { base } = await startPair(t, { endpoint: url })
      const res = await answerTo(open(base, 'GET', OPEN).end())
      const [first] = await once(res, 'data')
      for (const socket of sockets) socket.destroy()
      const [error] = await once(res, 'error')
      assert.deepEqual([String(first), error.code, res.complete], ['{"payload":', 'ECONNRESET', false])
    })
  }
})

describe('a caller who leaves', () => {
  it('in the middle of a download cancels it at Amazon', async (t) => {
    const { promise, resolve } = Promise.withResolvers<Socket>()
    const { url } = await rawUpstream(t, (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst')
      resolve(socket)
    })
    const { base } = await startPair(t, { endpoint: url })
    const req = open(base, 'GET', OPEN).end()
    const res = await answerTo(req)
    res.on('error', () => {})
    await once(res, 'data')
    const atAmazon = await promise
    const closed = once(atAmazon, 'close')
    req.destroy()
    await closed
  })

  it('before the answer begins cancels the call at Amazon', async (t) => {
    const { promise, resolve } = Promise.withResolvers<Socket>()
    const { url } = await rawUpstream(t, (_, socket) => resolve(socket))
    const { base } = await startPair(t, { endpoint: url })
    const req = open(base, 'GET', OPEN).end()
    const closed = once(await promise, 'close')
    req.destroy()
    await closed
  })

  it('in the middle of an upload cancels it at Amazon', async (t) => {
    const { promise, resolve } = Promise.withResolvers<Socket>()
    const { url } = await rawUpstream(t, (_, socket) => resolve(socket))
    const { base } = await startPair(t, { endpoint: url })
    const req = open(base, 'PUT', OPEN, { 'content-length': '1000000' })
    req.write('first')
    const closed = once(await promise, 'close')
    req.destroy()
    await closed
  })

  for (const onMintFailure of ['reject', 'forward']) {
    it(`while a mint is awaited sends nothing to the operation, pipelined calls included (${onMintFailure})`, async (t) => {
      const held: (() => void)[] = []
      const env = { SIDECAR_RDT_ON_MINT_FAILURE: onMintFailure }
      const world = await startWorld(t, { env, onMint: (reply) => held.push(reply) })
      const minting = world.upstream.next('mint')
      const socket = connect(world.port, '127.0.0.1')
      const call = requestText(`GET ${RESTRICTED}`, ['Connection: keep-alive', TOKEN])
      socket.write(call + call)
      await minting
      socket.destroy()
      await inFlight(world.pair.admin, 0)
      for (const reply of held) reply()
      // A caller who stays gets that very mint: by then a call of the one who left would have gone out too.
      const { status } = await world.send(`GET ${RESTRICTED}`, [TOKEN])
      assert.deepEqual([status, world.upstream.calls.length, world.upstream.mints.length], [200, 1, 1])
    })
  }

  it('in the middle of the body of a restricted call causes no mint and no call', async (t) => {
    const { port, pair, upstream, send } = await startWorld(t)
    const socket = connect(port, '127.0.0.1')
    socket.write(requestText('POST /mfn/v0/shipments', ['Content-Length: 10', TOKEN], 'half'))
    await inFlight(pair.admin, 1)
    socket.destroy()
    await inFlight(pair.admin, 0)
    await send(`GET ${OPEN}`)
    assert.deepEqual([upstream.calls.map(({ target }) => target), upstream.mints], [[OPEN], []])
  })
})

/** Asks until the sidecar counts so many calls under way. */
const inFlight = async (admin: string, wanted: number): Promise<void> => {
  for (;;) {
    const metrics = await (await fetch(`${admin}/metrics`)).text()
    if (metrics.includes(`rdt_http_requests_in_flight ${wanted}\n`)) return
  }
}
