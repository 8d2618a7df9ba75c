import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
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
  assert.deepEqual(body.operations['orders-v0.getOrderAddress'], { calls: 2, hit: 1, minted: 1, rejected: 0 })
  assert.deepEqual(
    [body.lastMintError.outcome, body.lastMintError.status, body.lastMintError.code],
    ['refused', 400, 'InvalidInput'],
  )
  assert.equal(body.hitRatio, 1 / 3)
  assert.deepEqual(body.listeners, [{ host: '127.0.0.1', port: pair.port, endpoint: pair.amazon }])
  assert.match(body.configuration, /^[0-9a-f]{12}$/)
  assert.doesNotMatch(text, /canary|Atz/)
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
