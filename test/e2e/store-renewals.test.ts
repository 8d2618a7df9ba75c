/** RDTs of several replicas that are due for renewal, and callers who cannot wait for that: theirs was revoked. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { folderFor } from '../support/cli.ts'
import { newKey } from '../support/fleet.ts'
import { until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type Pair, startPair, verdictOf } from '../support/pair.ts'
import { noRedis, startRedis } from '../support/redis.ts'

const ADDRESS = '/orders/v0/orders/902-1/address'

/** Two replicas with one RDT, which both are about to renew: `a` for both, when it has company or a quarter of an hour has passed. */
const renewing = async (t: TestContext) => {
  const redis = await startRedis(t)
  const keyFile = path.join(folderFor(t), 'key')
  writeFileSync(keyFile, `${newKey()}\n`, { mode: 0o600 })
  const options = {
    env: {
      SIDECAR_STORE_URL: redis.url,
      SIDECAR_STORE_TIMEOUT_MS: '3000', // a busy machine is no store in trouble
      SIDECAR_STORE_KEY_FILE: keyFile,
      SIDECAR_RDT_REFRESH_AFTER: '0.0003', // a second
    },
    overrides: { random: () => 0 },
  }
  const a = await startPair(t, options)
  const b = await startPair(t, { ...options, endpoint: a.amazon })
  const token = a.simulator.accessToken()
  const ask = async (pair: Pair): Promise<string> => {
    const answer = await pair.call(ADDRESS, token)
    await answer.arrayBuffer()
    return `${answer.status} ${verdictOf(answer)}`
  }
  const claims = (pair: Pair, outcome: string) =>
    metric(pair, `rdt_store_operations_total{operation="claim",outcome="${outcome}"}`)
  /** Calls until the RDT is due: a claim has come to that. */
  const renews = (pair: Pair, outcome: string, count: number) =>
    until(async () => {
      assert.equal(await ask(pair), '200 hit')
      return (await claims(pair, outcome)) >= count
    })
  assert.equal(await ask(a), '200 minted')
  await until(async () => (await plansOf(a)) === 0) // its permit is back
  await renews(a, 'won', 2)
  await renews(b, 'held', 7) // from now on it asks once a second
  assert.equal(a.mints().length, 1)
  assert.equal(await plansOf(b), 0)
  return { a, b, ask }
}

const plansOf = async ({ admin }: Pair): Promise<number> =>
  ((await (await fetch(`${admin}/status`)).json()) as { usagePlans: number }).usagePlans

describe('renewals of replicas that share a store', { skip: noRedis, concurrency: 2 }, () => {
  test('a renewal that has time does not hold up the callers of another replica', async (t) => {
    const { a, b, ask } = await renewing(t)
    a.simulator.control({ revoke: 'rdts' })
    assert.equal(await ask(b), '200 replayed')
    assert.equal(a.mints().length, 2)
  })

  test('a caller who joins a renewal that another replica sees to leaves no desk behind', async (t) => {
    const { a, b, ask } = await renewing(t)
    a.simulator.control({ revoke: 'rdts' })
    assert.deepEqual(await Promise.all([ask(b), ask(a)]), ['200 replayed', '200 replayed'])
    await until(async () => (await plansOf(a)) === 0 && (await plansOf(b)) === 0)
  })
})
