/** Client secrets and refresh tokens are replaced under load, as an operator and Kubernetes would: no call fails. */
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { folderFor, serving } from '../support/cli.ts'
import { CALLER_TOKEN, CLIENT_ID } from '../support/managed.ts'
import { after, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'

const SELLERS = ['seller-a', 'seller-b']
const OPEN = '/sellers/v1/marketplaceParticipations'
const TARGETS = [OPEN, '/orders/v0/orders/1/address', '/orders/v0/orders/2', OPEN, '/orders/v0/orders/3/buyerInfo']

type Contents = Readonly<Record<string, string>>

/** A folder as Kubernetes mounts a Secret: `swap` puts all its files in the place of those before at one stroke. */
const secretVolume = (folder: string, first: Contents) => {
  let version = 0
  const swap = (contents: Contents): void => {
    version += 1
    const fresh = `..2026_11_26_20_00_00.${version}`
    mkdirSync(path.join(folder, fresh))
    for (const [name, text] of Object.entries(contents))
      writeFileSync(path.join(folder, fresh, name), text, { mode: 0o440 })
    symlinkSync(fresh, path.join(folder, '..data_tmp'))
    renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'))
    const old = `..2026_11_26_20_00_00.${version - 1}`
    rmSync(path.join(folder, old), { recursive: true, force: true })
  }
  swap(first)
  for (const name of Object.keys(first)) symlinkSync(path.join('..data', name), path.join(folder, name))
  return swap
}

const contentsOf = (secret: string, generation: string): Contents => ({
  'caller-token': CALLER_TOKEN,
  'client-secret': secret,
  ...Object.fromEntries(SELLERS.map((id) => [`${id}.refresh-token`, `Atzr|${id}${generation}\n`])),
})

const startRotating = async (t: TestContext, env: Contents = {}) => {
  const simulator = createSimulator()
  const amazon = await simulator.listen()
  t.after(simulator.close)
  simulator.control({ accessTokenSeconds: 4, clientSecrets: ['secret-1'] })
  const folder = folderFor(t)
  const swap = secretVolume(folder, contentsOf('secret-1', ''))
  const rows = SELLERS.map((id) => ({
    id,
    clientId: CLIENT_ID,
    clientSecretFile: path.join(folder, 'client-secret'),
    refreshTokenFile: path.join(folder, `${id}.refresh-token`),
  }))
  const sidecar = await serving(t, {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
    SIDECAR_SELLERS: JSON.stringify(rows),
    SIDECAR_AUTH_CALLER_TOKEN_FILE: path.join(folder, 'caller-token'),
    SIDECAR_RDT_EXPIRY_MARGIN_MS: '2000', // of four seconds: each token serves for two
    SIDECAR_LOG_AUDIT: 'false',
    ...env,
  })
  const ask = (seller: string, target: string): Promise<Response> =>
    fetch(sidecar.base + target, { headers: { 'x-rdt-caller-token': CALLER_TOKEN, 'x-rdt-seller': seller } })
  return { simulator, swap, sidecar, ask }
}

/** Fifty callers, each with one call after the other. */
const startLoad = (ask: (seller: string, target: string) => Promise<Response>) => {
  let going = true
  let calls = 0
  const failures: string[] = []
  const caller = async (i: number): Promise<void> => {
    for (let n = i; going; n += 1) {
      const [seller = '', target = ''] = [SELLERS[i % SELLERS.length], TARGETS[n % TARGETS.length]]
      try {
        const answer = await ask(seller, target)
        const text = await answer.text()
        calls += 1
        if (answer.status !== 200) failures.push(`${seller} ${target}: ${answer.status} ${text}`)
      } catch (error) {
        failures.push(`${seller} ${target}: ${error}`)
      }
      await after(20) // leaves the simulator, which shares this process, some air
    }
  }
  const callers = Array.from({ length: 50 }, (_, i) => caller(i))
  return {
    calls: () => calls,
    failures,
    stop: async (): Promise<void> => {
      going = false
      await Promise.all(callers)
    },
  }
}

const LAST = 'rdt_secret_last_success_timestamp_seconds'

test('client secret and refresh tokens are rotated, a wrong one is put in and mended, under load: every call is answered 200', async (t) => {
  const { simulator, swap, sidecar, ask } = await startRotating(t)
  const load = startLoad(ask)
  const said = (text: string): number => sidecar.out().split(text).length - 1
  const lwaCount = (outcome: string, secret: string) =>
    metric(sidecar, `rdt_lwa_requests_total{outcome="${outcome}",secret="${secret}"}`)
  const lastOf = (what: string) => metric(sidecar, `${LAST}{secret="${what}"}`)
  const granted = () => simulator.log().filter(({ kind, status }) => kind === 'lwa' && status === 200).length
  /** So many more tokens. */
  const renewed = async (n: number): Promise<void> => {
    const since = granted()
    await until(() => granted() >= since + n)
  }
  const startedAt = Date.now() / 1000
  await renewed(2)
  for (const what of ['clientSecret', 'refreshToken']) {
    await until(async () => (await lastOf(`sellers.0.${what}`)) >= Math.floor(startedAt))
    await until(async () => (await lastOf(`sellers.1.${what}`)) >= Math.floor(startedAt))
  }

  // A new client secret: both valid, the file swapped, the old one removed.
  simulator.control({ clientSecrets: ['secret-1', 'secret-2'] })
  swap(contentsOf('secret-2', ''))
  await until(() => said('new secrets work') === 2)
  simulator.control({ clientSecrets: ['secret-2'] })
  const firstUse = await lastOf('sellers.0.clientSecret')
  assert.ok(firstUse >= startedAt)
  await renewed(4)
  assert.ok((await lastOf('sellers.0.clientSecret')) > firstUse, 'each renewal is a use')
  assert.equal(await lwaCount('invalid_client', 'current'), 0)

  // New refresh tokens of the same selling partners.
  swap(contentsOf('secret-2', '~2'))
  await until(() => said('new secrets work') === 4)
  assert.equal(said('by another refresh token'), 2)
  simulator.control({ revokeRefreshTokens: SELLERS.map((id) => `Atzr|${id}`) })
  await renewed(4)
  assert.equal(await lwaCount('invalid_grant', 'current'), 0)

  // A wrong client secret: the one before serves on, past several renewals.
  swap(contentsOf('wrong-secret', '~2'))
  await until(() => said('refuses the configured secrets') >= 2)
  await renewed(4)
  assert.equal(await lwaCount('invalid_client', 'current'), 2, 'each seller asked once: it is remembered')
  assert.ok((await lwaCount('success', 'previous')) >= 4)
  assert.equal(await lastOf('sellers.0.clientSecret'), 0)
  assert.ok((await lastOf('sellers.0.refreshToken')) > startedAt)

  // The right one.
  simulator.control({ clientSecrets: ['secret-2', 'secret-3'] })
  swap(contentsOf('secret-3', '~2'))
  await until(() => said('new secrets work') === 6)
  simulator.control({ clientSecrets: ['secret-3'] })
  await renewed(4)
  assert.ok((await lastOf('sellers.1.clientSecret')) > startedAt)

  await load.stop()
  assert.deepEqual(load.failures.slice(0, 5), [])
  assert.ok(load.calls() > 500, String(load.calls()))
  const calls = simulator.log().filter(({ kind }) => kind === 'call')
  assert.deepEqual(new Set(calls.map(({ status }) => status)), new Set([200]))
  assert.deepEqual(new Set(calls.map(({ seller }) => seller)), new Set(SELLERS))
  assert.ok(simulator.log().filter(({ kind }) => kind === 'mint').length <= 24, 'renewals mint nothing')

  const stoppingAt = performance.now()
  sidecar.child.kill('SIGTERM')
  assert.equal((await sidecar.finished).code, 0)
  assert.ok(performance.now() - stoppingAt < 10_000)
  assert.doesNotMatch(sidecar.out() + sidecar.err(), /(wrong-secret|secret-[123]|Atz[ra]\||caller-token-of)/)
})

test('a process that is told to stop while Login with Amazon hangs, ends', async (t) => {
  const { simulator, sidecar, ask } = await startRotating(t, {
    SIDECAR_MINT_MAX_WAIT_MS: '1000',
    SIDECAR_LWA_TIMEOUT_MS: '60000',
  })
  simulator.control({ fail: [{ on: 'lwa', times: 100, as: 'hang' }] })
  const asked = ask('seller-a', OPEN)
  await until(() => simulator.log().length === 1)
  const from = performance.now()
  sidecar.child.kill('SIGTERM')
  const { code } = await sidecar.finished
  assert.equal((await asked).status, 503)
  assert.equal(code, 0)
  assert.ok(performance.now() - from < 10_000) // the wait of a second, not the minute that Login with Amazon has
})
