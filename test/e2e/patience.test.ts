/** Whose silence it is: Amazon's is bounded, the caller's is its own business. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { answerTo, digestOf, open } from '../support/http-client.ts'
import { until } from '../support/many.ts'
import { startPair } from '../support/pair.ts'
import { rawUpstream } from '../support/raw.ts'
import { startWorld } from '../support/wire.ts'

const SHORT = { SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: '150' }

test('a caller who pauses in the middle of an upload is not cut off', async (t) => {
  const { base, upstream } = await startWorld(t, { env: SHORT })
  const req = open(base, 'POST', '/feeds/x', { 'content-length': '8' })
  req.write('half')
  await upstream.next('call')
  await pause(500)
  req.end('done')
  assert.equal((await answerTo(req)).statusCode, 200)
  assert.equal(Buffer.concat(upstream.calls[0]?.chunks ?? []).toString(), 'halfdone')
})

test('Amazon falling silent after a caller had paused is told all the same', async (t) => {
  const { base, upstream } = await startWorld(t, { env: SHORT, answer: () => {} })
  const req = open(base, 'POST', '/feeds/x', { 'content-length': '8' })
  req.write('half')
  await upstream.next('call')
  await pause(500)
  req.end('done')
  const res = await answerTo(req)
  assert.equal(res.statusCode, 504)
  assert.equal(res.headers['x-rdt-error'], 'upstream-timeout')
})

test('how long Amazon keeps a free connection bounds no call on it', async (t) => {
  const slow = async (_req: unknown, res: ServerResponse) => {
    await pause(1500)
    res.end('ok')
  }
  const { base, upstream } = await startWorld(t, {
    answer: (req, res) => {
      if (req.url === '/slow') return void slow(req, res)
      res.setHeader('keep-alive', 'timeout=2') // Node's agent takes a second off
      res.end()
    },
  })
  await (await answerTo(open(base, 'GET', '/x').end())).toArray()
  const res = await answerTo(open(base, 'GET', '/slow').end())
  assert.equal(res.statusCode, 200)
  assert.equal(upstream.peers.size, 1)
})

test('Amazon falling silent is told also to a call that waited for the connection of another', async (t) => {
  const { base } = await startWorld(t, {
    env: { ...SHORT, SIDECAR_UPSTREAM_MAX_CONNECTIONS: '1' },
    answer: (req, res) => void (req.url === '/x' && setTimeout(() => res.end(), 50)),
  })
  const statusOf = async (path: string) => (await answerTo(open(base, 'GET', path).end())).resume().statusCode
  assert.deepEqual(await Promise.all([statusOf('/x'), statusOf('/silent')]), [200, 504])
})

test('a caller who pauses while it reads is not cut off, and misses nothing', async (t) => {
  const body = randomBytes(32 * 1024 * 1024) // more than the buffers on the way hold
  const { base } = await startWorld(t, { env: SHORT, answer: (_req, res) => void res.end(body) })
  const res = await answerTo(open(base, 'GET', '/x').end())
  await pause(500)
  assert.equal(await digestOf(res, createHash('sha256')), createHash('sha256').update(body).digest('hex'))
})

test('Amazon falling silent in the middle of an answer is cut, and is no abort of the caller', async (t) => {
  const { base, pair } = await startWorld(t, {
    env: SHORT,
    answer: (_req, res) => {
      res.writeHead(200, { 'content-length': '10' })
      res.write('half')
    },
  })
  const res = await answerTo(open(base, 'GET', '/x').end())
  await assert.rejects(res.toArray())
  const metrics = await (await fetch(`${pair.admin}/metrics`)).text()
  assert.match(metrics, /^rdt_upstream_errors_total\{reason="timeout"\} 1$/m)
  assert.match(metrics, /^rdt_http_client_aborts_total 0$/m)
})

for (const [what, first, next] of [
  ['a head that comes a byte at a time', 'HTTP/1.1 200 OK\r\nx-long: ', 'a'],
  ['one 102 after another', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
] as const) {
  test(`Amazon busy without answering is bounded like silence: ${what}`, async (t) => {
    const dripping = await rawUpstream(t, (_request, socket) => {
      socket.write(first)
      const drip = setInterval(() => socket.write(next), 20)
      socket.once('close', () => clearInterval(drip))
    })
    const pair = await startPair(t, { endpoint: dripping.url, env: SHORT })
    const res = await answerTo(open(pair.base, 'POST', '/feeds/x').end('{}'))
    assert.deepEqual([res.statusCode, res.headers['x-rdt-error']], [504, 'upstream-timeout'])
    assert.equal(dripping.requests.length, 1)
    await until(() => dripping.sockets.size === 0)
  })
}

test("an answer's headers may be as large as limits.headerBytes", async (t) => {
  const long = 'a'.repeat(40_000)
  const { base } = await startWorld(t, {
    answer: (_req, res) => {
      res.setHeader('x-long', long)
      res.end()
    },
  })
  const req = open(base, 'GET', '/x')
  Object.assign(req, { maxHeaderSize: 65_536 })
  assert.equal((await answerTo(req.end())).headers['x-long'], long)
})
