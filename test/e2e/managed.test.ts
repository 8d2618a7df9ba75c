import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { test } from 'node:test'
import { FREE, folderFor, run } from '../support/cli.ts'
import { CALLER_TOKEN, sellerFiles, servingManaged, startManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { firstErrorOf, verdictOf } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'
import { readAnswer, requestText } from '../support/wire.ts'

const ADDRESS = '/orders/v0/orders/902-1845936-5435001/address'
const OPEN = '/sellers/v1/marketplaceParticipations'

test('a service that holds nothing gets personal data: LWA once, one mint, the right seller', async (t) => {
  const { ask, lwa, mints, calls } = await startManaged(t)
  const answers = await Promise.all([ask(ADDRESS), ask(ADDRESS), ask(OPEN), ask(ADDRESS)])
  for (const answer of answers) assert.equal(answer.status, 200, await answer.text())
  assert.deepEqual(
    lwa().map(({ seller, status }) => [seller, status]),
    [['seller-a', 200]],
  )
  assert.equal(mints().length, 1)
  for (const { seller, pii, operation } of calls()) {
    assert.equal(seller, 'seller-a')
    assert.equal(pii, operation !== 'sellers-v1.getMarketplaceParticipations', operation)
  }
})

test('the seller that is named is the seller that is asked; callers’ own tokens work beside it', async (t) => {
  const { ask, call, simulator, calls, lwa } = await startManaged(t, { sellers: ['seller-a', 'seller-b'] })
  for (const seller of ['seller-a', 'seller-b']) assert.equal((await ask(ADDRESS, seller)).status, 200)
  const own = await call(ADDRESS, simulator.accessToken('seller-c'))
  assert.deepEqual([own.status, verdictOf(own)], [200, 'minted'])
  assert.deepEqual(
    calls().map(({ seller }) => seller),
    ['seller-a', 'seller-b', 'seller-c'],
  )
  assert.equal(lwa().length, 2)
})

test('whoever cannot prove itself, and whoever names a seller that is not there, is refused alike', async (t) => {
  const { ask, call, simulator } = await startManaged(t, { sellers: ['seller-a', 'seller-b'] })
  const refused = async (answer: Response) => {
    const { code, details } = await firstErrorOf(answer.clone())
    return [answer.status, answer.headers.get('x-rdt-error'), code, details] as const
  }
  const [status, name, code, details] = await refused(await call(ADDRESS))
  assert.deepEqual([status, name, code], [403, 'untrusted-caller', 'Unauthorized'])
  assert.doesNotMatch(details, /seller-/)
  const wrong = await call(ADDRESS, undefined, { headers: { 'x-rdt-caller-token': `${CALLER_TOKEN}x` } })
  assert.equal(wrong.headers.get('x-rdt-error'), 'untrusted-caller')
  for (const [named, error] of [
    ['seller-z', 'unknown-seller'],
    [undefined, 'missing-token'],
  ] as const) {
    const answer = await ask(ADDRESS, named)
    assert.deepEqual((await refused(answer)).slice(0, 3), [403, error, 'Unauthorized'])
    const all = (await answer.text()) + JSON.stringify([...answer.headers])
    assert.doesNotMatch(all, /seller-[ab]/, 'no hint which there are')
  }
  assert.deepEqual(simulator.log(), [])
})

test('serve does not start until callers must prove themselves, or it is told that this is safe: exit 2, and each way named', async (t) => {
  const rows = JSON.stringify([sellerFiles(folderFor(t)).row('seller-a')])
  const { code, out, err } = await run(t, ['serve'], { ...FREE, SIDECAR_SELLERS: rows })
  assert.deepEqual([code, out], [2, ''])
  assert.match(err, /^sellers: whoever reaches the listener could call in their name\. [^\n]+\n$/)
  for (const way of ['auth.callerTokenFile', 'tls.clientCaFile', 'a socketPath', 'auth.insecureAllowAnonymous: true'])
    assert.ok(err.includes(way), way)
})

test('told so, it serves whoever calls, and says it at its start; browsers, proxies and other hosts are refused all the same', async (t) => {
  const sidecar = await servingManaged(t, { env: { SIDECAR_AUTH_INSECURE_ALLOW_ANONYMOUS: 'true' } })
  const answer = await fetch(sidecar.base + ADDRESS)
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'minted'])
  const { port } = new URL(sidecar.base)
  const error = async (...headers: string[]) => {
    const { status, values } = readAnswer(await exchange(Number(port), requestText(`GET ${ADDRESS}`, headers)))
    return [status, ...values('x-rdt-error')]
  }
  assert.deepEqual(await error('Origin: http://127.0.0.1'), [400, 'forwarded-call'])
  assert.deepEqual(await error('Via: 1.1 proxy'), [400, 'forwarded-call'])
  const foreign = `GET ${ADDRESS} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`
  assert.deepEqual(readAnswer(await exchange(Number(port), foreign)).values('x-rdt-error'), ['foreign-host'])
  assert.deepEqual(warningsOf(sidecar.out()), [
    'auth.insecureAllowAnonymous: whoever reaches the data listener may call in the name of every seller',
    'endpoint: access tokens and RDTs of managed sellers leave in the clear',
    'lwa.endpoint: client secrets and refresh tokens leave in the clear',
  ])
})

test('a secret that everybody on the machine can read is said at the start, with its mode', async (t) => {
  const folder = folderFor(t)
  const row = sellerFiles(folder).row('seller-b')
  chmodSync(row.clientSecretFile, 0o644)
  const sidecar = await servingManaged(t, {
    env: { SIDECAR_SELLERS: JSON.stringify([row]), SIDECAR_AUTH_CALLER_TOKEN_FILE: row.clientSecretFile },
  })
  const message = 'everybody on this machine can read the file (mode 0644)'
  const said = () => warningsOf(sidecar.out()).filter((line) => line.includes('can read'))
  await until(() => said().length === 2)
  assert.deepEqual(said(), [`auth.callerTokenFile: ${message}`, `sellers.0.clientSecretFile: ${message}`])
})

const warningsOf = (out: string): readonly string[] =>
  out
    .split('\n')
    .filter((line) => line.includes('"level":"warn"'))
    .map((line) => JSON.parse(line).msg)
    .sort()
