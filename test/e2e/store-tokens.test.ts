/** Tokens and refusals that a fleet has in common: real processes, a real Redis, one simulator that counts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noOpenssl, selfSigned } from '../support/certificates.ts'
import { lwaToken } from '../support/cli.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { after, many, until } from '../support/many.ts'
import { resourcesOf } from '../support/pair.ts'
import { noRedis, startRedis } from '../support/redis.ts'

const ORDERS = '/orders/v0/orders'
const ADDRESS = `${ORDERS}/902-1/address`
const SHIPMENT = '/mfn/v0/shipments/1'
const ROUTES = [
  `${ORDERS}?MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2026-01-01`,
  `${ORDERS}/902-1`,
  ADDRESS,
  `${ORDERS}/902-1/buyerInfo`,
  `${ORDERS}/902-1/orderItems`,
  `${ORDERS}/902-1/regulatedInfo`,
  SHIPMENT,
]

/** What each replica says to the same call, all at once. */
const askAll = (fleet: Fleet, target: string): Promise<string[]> => many(fleet.size(), (i) => fleet.ask(i, target))
const statusesOf = (answers: readonly string[]) => new Set(answers.map((answer) => answer.split(' ')[0]))

// They wait more than they work.
describe('what a fleet has in common', { skip: noRedis, concurrency: 3 }, () => {
  test('8 processes start cold: one mint a route for all of them, or fewer; then 60 orders each, an RDT an order: each asked for once; no 429', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { replicas: 8, redis, env: { SIDECAR_MINT_MAX_WAIT_MS: '90000' } })
    const cold = await many(8 * 7 * 3, (n) => fleet.ask(n % 8, ROUTES[Math.floor(n / 8) % 7] ?? ''))
    assert.deepEqual(statusesOf(cold), new Set(['200']))
    const routes = await fleet.mints()
    assert.ok(routes.length <= 7, `${routes.length} mints`)
    assert.equal(resourcesOf(routes).flat().length, 7, 'no resource was asked for twice')

    const token = await lwaToken(fleet.amazon, 'seller-b')
    const orders = await many(8 * 60, (n) =>
      fleet.ask(n % 8, `${ORDERS}/902-${n}/address`, { token, headers: { 'x-rdt-scope': 'specific' } }),
    )
    assert.deepEqual(statusesOf(orders), new Set(['200']))
    const mints = (await fleet.mints()).slice(routes.length)
    assert.deepEqual(new Set(mints.map(({ status }) => status)), new Set([200]))
    const paths = resourcesOf(mints).flat()
    assert.deepEqual([paths.length, new Set(paths).size], [480, 480])
    const calls = (await fleet.log()).filter(({ kind }) => kind === 'call')
    assert.ok(calls.every(({ pii }) => pii))
  })

  test('a replica that is killed while it mints for all costs them seconds: another one mints', async (t) => {
    const redis = await startRedis(t)
    const patient = { SIDECAR_MINT_TIMEOUT_MS: '60000', SIDECAR_MINT_MAX_WAIT_MS: '20000' }
    const fleet = await startFleet(t, { redis, env: patient })
    await fleet.control({ fail: [{ on: 'mint', times: 1, as: 'hang' }] })
    const lost = assert.rejects(fleet.ask(0, ADDRESS))
    await until(async () => (await fleet.mints()).length === 1)
    const waiting = fleet.ask(1, ADDRESS)
    const held = 'rdt_store_operations_total{operation="claim",outcome="held"}'
    await until(async () => (await fleet.metric(1, held)) > 0)
    await fleet.kill(0)
    await lost
    assert.equal(await waiting, '200 minted')
    assert.equal((await fleet.mints()).length, 2)
  })

  test('a mint that takes longer than a lock lasts is still one for all: who mints and lives keeps its lock', async (t) => {
    const redis = await startRedis(t)
    const env = { SIDECAR_MINT_TIMEOUT_MS: '30000', SIDECAR_MINT_MAX_WAIT_MS: '30000' }
    const fleet = await startFleet(t, { replicas: 3, redis, env })
    await fleet.control({ latencyMs: { mint: 7000 } })
    assert.deepEqual(statusesOf(await askAll(fleet, ADDRESS)), new Set(['200']))
    assert.equal((await fleet.mints()).length, 1)
  })

  test('memory comes first: an RDT that a replica holds costs the store no question', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis })
    await askAll(fleet, ADDRESS)
    const claims = () =>
      many(2, (i) => fleet.metric(i, 'rdt_store_operation_duration_seconds_count{operation="claim"}'))
    const before = await claims()
    assert.ok(before.every((count) => count > 0))
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await askAll(fleet, ADDRESS), ['200 hit', '200 hit'])
    assert.deepEqual(await claims(), before)
  })

  test('an RDT in use everywhere is renewed ahead by one for all, once', async (t) => {
    const redis = await startRedis(t)
    const env = { SIDECAR_RDT_EXPIRY_MARGIN_MS: '200', SIDECAR_RDT_REFRESH_AFTER: '0.4' }
    const fleet = await startFleet(t, { replicas: 4, redis, env })
    await fleet.control({ rdtSeconds: 4 })
    const answers: string[] = []
    const callers = many(8, async (n) => {
      for (const from = performance.now(); performance.now() - from < 8000; await after(40))
        answers.push(await fleet.ask(n % 4, ADDRESS))
    })
    await callers
    assert.deepEqual(statusesOf(answers), new Set(['200']))
    const mints = await fleet.mints()
    assert.ok(mints.length >= 3, 'it was renewed at least twice')
    for (const [i, { at }] of mints.entries()) {
      const before = mints[i - 1]
      assert.ok(!before || at - before.at >= 1000, `mints at ${mints.map((mint) => Math.round(mint.at))}`)
    }
  })

  test('what Amazon refused one replica no other asks for, nor one that starts later, until a flush', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { replicas: 3, redis })
    const refused = '400 rejected;mint-refused'
    await fleet.control({ denyOperations: ['mfn-v0.getShipment'], denyElements: ['shippingAddress'] })
    const targets = [SHIPMENT, `${ORDERS}/902-1`]
    for (const [i, target] of targets.entries()) {
      assert.deepEqual(await askAll(fleet, target), Array(3).fill(refused))
      assert.equal((await fleet.mints()).length, i + 1)
    }
    const late = await fleet.add()
    for (const target of targets) assert.equal(await fleet.ask(late, target), refused)
    assert.equal((await fleet.mints()).length, 2)

    await fleet.control({ denyOperations: [], denyElements: [] })
    await fleet.flush(1)
    for (const target of targets) {
      await until(async () => statusesOf(await askAll(fleet, target)).has('400') === false)
      assert.deepEqual(statusesOf(await askAll(fleet, target)), new Set(['200']))
    }
    assert.equal((await fleet.mints()).length, 4)
  })

  test('a flush of one replica reaches all and the store: of one operation, of all', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { replicas: 3, redis })
    const held = (i: number) => fleet.metric(i, 'rdt_token_cache_entries')
    const allHold = (count: number) => until(async () => (await many(3, held)).every((entries) => entries === count))
    await askAll(fleet, ADDRESS)
    await askAll(fleet, SHIPMENT)
    await allHold(2)
    const before = (await fleet.mints()).length

    await fleet.flush(0, '?operation=mfn-v0.getShipment')
    await allHold(1)
    assert.deepEqual(await askAll(fleet, ADDRESS), Array(3).fill('200 hit'))
    assert.equal((await fleet.mints()).length, before)
    assert.deepEqual(statusesOf(await askAll(fleet, SHIPMENT)), new Set(['200']))
    assert.deepEqual(resourcesOf((await fleet.mints()).slice(before)), [['GET /mfn/v0/shipments/{shipmentId}']])
    await allHold(2)

    await fleet.flush(2)
    await allHold(0)
    for (const target of [ADDRESS, SHIPMENT])
      assert.deepEqual(statusesOf(await askAll(fleet, target)), new Set(['200']))
    assert.equal((await fleet.mints()).length, before + 3)
  })

  test('an RDT that Amazon no longer takes is replaced by one mint for all that hold it', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { replicas: 4, redis })
    await askAll(fleet, ADDRESS)
    for (const round of [2, 3]) {
      await fleet.control({ revoke: 'rdts' })
      assert.deepEqual(await askAll(fleet, ADDRESS), Array(4).fill('200 replayed'))
      assert.deepEqual(await askAll(fleet, ADDRESS), Array(4).fill('200 hit'))
      assert.equal((await fleet.mints()).length, round)
    }
  })

  test('over TLS, by the authority that the configuration names, with a password', {
    skip: noOpenssl,
  }, async (t) => {
    const redis = await startRedis(t, { tls: true, password: 'hush' })
    const fleet = await startFleet(t, { redis })
    assert.deepEqual(statusesOf(await askAll(fleet, ADDRESS)), new Set(['200']))
    assert.equal((await fleet.mints()).length, 1)
    assert.equal(await fleet.metric(0, 'rdt_store_unreachable'), 0)

    const other = selfSigned(fleet.folder, 'another')
    const stranger = await fleet.add({ SIDECAR_STORE_CA_FILE: other.certFile })
    assert.match(await fleet.ask(stranger, ADDRESS), /^200 /)
    assert.equal((await fleet.mints()).length, 2, 'a Redis that it cannot trust it does not ask')
    await until(async () => (await fleet.metric(stranger, 'rdt_store_unreachable')) === 1)
  })
})
