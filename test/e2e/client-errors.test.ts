/** What the clients that Node developers use make of errors: each finds what it acts upon, and a cured fault stays unseen. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { person } from '../../src/simulator/people.ts'
import { reportId } from '../../src/simulator/reports.ts'
import { CLIENTS } from '../support/clients/all.ts'
import { amazonSpApi } from '../support/clients/amazon-sp-api.ts'
import type { RealClient } from '../support/clients/client.ts'
import { after } from '../support/many.ts'
import { type Pair, startPair } from '../support/pair.ts'
import { needs } from '../support/tools.ts'

const ORDER = '902-1845936-5435001'
const NAME = person('seller-a', ORDER).name

/** One mint is free; the next comes after so many seconds, and nobody waits longer than that less one for it. */
const oneMintThenAfter = (seconds: number) => ({
  SIDECAR_MINT_BURST: '1',
  SIDECAR_MINT_RATE_PER_SECOND: String(1 / seconds),
  SIDECAR_MINT_MAX_WAIT_MS: String((seconds - 1) * 1000),
})
const run = promisify(execFile)
const failed = (client: RealClient, call: Promise<unknown>) =>
  call.then((answer) => assert.fail(`no error: ${JSON.stringify(answer)}`), client.errorOf)
/** amazon-sp-api keeps the status to itself. */
const statusOr = (title: string, status: number) => (title === 'amazon-sp-api' ? undefined : status)

for (const [title, make] of Object.entries(CLIENTS)) {
  describe(title, { skip: title === 'curl' && needs('curl') }, () => {
    it('reads a throttled mint as a QuotaExceeded', async (t) => {
      const pair = await startPair(t, { env: oneMintThenAfter(20) })
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
      for (const call of [() => client.report(reportId(1)), () => client.orderAddress(ORDER)]) {
        const { details, ...error } = await failed(client, call())
        const message = 'Access to requested resource is denied.'
        assert.deepEqual(error, { status: statusOr(title, 403), code: 'Unauthorized', message })
        assert.match(details ?? '', /^The access token you provided is revoked, malformed or invalid\./)
      }
    })
  })
}

/** Until the simulator's clock has passed the life of a token of so many seconds. */
const expiry = (seconds: number): Promise<void> => after(seconds * 1000 + 100)

describe('amazon-sp-api by itself', { concurrency: true }, () => {
  for (const [what, call] of [
    ['an unrestricted', (client: RealClient) => client.report(reportId(1))],
    ['a restricted', (client: RealClient) => client.orderAddress(ORDER)],
  ] as const) {
    it(`renews an access token that has expired, and repeats ${what} call once`, async (t) => {
      const pair = await startPair(t)
      const client = amazonSpApi({ base: pair.base, amazon: pair.amazon })
      pair.simulator.control({ accessTokenSeconds: 1 })
      await client.warm()
      await expiry(1)
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
    pair.simulator.control({ accessTokenSeconds: 3 })
    await client.orderAddress(ORDER)
    await expiry(3)
    assert.equal((await client.orderAddress(ORDER)).personal[0], NAME)
    assert.equal(pair.mints().length, 1)
  })

  it('sends an RDT of its own that has expired for ever, which is why its RDT code goes', async (t) => {
    const pair = await startPair(t)
    const client = amazonSpApi({ base: pair.base, amazon: pair.amazon })
    pair.simulator.control({ rdtSeconds: 1 })
    const path = `/orders/v0/orders/${ORDER}/address`
    const rdt = await client.mint([{ method: 'GET', path }])
    await expiry(1)
    const call = client.client.callAPI({ api_path: path, method: 'GET', restricted_data_token: rdt } as never)
    for (const deadline = Date.now() + 20_000; pair.calls().length < 20 && Date.now() < deadline; ) await after(5)
    assert.ok(pair.calls().length >= 20)
    assert.deepEqual(new Set(pair.calls().map(({ token }) => token)), new Set(['expired']))
    pair.simulator.control({ fail: [{ on: 'call', times: 1000, as: 404 }] })
    await assert.rejects(call, { code: 'NotFound' })
  })
})

describe('first calls at once, while there is no access token', () => {
  const atOnce = (client: RealClient) => Promise.all([1, 2, 3, 4, 5].map((n) => client.orderAddress(`order-${n}`)))

  it('get one each where the client does not share them, and an RDT is minted for each', async (t) => {
    const pair = await startPair(t)
    await atOnce(amazonSpApi({ base: pair.base, amazon: pair.amazon }))
    assert.equal(pair.simulator.log().filter(({ kind }) => kind === 'lwa').length, 5)
    assert.ok(pair.mints().length > 1)
  })

  it('cost one mint when the token was fetched before', async (t) => {
    const pair = await startPair(t)
    const client = amazonSpApi({ base: pair.base, amazon: pair.amazon })
    await client.warm()
    await atOnce(client)
    assert.equal(pair.mints().length, 1)
  })
})

describe('a connection that breaks', () => {
  const callsAfterReset = async (t: TestContext, through: 'base' | 'amazon') => {
    const pair = await startPair(t)
    const client = amazonSpApi({ base: pair[through], amazon: pair.amazon })
    await client.warm()
    pair.simulator.control({ fail: [{ on: 'call', times: 1, as: 'reset' }] })
    const code = await client.orderAddress(ORDER).then(
      () => 'none',
      (error) => client.errorOf(error).code,
    )
    return [code, pair.calls().length]
  }

  it('makes amazon-sp-api repeat a call that may have been carried out, but not behind the sidecar', async (t) => {
    assert.deepEqual(await callsAfterReset(t, 'amazon'), ['none', 2])
    assert.deepEqual(await callsAfterReset(t, 'base'), ['BadGateway', 1])
  })
})

const throttledIn = ({ lines }: Pair): readonly string[] =>
  lines.filter((line) => line.includes('rejected;mint-throttled'))

describe('retries of their own after a throttled mint', { concurrency: true }, () => {
  it('curl --retry waits as long as Retry-After says', { skip: needs('curl') }, async (t) => {
    // By itself it would come back after one second, when the mint is still further off than anybody may wait.
    const pair = await startPair(t, { env: { ...oneMintThenAfter(5), SIDECAR_MINT_MAX_WAIT_MS: '1000' } })
    const url = (path: string) => [`${pair.base}${path}`, '-H', `x-amz-access-token: ${token}`]
    const token = pair.simulator.accessToken()
    const curl = (args: readonly string[]) => run('curl', ['-sS', '--fail', '--retry', '5', ...args])
    await curl(url(`/orders/v0/orders/${ORDER}`))
    const { stdout } = await curl(url('/mfn/v0/shipments/shipment-1'))
    assert.ok(stdout.includes(person('seller-a', 'shipment-1').name))
    assert.equal(throttledIn(pair).length, 1, 'the second try came when it could be served')
  })

  for (const title of ['amazon-sp-api', '@sp-api-sdk']) {
    it(`${title} waits and gets it`, async (t) => {
      const pair = await startPair(t, { env: oneMintThenAfter(4) })
      const client = CLIENTS[title]?.({ base: pair.base, amazon: pair.amazon })
      assert.ok(client)
      await client.order(ORDER)
      const { personal } = await client.shipment('shipment-1')
      assert.equal(personal[0], person('seller-a', 'shipment-1').name)
      assert.ok(throttledIn(pair).length > 0)
      assert.deepEqual(
        pair.mints().map(({ status }) => status),
        [200, 200],
        'Amazon was not bothered',
      )
    })
  }
})
