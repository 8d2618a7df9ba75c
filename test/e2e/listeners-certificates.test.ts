/** Certificates of the data listener that change while it serves: without a restart, without a call that fails. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect } from 'node:tls'
import { callAt } from '../support/caller.ts'
import { type Certificate, selfSigned, noOpenssl as skip, tryTls11 } from '../support/certificates.ts'
import { folderFor, lwaToken, run, serving, simulating } from '../support/cli.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'
const RESTRICTED = '/orders/v0/orders/902-1845936-5435001/address'

/** A Secret of type kubernetes.io/tls as the kubelet mounts it: what it holds is exchanged by one symbolic link. */
const mountedSecret = (folder: string) => {
  let version = 0
  const put = (cert: string, key: string): void => {
    version += 1
    const inside = path.join(folder, `..${version}`)
    mkdirSync(inside)
    writeFileSync(path.join(inside, 'tls.crt'), cert)
    writeFileSync(path.join(inside, 'tls.key'), key, { mode: 0o600 })
    symlinkSync(`..${version}`, path.join(folder, '..new'))
    renameSync(path.join(folder, '..new'), path.join(folder, '..data'))
  }
  const fileOf = (name: string): string => {
    symlinkSync(`..data/${name}`, path.join(folder, name))
    return path.join(folder, name)
  }
  return { put, certFile: fileOf('tls.crt'), keyFile: fileOf('tls.key') }
}

/** `serve` as a process with a mounted certificate. */
const started = async (t: TestContext, first: Certificate, trusted: readonly Certificate[]) => {
  const amazon = await simulating(t)
  const secret = mountedSecret(folderFor(t))
  secret.put(first.cert, first.key)
  const sidecar = await serving(t, {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_TLS_CERT_FILE: secret.certFile,
    SIDECAR_TLS_KEY_FILE: secret.keyFile,
  })
  const place = { port: Number(new URL(sidecar.base).port), ca: trusted.map(({ cert }) => cert) }
  return {
    ...sidecar,
    secret,
    place,
    token: { 'x-amz-access-token': await lwaToken(amazon) },
    /** Common name of the certificate that a new connection is shown. */
    shown: async (): Promise<string | undefined> => {
      const socket = connect({ host: '127.0.0.1', servername: 'localhost', ...place })
      await once(socket, 'secureConnect')
      const { subject } = socket.getPeerCertificate()
      socket.destroy()
      return String(subject.CN)
    },
    good: (): Promise<number> => metric(sidecar, 'rdt_config_last_reload_successful'),
  }
}

test('a certificate that is exchanged is shown to new connections; old ones go on, and no call fails', {
  skip,
}, async (t) => {
  const folder = folderFor(t)
  const [one, two] = ['one', 'two'].map((name) => selfSigned(folder, name)) as [Certificate, Certificate]
  const sidecar = await started(t, one, [one, two])
  const { place, token } = sidecar
  const old = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => old.destroy())
  assert.equal((await callAt({ ...place, agent: old }, RESTRICTED, token)).status, 200)

  let over = false
  const statuses: number[] = []
  const load = many(4, async (i) => {
    while (!over) statuses.push((await callAt(place, i % 2 ? OPEN : RESTRICTED, token)).status)
  })
  assert.equal(await sidecar.shown(), 'one')
  sidecar.secret.put(two.cert, two.key)
  await until(async () => (await sidecar.shown()) === 'two')
  const before = statuses.length
  await until(() => statuses.length > before + 20)
  over = true
  await load
  assert.ok(statuses.every((status) => status === 200))
  const kept = await callAt({ ...place, agent: old }, OPEN, token)
  assert.deepEqual([kept.status, kept.reused], [200, true])
  assert.match(sidecar.out(), /"event":"configuration","by":"file",[^\n]*"changed":\["tls\.cert","tls\.key"\]/)
  await assert.rejects(tryTls11(place.port), /alert protocol version/)
})

test('a key that is of another certificate is refused and told; what was shown stays until it is mended', {
  skip,
}, async (t) => {
  const folder = folderFor(t)
  const [one, two] = ['one', 'two'].map((name) => selfSigned(folder, name)) as [Certificate, Certificate]
  const sidecar = await started(t, one, [one, two])
  sidecar.secret.put(two.cert, one.key)
  await until(async () => (await sidecar.good()) === 0)
  assert.match(sidecar.out(), /"problems":\["tls\.keyFile: the file holds no key of tls\.certFile \(\w+\)"\]/)
  assert.equal(await sidecar.shown(), 'one')
  assert.equal((await callAt(sidecar.place, RESTRICTED, sidecar.token)).status, 200)
  sidecar.secret.put(two.cert, two.key)
  await until(async () => (await sidecar.good()) === 1)
  assert.equal(await sidecar.shown(), 'two')
  assert.ok(!sidecar.out().includes(readFileSync(sidecar.secret.keyFile, 'utf8').split('\n')[1] ?? ''))
})

test('a key that does not fit keeps it from starting: exit 2, and the key named', { skip }, async (t) => {
  const folder = folderFor(t)
  const [one, two] = ['one', 'two'].map((name) => selfSigned(folder, name)) as [Certificate, Certificate]
  const env = { SIDECAR_TLS_CERT_FILE: one.certFile, SIDECAR_TLS_KEY_FILE: two.keyFile }
  for (const command of ['serve', 'check-config']) {
    const { code, err } = await run(t, [command], env)
    assert.equal(code, 2)
    assert.match(err, /^tls\.keyFile: the file holds no key of tls\.certFile \(ERR_OSSL_X509_KEY_VALUES_MISMATCH\)\n$/)
  }
})

test('a key that everybody on the machine can read is said at the start; a certificate is nobody’s secret', {
  skip,
}, async (t) => {
  const { certFile, keyFile } = selfSigned(folderFor(t), 'localhost')
  chmodSync(certFile, 0o644)
  chmodSync(keyFile, 0o604)
  const sidecar = await serving(t, { SIDECAR_TLS_CERT_FILE: certFile, SIDECAR_TLS_KEY_FILE: keyFile })
  await until(() => sidecar.out().includes('can read the file'))
  const said = sidecar
    .out()
    .split('\n')
    .filter((line) => line.includes('"level":"warn"'))
  assert.deepEqual(
    said.map((line) => JSON.parse(line).msg),
    ['tls.keyFile: everybody on this machine can read the file (mode 0604)'],
  )
})
