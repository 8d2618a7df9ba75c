import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { startManaged } from '../support/managed.ts'
import { startPair } from '../support/pair.ts'

test('probes: live and ready while serving; neither asks Amazon', async (t) => {
  const pair = await startPair(t, { endpoint: 'http://127.0.0.1:9' })
  await supertest(pair.admin).get('/livez').expect(200, 'live\n')
  await supertest(pair.admin).get('/readyz').expect(200, 'ready\n')
  await supertest(pair.admin).get('/nothing').expect(404)
  assert.deepEqual(pair.simulator.log(), [])
})

test('/status says what is going on, without a token, a seller or a path with ids', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken('seller-canary')
  for (const order of ['order-canary', 'order-canary']) await pair.call(`/orders/v0/orders/${order}/address`, token)
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  await pair.call('/mfn/v0/shipments/order-canary', token)
  const { body, text } = await supertest(pair.admin).get('/status').expect(200)
  assert.equal(body.state, 'serving')
  assert.equal(body.version, '0.0.0-test')
  assert.equal(body.cacheEntries, 1)
  assert.equal(body.mintQueue, 0)
  assert.equal(body.mints, 2)
  const { lastCallSecondsAgo, ...counts } = body.operations['orders-v0.getOrderAddress']
  assert.deepEqual(counts, { calls: 2, needed: 2, hit: 1, minted: 1, rejected: 0, mints: 1, lastRefusal: null })
  assert.ok(lastCallSecondsAgo < 60)
  assert.deepEqual(
    [body.lastMintError.outcome, body.lastMintError.status, body.lastMintError.code],
    ['refused', 400, 'InvalidInput'],
  )
  assert.equal(body.hitRatio, 1 / 3)
  assert.deepEqual(body.listeners, [{ host: '127.0.0.1', port: pair.port, endpoint: pair.amazon }])
  assert.match(body.configuration, /^[0-9a-f]{12}$/)
  assert.deepEqual([body.managedSellers, body.lastLwaError], [0, null])
  assert.doesNotMatch(text, /canary|Atz/)
})

test('/status says how many sellers are managed, and how Login with Amazon failed last; not which, nor a secret', async (t) => {
  const managed = await startManaged(t, { sellers: ['seller-canary', 'seller-b'] })
  managed.simulator.control({ revokeRefreshTokens: ['Atzr|seller-canary'] })
  const begun = Date.now()
  for (const seller of ['seller-canary', 'seller-b']) await managed.ask('/orders/v0/orders/1', seller)
  const { body, text } = await supertest(managed.admin).get('/status').expect(200)
  assert.equal(body.managedSellers, 2)
  const { at, ...error } = body.lastLwaError
  assert.deepEqual(error, { outcome: 'invalid_grant', status: 400 })
  assert.ok(Date.parse(at) >= begun - 1 && Date.parse(at) <= Date.now())
  assert.equal(body.lastMintError, null)
  assert.doesNotMatch(text, /canary|seller-b|Atz|simulated-secret|caller-token/)
})

test('several listeners serve several regions from one sidecar, and share no token', async (t) => {
  const other = await startPair(t)
  const pair = await startPair(t, { listeners: (amazon) => [amazon, other.amazon] })
  const [na = 0, eu = 0] = pair.ports
  const token = pair.simulator.accessToken()
  const call = (port: number) =>
    fetch(`http://127.0.0.1:${port}/orders/v0/orders/1/address`, { headers: { 'x-amz-access-token': token } })
  assert.equal((await call(na)).headers.get('x-rdt-verdict'), 'minted')
  const elsewhere = await call(eu)
  assert.equal(elsewhere.headers.get('x-rdt-verdict'), 'rejected;mint-refused') // the other region does not know the token
  assert.deepEqual([pair.mints().length, other.mints().length], [1, 1])
})
