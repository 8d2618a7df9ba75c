import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFleet } from '../support/fleet.ts'
import { until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'

const ADDRESS = '/orders/v0/orders/902-1/address'

test('a refresh token that is replaced before the replica has ever asked for an access token drops what came from the store', {
  skip: noRedis,
}, async (t) => {
  const redis = await startRedis(t)
  const fleet = await startFleet(t, { redis, sellers: ['seller-a'] })
  assert.equal(await fleet.ask(0, ADDRESS), '200 minted')
  await until(async () => (await fleet.ask(1, ADDRESS)) === '200 hit')
  fleet.files.write('seller-a', 'simulated-secret', 'Atzr|seller-b')
  await until(() => [0, 1].every((i) => fleet.out(i).includes('access tokens come by another refresh token')))
  const before = (await fleet.log()).length
  assert.match(await fleet.ask(1, ADDRESS), /^200 /)
  const [call] = (await fleet.log()).slice(before).filter(({ kind }) => kind === 'call')
  assert.equal(call?.seller, 'seller-b')
})
