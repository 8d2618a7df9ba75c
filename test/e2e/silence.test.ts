/** Callers who fall silent in the middle of a call: they are let go, and nobody else is. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { folderFor } from '../support/cli.ts'
import { dial, expectRefusal } from '../support/dial.ts'
import { after, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { startPair } from '../support/pair.ts'
import { recordingUpstream, type UpstreamOptions } from '../support/recording-upstream.ts'
import { readAnswer, requestText, startWorld } from '../support/wire.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'
const SHIPMENTS = '/mfn/v0/shipments' // POST: restricted, so that its body is kept

describe('silence in the middle of a call, beyond limits.idleTimeoutMs', () => {
  const SHORT = { SIDECAR_LIMITS_IDLE_TIMEOUT_MS: '300' }

  it('of a caller that owes its body is answered 408', async (t) => {
    const { port } = await startWorld(t, { env: SHORT })
    const caller = await dial(t, port)
    caller.socket.write(requestText('POST /feeds/x', ['Content-Length: 10'], 'half'))
    await caller.closed
    expectRefusal(caller.received, 408, 'invalid-header', /did not arrive in time/)
  })

  for (const [what, path] of [
    ['kept', SHIPMENTS],
    ['streamed', '/feeds/x'],
  ] as const)
    it(`is the end of a call whose body is ${what}: the rest of it, sent after the 408, is not carried out`, async (t) => {
      let whole = 0
      const answer: UpstreamOptions['answer'] = (_req, res) => {
        whole += 1
        res.end()
      }
      const { pair, port, upstream } = await startWorld(t, { env: SHORT, answer })
      const caller = await dial(t, port, true)
      const headers = ['Content-Length: 10', 'x-amz-access-token: Atza|t', 'Connection: keep-alive']
      caller.socket.write(requestText(`POST ${path}`, headers, 'half'))
      await until(() => caller.received !== '')
      assert.equal(await metric(pair, 'rdt_http_requests_in_flight'), 0)
      caller.socket.write('whole!')
      await until(async () => (await metric(pair, 'rdt_connections')) === 0)
      expectRefusal(caller.received, 408, 'invalid-header', /did not arrive in time/)
      assert.deepEqual([whole, upstream.mints], [0, []])
    })

  it('of a caller that takes nothing of its answer is cut', async (t) => {
    const endless = Buffer.alloc(64 * 1024 * 1024) // more than the buffers on the way hold
    const { pair, port } = await startWorld(t, { env: SHORT, answer: (_req, res) => void res.end(endless) })
    const caller = await dial(t, port)
    caller.socket.pause()
    caller.socket.write(requestText(`GET ${OPEN}`, ['Connection: keep-alive']))
    await until(async () => (await metric(pair, 'rdt_http_client_aborts_total')) === 1)
    assert.equal(await metric(pair, 'rdt_http_requests_in_flight'), 0)
  })

  it('of a caller that leaves the end of its answer is cut, though all of it has been written', async (t) => {
    const { url } = await recordingUpstream(t, {
      answer: ({ url = '' }, res) => void res.end(url.padEnd(Number(url.slice(1)))),
    })
    const socketPath = join(folderFor(t), 'sidecar.sock') // its buffers do not grow: some answer ends in ours
    const pair = await startPair(t, { env: SHORT, listeners: () => [{ socketPath, endpoint: url }] })
    const callers = Array.from({ length: 40 }, () =>
      connect(socketPath)
        .on('error', () => {})
        .pause(),
    )
    t.after(() => callers.forEach((socket) => void socket.destroy()))
    callers.forEach((socket, i) => void socket.write(requestText(`GET /${(i + 1) * 24_000}`)))
    await until(async () => (await metric(pair, 'rdt_http_client_aborts_total')) > 0)
    await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 0)
  })

  it('of Amazon, or while a mint is waited for, is none of the caller', async (t) => {
    const { port } = await startWorld(t, {
      env: SHORT,
      answer: (_req, res) => void setTimeout(() => res.end('late'), 1500),
    })
    const caller = await dial(t, port)
    caller.socket.write(requestText(`GET ${OPEN}`))
    await caller.closed
    assert.deepEqual([readAnswer(caller.received).status, readAnswer(caller.received).body], [200, 'late'])
  })

  it('of a connection between two calls is the end of it, with nothing said', async (t) => {
    const { pair, port } = await startWorld(t, { env: SHORT })
    const caller = await dial(t, port)
    caller.socket.write(requestText(`GET ${OPEN}`, ['Connection: keep-alive']))
    await until(() => caller.received.includes('\r\n\r\n'))
    await after(1000)
    assert.equal(await metric(pair, 'rdt_connections'), 1) // the pools of callers keep it for longer than that
  })
})
