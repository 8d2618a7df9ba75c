import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { serving } from '../support/cli.ts'
import { after, until } from '../support/many.ts'
import { startPair } from '../support/pair.ts'
import { exchange, rawUpstream } from '../support/raw.ts'
import { readAnswer, requestText, startWorld } from '../support/wire.ts'

const rejections = async (admin: string, reason: string): Promise<string | undefined> => {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return new RegExp(`^rdt_http_rejections_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(text)?.[1]
}

test("bytes that Node's parser refuses in a target are an unsafe path, answered in Amazon's shape and counted", async (t) => {
  const { pair, send, upstream } = await startWorld(t)
  const answer = await send('GET /orders/v0/orders/\u0000')
  assert.deepEqual(
    [answer.status, answer.values('x-rdt-error'), answer.values('x-rdt-verdict')],
    [400, ['unsafe-path'], ['rejected;unsafe-path']],
  )
  assert.equal(JSON.parse(answer.body).errors[0].code, 'InvalidInput')
  assert.equal(await rejections(pair.admin, 'unsafe-path'), '1')
  assert.equal(upstream.calls.length, 0)
})

test('headers beyond limits.headerBytes are a 431 that names the limit', async (t) => {
  const { send, upstream } = await startWorld(t, { env: { SIDECAR_LIMITS_HEADER_BYTES: '2000' } })
  const answer = await send('GET /sellers/v1/x', [`x-long: ${'a'.repeat(3000)}`])
  assert.deepEqual([answer.status, answer.values('x-rdt-error')], [431, ['invalid-header']])
  assert.match(answer.body, /limits\.headerBytes/)
  assert.equal(upstream.calls.length, 0)
})

test('what is not HTTP at all is told so', async (t) => {
  const { port } = await startWorld(t)
  const answer = readAnswer(await exchange(port, 'SSH-2.0-OpenSSH_9\r\n\r\n'))
  assert.deepEqual([answer.status, answer.values('x-rdt-error')], [400, ['invalid-header']])
})

test('garbage behind a call in flight does not get between the call and its answer, and is answered after it', async (t) => {
  const sockets: Socket[] = []
  const upstream = await rawUpstream(t, (_, socket) => void sockets.push(socket))
  const pair = await startPair(t, { endpoint: upstream.url })
  const socket = connect(pair.port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString()
  })
  const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}))
  socket.write(requestText('GET /sellers/v1/x HTTP/1.1', ['Connection: keep-alive']))
  await until(() => sockets.length === 1)
  for (const garbage of ['GARBAGE\r\n\r\n', 'MORE', requestText('GET /sellers/v1/y HTTP/1.1')]) {
    socket.write(garbage)
    await after(20)
  }
  assert.equal(received, '')
  sockets[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')
  await closed
  assert.match(received, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n\{\}HTTP\/1\.1 400 Refused\r\n.*x-rdt-error: invalid-header/s)
  assert.equal(received.match(/HTTP\/1\.1/g)?.length, 2)
  assert.equal(sockets.length, 1)
  assert.equal(await rejections(pair.admin, 'invalid-header'), '1')
})

test('a HEAD whose body cannot be read is refused without a body', async (t) => {
  const { port } = await startWorld(t)
  const bytes = requestText('HEAD /sellers/v1/x', ['Connection: keep-alive', 'Transfer-Encoding: chunked'], 'zz\r\n')
  assert.match(await exchange(port, bytes), /^HTTP\/1\.1 400 Refused\r\n.*\r\n\r\n$/s)
})

test('a target that is no path is not printed by Node, whatever it holds', async (t) => {
  const { base, err } = await serving(t, { SIDECAR_ENDPOINT: 'http://127.0.0.1:1' })
  const bytes = requestText('GET http://127.0.0.1:1http://private/orders')
  assert.match(
    await exchange(Number(new URL(base).port), bytes),
    /^HTTP\/1\.1 400 [^\r]*\r\nx-rdt-verdict: rejected;unsafe-path/,
  )
  assert.equal(err(), '')
})
