import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { type TestContext, test } from 'node:test'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { selfSigned, noOpenssl as skip } from '../support/certificates.ts'
import { folderFor, printed, start } from '../support/cli.ts'
import { listen } from '../support/listen.ts'

/** The simulator behind TLS, as Amazon is; the certificate is of a made-up authority. */
const amazonOverTls = async (t: TestContext) => {
  const { cert, key, certFile } = selfSigned(folderFor(t), 'localhost')
  const simulator = createSimulator()
  const server = createServer({ key, cert }, simulator.handle)
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { simulator, cert: certFile, url: `https://localhost:${port}` }
}
const serving = async (t: TestContext, env: Record<string, string>): Promise<string> => {
  const running = start(t, ['serve'], { SIDECAR_PORT: '0', SIDECAR_ADMIN_PORT: '0', ...env })
  const [, port] = await printed(running, /"data":\[\{"host":"127\.0\.0\.1","port":(\d+)/)
  return `http://127.0.0.1:${port}`
}

test('mint and call go to Amazon over TLS; keep-alive holds there too', { skip }, async (t) => {
  const { simulator, cert, url } = await amazonOverTls(t)
  const base = await serving(t, { SIDECAR_ENDPOINT: url, NODE_EXTRA_CA_CERTS: cert })
  const headers = { 'x-amz-access-token': simulator.accessToken() }
  for (const verdict of ['minted', 'hit', 'hit']) {
    const answer = await fetch(`${base}/orders/v0/orders/1/address`, { headers })
    assert.deepEqual([answer.status, answer.headers.get('x-rdt-verdict')], [200, verdict])
    assert.match(await answer.text(), /ShippingAddress/)
  }
  assert.deepEqual(
    simulator.log().map(({ headers: { host } }) => host),
    Array(4).fill(new URL(url).host),
  )
})

test('a certificate that nobody vouches for is refused, for mint and call alike', { skip }, async (t) => {
  const { simulator, url } = await amazonOverTls(t)
  const base = await serving(t, { SIDECAR_ENDPOINT: url })
  const headers = { 'x-amz-access-token': simulator.accessToken() }
  const open = await fetch(`${base}/sellers/v1/marketplaceParticipations`, { headers })
  assert.deepEqual([open.status, open.headers.get('x-rdt-error')], [502, 'upstream-unreachable'])
  const restricted = await fetch(`${base}/orders/v0/orders/1/address`, { headers })
  assert.deepEqual([restricted.status, restricted.headers.get('x-rdt-error')], [503, 'mint-unavailable'])
  assert.deepEqual(simulator.log(), [])
})
