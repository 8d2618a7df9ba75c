import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import supertest from 'supertest'
import { createAdmin } from '../../src/admin/admin.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type Pair, startPair, verdictOf } from '../support/pair.ts'

const post = async (pair: Pair, target: string): Promise<unknown> =>
  (await fetch(pair.admin + target, { method: 'POST' })).json()

test('POST /flush drops all RDTs, and the next call of each kind mints again', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken()
  const verdicts = () => many(3, async (i) => verdictOf(await pair.call(`/orders/v0/orders/${i}/address`, token)))
  assert.deepEqual(await verdicts(), ['minted', 'minted', 'minted'])
  assert.deepEqual(await post(pair, '/flush'), { flushed: 3 })
  assert.equal(await metric(pair, 'rdt_token_cache_entries'), 0)
  assert.equal(await metric(pair, 'rdt_token_evictions_total{reason="flushed"}'), 3)
  assert.equal(await metric(pair, 'rdt_token_evictions_total{reason="rejected"}'), 0)
  assert.deepEqual(await verdicts(), ['minted', 'minted', 'minted'])
  assert.deepEqual(await verdicts(), ['hit', 'hit', 'hit'])
})

test('POST /flush?operation= drops the RDTs that open it, those that callers minted for themselves too, and no others', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const token = pair.simulator.accessToken()
  const targets = ['/orders/v0/orders/1', '/orders/v0/orders/2', '/orders/v0/orders/1/address', '/mfn/v0/shipments/1']
  const verdicts = async () => {
    const all = []
    for (const target of targets) all.push(verdictOf(await pair.call(target, token)))
    return all
  }
  await verdicts()
  const restrictedResources = [
    { method: 'GET', path: '/mfn/v0/shipments/2' },
    { method: 'GET', path: '/orders/v0/orders/3', dataElements: ['buyerInfo'] },
  ]
  const ownMint = async () =>
    verdictOf(
      await pair.call('/tokens/2021-03-01/restrictedDataToken', token, {
        method: 'POST',
        body: JSON.stringify({ restrictedResources }),
      }),
    )
  assert.equal(await ownMint(), 'minted')
  const { flushed } = (await post(pair, '/flush?operation=orders-v0.getOrder')) as { flushed: number }
  assert.equal(flushed, 4) // two orders, the caller's own mint, and its order apart
  assert.deepEqual(await verdicts(), ['minted', 'minted', 'hit', 'hit'])
  assert.equal(await ownMint(), 'minted')
})

test('a flush forgets refusals: a role that was granted since is seen at once', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const call = async () => verdictOf(await pair.call('/mfn/v0/shipments/1', token))
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  assert.equal(await call(), 'rejected;mint-refused')
  pair.simulator.control({ denyOperations: [] })
  assert.equal(await call(), 'rejected;mint-refused')
  await post(pair, '/flush')
  assert.equal(await call(), 'minted')
})

test('an RDT that was asked for before a flush serves those who wait for it, and nobody after', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { mint: 300 } })
  const waiting = pair.call('/orders/v0/orders/1', token)
  await until(() => pair.mints().length === 1)
  await post(pair, '/flush')
  const after = pair.call('/orders/v0/orders/1', token)
  assert.equal(verdictOf(await waiting), 'minted')
  assert.equal(verdictOf(await after), 'minted')
  assert.equal(verdictOf(await pair.call('/orders/v0/orders/1', token)), 'hit')
  assert.equal(pair.mints().length, 2)
})

test('a flush of one operation leaves the mints of others alone that are under way', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { mint: 300 } })
  const waiting = pair.call('/orders/v0/orders/1', token)
  await until(() => pair.mints().length === 1)
  await post(pair, '/flush?operation=mfn-v0.getShipment')
  assert.equal(verdictOf(await waiting), 'minted')
  assert.equal(verdictOf(await pair.call('/orders/v0/orders/1', token)), 'hit')
})

test('an unknown operation is refused, and nothing is dropped', async (t) => {
  const pair = await startPair(t)
  await pair.call('/orders/v0/orders/1', pair.simulator.accessToken())
  const wrong = ['operation=orders-v0.getOrde', 'operation=', 'operation=a&operation=b', 'Operation=x', 'operation[]=x']
  for (const query of wrong) {
    const { body } = await supertest(pair.admin).post(`/flush?${query}`).expect(400)
    assert.match(body.error, /the id of one in the catalogue/)
  }
  assert.equal(await metric(pair, 'rdt_token_cache_entries'), 1)
  await supertest(pair.admin).get('/flush').expect(404)
})

// No packet needs to come from afar: the server reads the peer's address off its socket.
test('the two POSTs answer loopback peers only, and no browser', async () => {
  const done: string[] = []
  const admin = createServer(
    createAdmin({
      ready: () => true,
      metrics: { contentType: 'text/plain', metrics: async () => '' },
      status: () => ({}),
      explain: () => ({}),
      flush: () => done.push('flush'),
      stop: () => void done.push('stop'),
      onCall: () => {},
      onBug: () => {},
      now: () => 0,
    }),
  )
  const ask = async (peer: string, target: string, header = ''): Promise<string> => {
    const [near, far] = duplexPair()
    admin.emit('connection', Object.assign(near, { remoteAddress: peer, setTimeout: () => near }))
    far.end(`POST ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n${header}\r\n`)
    return (await text(far)).slice(9, 12)
  }
  for (const peer of ['10.1.2.3', '::ffff:10.1.2.3', 'fe80::1', '192.168.0.1', '128.0.0.1', '::2'])
    for (const target of ['/flush', '/shutdown']) assert.equal(await ask(peer, target), '403', peer)
  assert.equal(await ask('127.0.0.1', '/shutdown', 'origin: https://shop.example\r\n'), '403')
  assert.deepEqual(done, [])
  for (const peer of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])
    assert.deepEqual([await ask(peer, '/flush'), await ask(peer, '/shutdown')], ['200', '202'], peer)
  assert.deepEqual(done, Array(4).fill(['flush', 'stop']).flat())
})
