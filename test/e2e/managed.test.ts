import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { firstErrorOf, verdictOf } from '../support/pair.ts'

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
  const [, unknown] = await refused(await ask(ADDRESS, 'seller-z'))
  assert.equal(unknown, 'unknown-seller')
  const [, unnamed] = await refused(await ask(ADDRESS))
  assert.equal(unnamed, 'missing-token')
  assert.deepEqual(simulator.log(), [])
})
