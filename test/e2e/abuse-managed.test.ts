/** Managed sellers: who cannot prove itself costs them nothing, and who may call for one costs the others nothing. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ADDRESS, garbage, ownMint, SCARCE } from '../support/abuse.ts'
import { folderFor } from '../support/cli.ts'
import { CALLER_TOKEN, callerRow, startManaged } from '../support/managed.ts'
import { many } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'

/** Two sellers; a caller who may do everything, and one who may call for the second of them alone. */
const start = async (t: TestContext) => {
  const limited = callerRow(folderFor(t), 'limited', { sellers: ['seller-b'] })
  const env = { ...SCARCE, SIDECAR_AUTH_CALLERS: JSON.stringify([limited.row]) }
  const pair = await startManaged(t, { sellers: ['seller-a', 'seller-b'], env })
  const own = (i: number) => ownMint(`/orders/v0/orders/${i}/address`)
  return {
    ...pair,
    /** Mints of its own, as many at once, and what they are answered. */
    storm: async (count: number, proof: string | undefined, seller: string) =>
      (
        await many(count, (i) => {
          const { headers, ...init } = own(i)
          const who = { ...(proof && { 'x-rdt-caller-token': proof }), 'x-rdt-seller': seller }
          return pair.call(MINT_PATH, undefined, { ...init, headers: { ...headers, ...who } })
        })
      ).map((answer) => `${answer.status} ${answer.headers.get('x-rdt-error')}`),
    limited: limited.token,
    ofSeller: (seller: string) => pair.mints().filter((one) => one.seller === seller && one.status === 200).length,
  }
}
const times = (count: number, text: string): readonly string[] => Array.from({ length: count }, () => text)

test('a thousand calls without a good caller token cost no mint, no access token and no place in line', async (t) => {
  const { simulator, storm, ofSeller, call, ...pair } = await start(t)
  for (const proof of [undefined, '', 'wrong', `${CALLER_TOKEN}x`, garbage(1)])
    assert.deepEqual(await storm(100, proof, 'seller-a'), times(100, '403 untrusted-caller'), `${proof}`)
  for (const target of [ADDRESS, OPEN]) {
    const answers = await many(250, () => call(target, undefined, { headers: { 'x-rdt-seller': 'seller-a' } }))
    assert.ok(answers.every(({ status }) => status === 403))
  }
  assert.equal(simulator.log().length, 0, 'nothing was asked of Amazon at all')
  assert.equal(await metric(pair, 'rdt_mint_queue_length'), 0)
  assert.deepEqual(await storm(10, CALLER_TOKEN, 'seller-a'), times(10, '200 null'))
  assert.equal(ofSeller('seller-a'), 10)
})

test('a caller for one seller cannot spend another’s permits, by name or by default; its own storm leaves them all', async (t) => {
  const { storm, ofSeller, limited, lwa } = await start(t)
  assert.deepEqual(await storm(50, limited, 'seller-a'), times(50, '403 unknown-seller'))
  assert.equal(lwa().length, 0)
  const [own] = await Promise.all([storm(50, limited, 'seller-b'), storm(10, CALLER_TOKEN, 'seller-a')])
  assert.deepEqual(own.toSorted(), [...times(10, '200 null'), ...times(40, '429 mint-throttled')])
  assert.deepEqual([ofSeller('seller-a'), ofSeller('seller-b')], [10, 10])
})

test('garbage access tokens beside managed sellers: a line each of their own', async (t) => {
  const { storm, call, mints, ofSeller } = await start(t)
  const [garbageAnswers, honest] = await Promise.all([
    many(100, (i) => call(MINT_PATH, garbage(i), ownMint(`/orders/v0/orders/${i}/address`))),
    storm(10, CALLER_TOKEN, 'seller-a'),
  ])
  assert.ok(garbageAnswers.every(({ status }) => status === 403))
  assert.deepEqual(honest, times(10, '200 null'))
  assert.deepEqual([ofSeller('seller-a'), mints().filter(({ token }) => token === 'unknown').length], [10, 100])
})
