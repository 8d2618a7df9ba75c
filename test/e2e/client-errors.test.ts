/** What the clients that Node developers use make of errors: each finds what it acts upon, and a cured fault stays unseen. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { person } from '../../src/simulator/people.ts'
import { reportId } from '../../src/simulator/reports.ts'
import { CLIENTS } from '../support/clients/all.ts'
import { amazonSpApi } from '../support/clients/amazon-sp-api.ts'
import type { RealClient } from '../support/clients/client.ts'
import { after } from '../support/many.ts'
import { startPair } from '../support/pair.ts'
import { needs } from '../support/tools.ts'

const ORDER = '902-1845936-5435001'
const NAME = person('seller-a', ORDER).name

/** One mint is free, the next comes after two seconds, and nobody waits for it. */
const ONE_MINT = {
  SIDECAR_MINT_BURST: '1',
  SIDECAR_MINT_RATE_PER_SECOND: '0.5',
  SIDECAR_MINT_MAX_WAIT_MS: '100',
}
const failed = (client: RealClient, call: Promise<unknown>) =>
  call.then((answer) => assert.fail(`no error: ${JSON.stringify(answer)}`), client.errorOf)
/** amazon-sp-api keeps the status to itself. */
const statusOr = (title: string, status: number) => (title === 'amazon-sp-api' ? undefined : status)

for (const [title, make] of Object.entries(CLIENTS)) {
  describe(title, { skip: title === 'curl' && needs('curl') }, () => {
    it('reads a throttled mint as a QuotaExceeded', async (t) => {
      const pair = await startPair(t, { env: ONE_MINT })
      const client = make({ base: pair.base, amazon: pair.amazon, retry: false })
      await client.order(ORDER)
      const { details, ...error } = await failed(client, client.shipment('shipment-1'))
      const message = 'You exceeded your quota for the requested resource.'
      assert.deepEqual(error, { status: statusOr(title, 429), code: 'QuotaExceeded', message })
      assert.match(details ?? '', /GET \/mfn\/v0\/shipments\/\{shipmentId\} would come too late/)
    })

    it("reads Amazon's refusal of a mint, in Amazon's words", async (t) => {
      const pair = await startPair(t)
      pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'], denyElements: ['shippingAddress'] })
      const client = make({ base: pair.base, amazon: pair.amazon })
      const role = await failed(client, client.shipment('shipment-1'))
      assert.deepEqual([role.status, role.code], [statusOr(title, 400), 'InvalidInput'])
      assert.equal(role.message, 'Application do not have access to some or all requested resource')
      assert.match(role.details ?? '', /lacks the role/)
      const element = await failed(client, client.order(ORDER))
      assert.match(element.message ?? '', /requested data elements: \[shippingAddress\]/)
    })

    it('does not notice an RDT that Amazon no longer takes', async (t) => {
      const pair = await startPair(t)
      const client = make({ base: pair.base, amazon: pair.amazon })
      await client.orderAddress(ORDER)
      pair.simulator.control({ revoke: 'rdts' })
      assert.equal((await client.orderAddress(ORDER)).personal[0], NAME)
      assert.deepEqual(
        pair.calls().map(({ token, status }) => `${token} ${status}`),
        ['rdt 200', 'revoked 403', 'rdt 200'],
      )
    })

    it('gets a 403 that blames its access token as it came, for a restricted call too', async (t) => {
      const pair = await startPair(t)
      const client = make({ base: pair.base, amazon: pair.amazon })
      await client.warm()
      pair.simulator.control({ revoke: 'access-tokens' })
      for (const call of [client.report(reportId(1)), client.orderAddress(ORDER)]) {
        const { details, ...error } = await failed(client, call)
        const message = 'Access to requested resource is denied.'
        assert.deepEqual(error, { status: statusOr(title, 403), code: 'Unauthorized', message })
        assert.match(details ?? '', /^The access token you provided is revoked, malformed or invalid\./)
      }
    })
  })
}

/** Waits for the simulator's clock to pass the life of an access token of one second. */
const A_SECOND = 1100

describe('amazon-sp-api by itself', () => {
  for (const [what, call] of [
    ['an unrestricted', (client: RealClient) => client.report(reportId(1))],
    ['a restricted', (client: RealClient) => client.orderAddress(ORDER)],
  ] as const) {
    it(`renews an access token that has expired, and repeats ${what} call once`, async (t) => {
      const pair = await startPair(t)
      const client = amazonSpApi({ base: pair.base, amazon: pair.amazon })
      pair.simulator.control({ accessTokenSeconds: 1 })
      await client.warm()
      await after(A_SECOND)
      pair.simulator.control({ accessTokenSeconds: 3600 })
      await call(client)
      const asked = pair.simulator.log().map(({ kind, token, status }) => `${kind} ${token} ${status}`)
      assert.equal(asked.filter((one) => one.startsWith('lwa')).length, 2)
      assert.equal(asked.filter((one) => one.includes('expired 403')).length, 1)
    })
  }

  it('gets its data with the RDT in the cache though its access token has expired', async (t) => {
    const pair = await startPair(t)
    const client = amazonSpApi({ base: pair.base, amazon: pair.amazon })
    pair.simulator.control({ accessTokenSeconds: 1 })
    await client.orderAddress(ORDER)
    await after(A_SECOND)
    assert.equal((await client.orderAddress(ORDER)).personal[0], NAME)
    assert.equal(pair.mints().length, 1)
  })

  it('sends an RDT of its own that has expired for ever, which is why its RDT code goes', async (t) => {
    const pair = await startPair(t)
    const client = amazonSpApi({ base: pair.base, amazon: pair.amazon })
    pair.simulator.control({ rdtSeconds: 1 })
    const path = `/orders/v0/orders/${ORDER}/address`
    const rdt = await client.mint([{ method: 'GET', path }])
    await after(A_SECOND)
    const call = client.client.callAPI({ api_path: path, method: 'GET', restricted_data_token: rdt } as never)
    for (const deadline = Date.now() + 20_000; pair.calls().length < 20 && Date.now() < deadline; ) await after(5)
    assert.ok(pair.calls().length >= 20)
    assert.deepEqual(new Set(pair.calls().map(({ token }) => token)), new Set(['expired']))
    pair.simulator.control({ fail: [{ on: 'call', times: 1000, as: 404 }] })
    await assert.rejects(call, { code: 'NotFound' })
  })
})

describe('retries of their own after a throttled mint', () => {
  for (const title of ['amazon-sp-api', '@sp-api-sdk']) {
    it(`${title} waits and gets it`, async (t) => {
      const pair = await startPair(t, { env: ONE_MINT })
      const client = CLIENTS[title]?.({ base: pair.base, amazon: pair.amazon })
      assert.ok(client)
      await client.order(ORDER)
      const { personal } = await client.shipment('shipment-1')
      assert.equal(personal[0], person('seller-a', 'shipment-1').name)
      assert.equal(pair.mints().length, 2)
      assert.equal(pair.mints().filter(({ status }) => status === 429).length, 0, 'Amazon was not bothered')
    })
  }
})
