/** Renewals that have time, and callers who have none. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { many, until } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { heldMint, minted, newKey, orderFor, startReplica, textOf } from '../support/replicas.ts'

const renewed = 'Atz.sprdt|old'

describe('renewals of several replicas', { skip: noRedis, concurrency: 2 }, () => {
  test('one that has time does not hold up a caller who joins another replica’s: that one mints', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b] = await many(2, () => startReplica(t, redis, { keys }))
    assert.ok(a && b)
    const renewal = heldMint()
    const first = a.once(renewal.mint, { renewed, order: orderFor('/orders/1', { waiters: () => 0 }) })
    await renewal.begun
    let waiters = 0
    const second = b.once(async () => minted('for the caller'), {
      renewed,
      order: orderFor('/orders/1', { waiters: () => waiters }),
    })
    await until(() => b.asked().filter((one) => one === 'claim held').length >= 3)
    waiters = 1
    await until(() => b.asked().includes('claim won'))
    assert.equal(textOf(await second), 'minted for the caller')
    renewal.answer(minted('renewed'))
    assert.equal(textOf(await first), 'minted renewed')
  })

  test('one that nobody waits for asks seldom whether another replica is done; one that somebody waits for, often', async (t) => {
    const redis = await startRedis(t)
    const keys = [newKey()]
    const [a, b, c] = await many(3, () => startReplica(t, redis, { keys }))
    assert.ok(a && b && c)
    const mint = heldMint()
    const first = a.once(mint.mint)
    await mint.begun
    const noMint = () => Promise.reject(new Error('it was not to be minted'))
    const idle = orderFor('/orders/1', { waiters: () => 0 })
    const others = [b.once(noMint, { renewed, order: idle }), c.once(noMint)]
    const held = [b, c].map((one) => () => one.asked().filter((what) => what === 'claim held').length)
    const [seldom, often] = held
    assert.ok(seldom && often)
    // twice as long each time; at most 2 s, or 250 ms: half of that here
    await until(() => often() >= 24)
    assert.ok(seldom() <= 14, `${seldom()} times in the time of ${often()}`)
    mint.answer(minted('1'))
    for (const one of [first, ...others]) assert.equal(textOf(await one).split(' ')[1], '1')
  })
})
