/** Mutual TLS on the data listener: who has no certificate of ours does not get as far as a call. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { callAt } from '../support/caller.ts'
import { authority, selfSigned, noOpenssl as skip } from '../support/certificates.ts'
import { FREE, folderFor, run } from '../support/cli.ts'
import { CALLER_TOKEN, sellerFiles, startManaged } from '../support/managed.ts'
import { readAnswer } from '../support/wire.ts'

const RESTRICTED = '/orders/v0/orders/902-1845936-5435001/address'
const OPEN = '/sellers/v1/marketplaceParticipations'
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const TOKEN = { 'x-rdt-caller-token': CALLER_TOKEN }

/** A sidecar with a managed seller that asks callers for a certificate of `ours`. */
const startMutual = async (t: TestContext, env: Record<string, string> = {}) => {
  const folder = folderFor(t)
  const server = selfSigned(folder, 'localhost')
  const [ours, theirs] = [authority(folder, 'ours'), authority(folder, 'theirs')]
  const caFile = path.join(folder, 'callers.pem')
  writeFileSync(caFile, ours.cert)
  const pair = await startManaged(t, {
    env: {
      SIDECAR_TLS_CERT_FILE: server.certFile,
      SIDECAR_TLS_KEY_FILE: server.keyFile,
      SIDECAR_TLS_CLIENT_CA_FILE: caFile,
      ...env,
    },
  })
  const place = { port: pair.port, ca: server.cert }
  return {
    ...pair,
    place,
    ours,
    theirs,
    caFile,
    /** Codes of handshakes that were said, at info, to have failed. */
    failures: (): readonly unknown[] =>
      pair.lines
        .map((line) => JSON.parse(line))
        .filter(({ level, msg }) => level === 'info' && msg === 'TLS handshake failed')
        .map(({ code }) => code),
  }
}
const BY_CERTIFICATE = { SIDECAR_AUTH_CALLER_TOKEN_FILE: 'null' }

/** A call by a connection of its own that takes up a session, if one is given; `error` where it came to nothing. */
const callIn = async (place: ConnectionOptions) => {
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', ...place })
  const seen = { text: '', session: undefined as Buffer | undefined, resumed: false }
  socket.on('session', (session) => {
    seen.session = session
  })
  socket.on('secureConnect', () => {
    seen.resumed = socket.isSessionReused()
    socket.write(`GET ${OPEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  })
  socket.on('data', (chunk) => {
    seen.text += chunk.toString()
  })
  socket.on('error', () => {}) // the one side says it by an alert, the other by closing
  await new Promise((resolve) => socket.once('close', resolve))
  return { status: readAnswer(seen.text).status, ...seen }
}

describe('mutual TLS', { skip }, () => {
  it('is proof enough for managed sellers', async (t) => {
    const { place, ours, calls } = await startMutual(t, BY_CERTIFICATE)
    const { cert, key } = ours.issue('orders')
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    for (const target of [RESTRICTED, OPEN, RESTRICTED])
      assert.equal((await callAt({ ...place, cert, key, agent }, target)).status, 200)
    assert.equal(calls().length, 3)
  })

  it('is what TLS alone is not: with sellers, and no authority for callers, serve does not start', async (t) => {
    const folder = folderFor(t)
    const { certFile, keyFile } = selfSigned(folder, 'localhost')
    const { code, out, err } = await run(t, ['serve'], {
      ...FREE,
      SIDECAR_SELLERS: JSON.stringify([sellerFiles(folder).row('seller-a')]),
      SIDECAR_TLS_CERT_FILE: certFile,
      SIDECAR_TLS_KEY_FILE: keyFile,
    })
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /^sellers: whoever reaches the listener could call in their name\. [^\n]+\n$/)
  })

  for (const version of VERSIONS) {
    it(`lets nobody through without a good certificate, and says why: ${version}`, async (t) => {
      const { place, ours, theirs, simulator, failures } = await startMutual(t, BY_CERTIFICATE)
      const only = { ...place, minVersion: version, maxVersion: version }
      const own = { 'x-amz-access-token': simulator.accessToken() }
      const selfMade = selfSigned(path.dirname(ours.certFile), 'self-made')
      const others = [theirs.issue('stranger'), ours.issue('yesterday', -1), selfMade]
      await assert.rejects(callAt(only, RESTRICTED, own))
      for (const { cert, key } of others) await assert.rejects(callAt({ ...only, cert, key }, RESTRICTED, own))
      assert.deepEqual(failures(), [
        'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        'CERT_HAS_EXPIRED',
        'DEPTH_ZERO_SELF_SIGNED_CERT',
      ])
      assert.deepEqual(simulator.log(), [])
      const good = ours.issue('orders')
      assert.equal((await callAt({ ...only, cert: good.cert, key: good.key }, RESTRICTED, own)).status, 200)
    })
  }

  it('and a caller token: both are needed where both are configured', async (t) => {
    const { place, ours, calls } = await startMutual(t)
    const { cert, key } = ours.issue('orders')
    await assert.rejects(callAt(place, RESTRICTED, TOKEN))
    const without = await callAt({ ...place, cert, key }, RESTRICTED)
    assert.deepEqual([without.status, without.error], [403, 'untrusted-caller'])
    assert.equal((await callAt({ ...place, cert, key }, RESTRICTED, TOKEN)).status, 200)
    assert.equal(calls().length, 1)
  })

  it('takes over another authority: its callers get in, those of the old one no more, nor by a session they had', async (t) => {
    const pair = await startMutual(t, BY_CERTIFICATE)
    const { place, ours, theirs, caFile } = pair
    const [one, two] = [ours.issue('one'), theirs.issue('two')]
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const asOne = { ...place, cert: one.cert, key: one.key }
    const asTwo = { ...place, cert: two.cert, key: two.key }
    assert.equal((await callAt({ ...asOne, agent }, OPEN)).status, 200)
    const sessions: ConnectionOptions[] = []
    for (const version of VERSIONS) {
      const first = await callIn({ ...asOne, maxVersion: version })
      assert.ok(first.session)
      sessions.push({ maxVersion: version, session: first.session })
    }
    pair.reload({ SIDECAR_RDT_SCOPE: 'specific' }) // of something else: sessions go on
    for (const session of sessions) {
      const { status, resumed } = await callIn({ ...asOne, ...session })
      assert.deepEqual([status, resumed], [200, true])
    }

    writeFileSync(caFile, theirs.cert)
    pair.reload()
    assert.equal((await callAt(asTwo, OPEN)).status, 200)
    await assert.rejects(callAt(asOne, OPEN))
    for (const session of sessions) assert.equal((await callIn({ ...asOne, ...session })).status, 0)
    const kept = await callAt({ ...asOne, agent }, OPEN)
    assert.deepEqual([kept.status, kept.reused], [200, true]) // until it closes
  })
})
