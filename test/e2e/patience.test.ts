/** Whose silence it is: Amazon's is bounded, the caller's is its own business. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { answerTo, digestOf, open } from '../support/http-client.ts'
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
