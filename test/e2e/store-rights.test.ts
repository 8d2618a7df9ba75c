import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { startFleet } from '../support/fleet.ts'
import { until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'

const PAGE = path.join(import.meta.dirname, '../../docs/store.md')

test('the rights that docs/store.md gives the Redis user are all that is needed', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t, { password: 'hush' })
  const [, rights = ''] = /ACL SETUSER rdt on >PASSWORD (.*)/.exec(readFileSync(PAGE, 'utf8')) ?? []
  await redis.cli('ACL', 'SETUSER', 'rdt', 'on', '>hush', ...rights.split(' '))
  const fleet = await startFleet(t, { redis, env: { SIDECAR_STORE_URL: redis.url.replace('://', '://rdt@') } })
  assert.equal(await fleet.ask(0, '/orders/v0/orders/902-1/address'), '200 minted')
  await until(async () => (await fleet.ask(1, '/orders/v0/orders/902-1/address')) === '200 hit')
  await fleet.flush(1)
  await until(async () => (await fleet.ask(0, '/orders/v0/orders/902-1/address')) === '200 minted')
  assert.deepEqual(await redis.cli('ACL', 'LOG'), []) // what was denied
  const users = String(await redis.cli('CLIENT', 'LIST')).match(/user=rdt/g)
  assert.equal(users?.length, 2)
})
