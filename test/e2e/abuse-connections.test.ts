/** Callers with nothing, who hold all connections to Amazon with bodies that never end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { ADDRESS } from '../support/abuse.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { startPair, verdictOf } from '../support/pair.ts'

const FEEDS = '/feeds/2021-06-30/feeds'
const NEVER_ENDING = `POST ${FEEDS} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`

test('while they do, others are told within upstream.connectTimeoutMs; once one is gone they are served', async (t) => {
  const pair = await startPair(t, {
    env: {
      SIDECAR_UPSTREAM_MAX_CONNECTIONS: '4',
      SIDECAR_UPSTREAM_CONNECT_TIMEOUT_MS: '300',
      SIDECAR_DRAIN_MAX_MS: '100', // the holders are in flight to the end
    },
  })
  const token = pair.simulator.accessToken()
  const holders = await many(4, async () => {
    const socket = connect(pair.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(NEVER_ENDING)
    return socket
  })
  await until(() => pair.calls().length === 4)
  const called = async () => {
    const answer = await pair.call(ADDRESS, token, { signal: AbortSignal.timeout(20_000) }) // it used to wait for them
    await answer.arrayBuffer()
    return [answer.status, answer.headers.get('x-rdt-error'), verdictOf(answer)]
  }
  assert.deepEqual(await called(), [504, 'upstream-timeout', 'minted'])
  holders[0]?.destroy()
  await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 3)
  assert.deepEqual(await called(), [200, null, 'hit'])
  assert.equal(pair.calls().filter(({ target }) => target === ADDRESS).length, 1, 'what was told is not sent later')
  assert.equal(await metric(pair, 'rdt_http_rejections_total{reason="upstream-timeout"}'), 1, 'nor told twice')
})
