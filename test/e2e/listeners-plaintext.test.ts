/** Plaintext off loopback: not without a word, and seen by Prometheus. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { selfSigned, noOpenssl as skip } from '../support/certificates.ts'
import { folderFor, run, serving, servingWith } from '../support/cli.ts'
import { metric } from '../support/metric.ts'

const WARNING = 'insecureListen: tokens may cross the network in the clear'

const insecureOf = (sidecar: { readonly admin: string }): Promise<number> => metric(sidecar, 'rdt_insecure_listeners')

/** What was said at the level warn. */
const warningsOf = ({ out }: { readonly out: () => string }): readonly string[] =>
  out()
    .split('\n')
    .filter((line) => line.includes('"level":"warn"'))
    .map((line) => JSON.parse(line).msg)

const tlsFor = (t: TestContext): Record<string, string> => {
  const { certFile, keyFile } = selfSigned(folderFor(t), 'localhost')
  return { SIDECAR_TLS_CERT_FILE: certFile, SIDECAR_TLS_KEY_FILE: keyFile }
}

test('off loopback it does not start without TLS, unless told that this is safe: exit 2, and both ways named', async (t) => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1']) {
    const { code, out, err } = await run(t, ['serve'], { SIDECAR_HOST: host })
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /^host: \S+ is not loopback: .* tls\.certFile and tls\.keyFile, or insecureListen: true/)
  }
})

test('told so, it says at its start what that means, and Prometheus counts the listener', async (t) => {
  const env = { SIDECAR_HOST: '0.0.0.0', SIDECAR_INSECURE_LISTEN: 'true' }
  const sidecar = await serving(t, env)
  assert.equal(await insecureOf(sidecar), 1)
  assert.deepEqual(warningsOf(sidecar), [WARNING])
  assert.match((await run(t, ['check-config'], env)).out, new RegExp(`^Unsafe: ${WARNING}$`, 'm'))
})

test('those on loopback, and Unix sockets, are none of them', async (t) => {
  const safe = await serving(t, { SIDECAR_INSECURE_LISTEN: 'true' })
  assert.equal(await insecureOf(safe), 0)
  assert.deepEqual(warningsOf(safe), [])
  const socketPath = path.join(folderFor(t), 'rdt.sock')
  const listeners = ['0.0.0.0', '127.0.0.2', '0.0.0.0'].map((host) => ({ host, port: 0, endpoint: 'na' }))
  const many = await servingWith(t, {
    SIDECAR_LISTENERS: JSON.stringify([...listeners, { socketPath, endpoint: 'na' }]),
    SIDECAR_INSECURE_LISTEN: 'true',
    SIDECAR_ADMIN_PORT: '0',
  })
  assert.equal(await insecureOf(many), 2)
  assert.deepEqual(warningsOf(many), [WARNING])
})

test('with TLS nothing needs to be said, and there is none', { skip }, async (t) => {
  const sidecar = await serving(t, { SIDECAR_HOST: '0.0.0.0', ...tlsFor(t) })
  assert.equal(await insecureOf(sidecar), 0)
  assert.deepEqual(warningsOf(sidecar), [])
})
