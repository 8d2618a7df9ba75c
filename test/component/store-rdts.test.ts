import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { identityOf } from '../../src/rdt/credential.ts'
import type { MintResult } from '../../src/rdt/desk.ts'
import type { Order, Progress } from '../../src/rdt/minter.ts'
import { keyOf } from '../../src/rdt/need.ts'
import { refusalKey } from '../../src/rdt/refusals.ts'
import { createSealer } from '../../src/store/sealer.ts'
import { LOCK_MS } from '../../src/store/shared-rdts.ts'
import { after, many, until } from '../support/many.ts'
import { noRedis, type Redis, startRedis } from '../support/redis.ts'
import {
  caller,
  heldMint,
  MARGIN_MS,
  minted,
  newKey,
  now,
  type Options,
  orderFor,
  refusal,
  seller,
  startReplica,
  textOf,
} from '../support/replicas.ts'

const [key, newer] = [newKey(), newKey()]
const keys = [key]
const mint = (token: string, lifeMs?: number) => async () => minted(token, lifeMs)
const noMint = (): Promise<MintResult> => Promise.reject(new Error('it was not to be minted'))
const orders = orderFor('/orders/1')
const labels = orderFor('/labels/1')

const start = async (t: TestContext, count: number, options: Partial<Options> = {}) => {
  const redis = await startRedis(t)
  const add = (more: Partial<Options> = {}) => startReplica(t, redis, { keys, ...options, ...more })
  const [a, b, c] = await many(count, () => add())
  assert.ok(a)
  return { redis, add, a, b: b ?? a, c: c ?? a }
}

// Where the store keeps what, for who knows the key.
const keyFor = ({ origin, credential, need }: Order) => keyOf(origin, identityOf(credential), need)
const nameIn = (kind: string, what: string) => createSealer(keys).names(kind, what)[0] ?? ''
const nameOf = (order: Order) => nameIn('rdt', keyFor(order))
const lockOf = (order: Order) => nameIn('lock', keyFor(order))
const ttl = async (redis: Redis, name: string) => Number(await redis.cli('PTTL', name))

describe('RDTs, refusals and flushes that replicas share', { skip: noRedis, concurrency: 4 }, () => {
  test('one replica mints, the others wait for it and are given what it has; who comes later, too', async (t) => {
    const { add, redis, a, b, c } = await start(t, 3)
    const held = heldMint()
    const first = a.once(held.mint)
    await held.begun
    const waiting = [b, c].map((one) => one.once(noMint))
    await until(() => [b, c].every((one) => one.asked().includes('claim held')))
    held.answer(minted('Atz.sprdt|1'))
    assert.equal(textOf(await first), 'minted Atz.sprdt|1')
    for (const one of waiting) assert.equal(textOf(await one), 'elsewhere Atz.sprdt|1')
    assert.equal(textOf(await (await add()).once(noMint)), 'elsewhere Atz.sprdt|1')
    assert.deepEqual(a.asked(), ['claim won', 'put ok'])
    assert.equal(b.asked().at(-1), 'claim hit')
    const beats = a.beats()
    await until(() => a.beats() >= beats + 2)
    assert.equal(await redis.cli('EXISTS', lockOf(orders)), 0, 'the lock is given back, and not taken again')
  })

  test('who shows another token, or calls another endpoint or resource, is given nothing of it', async (t) => {
    const { a, b } = await start(t, 2)
    await a.once(mint('1'))
    const others = [
      orderFor('/orders/2'),
      labels,
      orderFor('/orders/1', { credential: caller('Atza|2') }),
      orderFor('/orders/1', { origin: 'https://eu' }),
      orderFor('/orders/1', { need: { targetApplication: 'app' } }),
      orderFor('/orders/1', { credential: seller('s') }),
    ]
    for (const [i, order] of others.entries())
      assert.equal(textOf(await b.once(mint(`other ${i}`), { order })), `minted other ${i}`)
  })

  test('a seller is the same to all replicas by application and refresh token, by neither alone', async (t) => {
    const { a, b } = await start(t, 2)
    await a.once(mint('1'), { order: orderFor('/orders/1', { credential: seller('as a has it') }) })
    const same = orderFor('/orders/1', { credential: seller('as b has it') })
    assert.equal(textOf(await b.once(noMint, { order: same })), 'elsewhere 1')
    for (const [i, account] of (
      [
        ['client', 'Atzr|2'],
        ['client 2', 'Atzr|1'],
      ] as const
    ).entries()) {
      const other = orderFor('/orders/1', { credential: seller('x', account) })
      assert.equal(textOf(await b.once(mint(`other ${i}`), { order: other })), `minted other ${i}`)
    }
  })

  test('what is given lives as long as what was minted, and is renewed in its time', async (t) => {
    const { a, b } = await start(t, 2)
    const mine = await a.once(mint('1', 3_600_000))
    const yours = await b.once(noMint)
    assert.ok(mine.kind === 'minted' && yours.kind === 'minted')
    const { expiresAt = 0, refreshAt = 0, resources } = yours.rdt
    const later = expiresAt - (mine.rdt.expiresAt ?? 0)
    assert.ok(later < 100 && later > -2000, `${later}`)
    assert.ok(Math.abs(expiresAt - refreshAt - 720_000) < 100, `at 48:00 of 60: ${expiresAt - refreshAt}`)
    assert.equal(resources, 1)
  })

  test('the store cannot make it live longer', async (t) => {
    const { redis, a, b } = await start(t, 2)
    await a.once(mint('1', 600_000))
    for (const ms of [36_000_000, 590_000]) {
      await redis.cli('PEXPIRE', nameOf(orders), ms)
      const got = await b.once(noMint)
      assert.ok(got.kind === 'minted')
      const life = (got.rdt.expiresAt ?? 0) - now()
      assert.ok(life < 600_100 && life > 580_000, `${life}`)
    }
    await redis.cli('PEXPIRE', nameOf(orders), 36_000_000)
    assert.equal(textOf(await b.once(mint('2', 600_000), { leastLifeMs: 1_000_000 })), 'minted 2')
    await redis.cli('PERSIST', nameOf(orders))
    assert.equal(textOf(await b.once(mint('3'))), 'minted 3', 'what never ends was not put there by a replica')
  })

  test('life less than is asked for is none; nor is what is to be renewed a renewal', async (t) => {
    const { a, b } = await start(t, 2)
    await a.once(mint('1', MARGIN_MS + 10_000))
    assert.equal(textOf(await b.once(noMint, { leastLifeMs: 5000, renewed: 'old' })), 'elsewhere 1')
    assert.equal(textOf(await b.once(mint('2', 600_000), { leastLifeMs: 15_000, renewed: 'old' })), 'minted 2')
    assert.equal(textOf(await a.once(noMint, { leastLifeMs: 15_000, renewed: '1' })), 'elsewhere 2')
    assert.equal(textOf(await a.once(mint('3'), { leastLifeMs: 0, renewed: '2' })), 'minted 3')
  })

  test('what may not be used again is not put', async (t) => {
    const { redis, a, b } = await start(t, 2)
    assert.equal(textOf(await a.once(mint('1', MARGIN_MS))), 'minted 1')
    const once = async (): Promise<MintResult> => ({ kind: 'minted', rdt: { token: '2', resources: 1 } })
    assert.equal(textOf(await b.once(once)), 'minted 2')
    assert.deepEqual([...a.asked(), ...b.asked()], ['claim won', 'release ok', 'claim won', 'release ok'])
    assert.equal(await redis.cli('EXISTS', nameOf(orders), lockOf(orders)), 0)
  })

  test('what ends without an RDT gives the lock back: the next one asks', async (t) => {
    const { a, b } = await start(t, 2)
    const ends: MintResult[] = [
      { kind: 'throttled', retryAfterS: 1 },
      { kind: 'unavailable', why: 'down', retryAfterS: 1 },
      { kind: 'unwanted' },
      { kind: 'access-refused', error: 'invalid_grant' },
    ]
    for (const end of ends) assert.deepEqual(await a.once(async () => end), end)
    await assert.rejects(
      a.once(() => Promise.reject(new Error('bug'))),
      /bug/,
    )
    assert.equal(textOf(await a.once(mint('0'), { stale: () => true })), 'minted 0')
    let account: readonly [string, string] = ['client', 'Atzr|1']
    const order = orderFor('/orders/1', {
      credential: {
        id: 'x',
        managed: { account: () => account, get: () => ({ kind: 'token', token: 'Atza|1' }), rejected: () => false },
      },
    })
    const changing = async () => {
      account = ['client', 'Atzr|2']
      return minted('of whom?')
    }
    await a.once(changing, { order })
    assert.equal(textOf(await b.once(mint('1'))), 'minted 1')
    assert.equal(textOf(await b.once(mint('2'), { order })), 'minted 2')
    account = ['client', 'Atzr|1']
    assert.equal(textOf(await b.once(mint('3'), { order })), 'minted 3')
    assert.deepEqual(
      a.asked().filter((one) => one !== 'claim won'),
      Array.from({ length: 7 }, () => 'release ok'),
    )
  })

  test('a lock is kept by beats as long as its mint takes, and ends by itself where its holder has died', async (t) => {
    const { redis, a, b } = await start(t, 2)
    const held = heldMint()
    const first = a.once(held.mint)
    await held.begun
    const life = await ttl(redis, lockOf(orders))
    assert.ok(life > 0 && life <= LOCK_MS, `${life}`)
    await redis.cli('PEXPIRE', lockOf(orders), LOCK_MS / 2)
    await until(async () => (await ttl(redis, lockOf(orders))) > LOCK_MS / 2)
    await redis.cli('DEL', lockOf(orders)) // a restart, say
    await until(async () => (await redis.cli('EXISTS', lockOf(orders))) === 1)
    await a.store.close()
    await redis.cli('PEXPIRE', lockOf(orders), 50)
    assert.equal(textOf(await b.once(mint('2'))), 'minted 2')
    held.answer(minted('1'))
    assert.equal(textOf(await first), 'minted 1')
    assert.equal(textOf(await b.once(noMint)), 'elsewhere 2')
  })

  test('who has lost its lock neither keeps it nor gives it back; what it has minted is of use all the same', async (t) => {
    const { redis, a, b } = await start(t, 2)
    const held = heldMint()
    const first = a.once(held.mint)
    await held.begun
    const others = `${Date.now()}: another`
    await redis.cli('SET', lockOf(orders), others, 'PX', 60_000)
    const beats = a.beats()
    await until(() => a.beats() >= beats + 2)
    assert.equal(await redis.cli('GET', lockOf(orders)), others)
    held.answer(minted('1'))
    await first
    await until(() => a.asked().includes('put ok'))
    assert.equal(await redis.cli('GET', lockOf(orders)), others)
    assert.equal(textOf(await b.once(noMint)), 'elsewhere 1')
  })

  test('the lock of a renewal is passed by callers, and not by renewals; that of a caller by nobody', async (t) => {
    const { a, b, c } = await start(t, 3)
    const [renewal, call] = [heldMint(), heldMint()]
    let waiters = 0
    const unhurried = { renewed: '0', order: orderFor('/orders/1', { waiters: () => waiters }) }
    const renewing = a.once(renewal.mint, unhurried)
    await renewal.begun
    const other = b.once(noMint, unhurried)
    await until(() => b.asked().includes('claim held'))
    const calling = c.once(call.mint)
    await call.begun
    const late = a.once(noMint, unhurried)
    await until(() => a.asked().includes('claim held'))
    call.answer(minted('2'))
    waiters = 1 // of the renewals: they ask again at once
    for (const one of [other, late]) assert.equal(textOf(await one), 'elsewhere 2')
    assert.equal(textOf(await calling), 'minted 2')
    renewal.answer(minted('1'))
    assert.equal(textOf(await renewing), 'minted 1')
  })

  test('a mint that somebody waits for, or no renewal, holds up callers', async (t) => {
    const { a, b } = await start(t, 2)
    for (const [path, waiters, renewed] of [
      ['/orders/1', 1, '0'],
      ['/orders/2', 0, undefined],
    ] as const) {
      const held = heldMint()
      const minting = a.once(held.mint, { renewed, order: orderFor(path, { waiters: () => waiters }) })
      await held.begun
      const before = b.asked().length
      const calling = b.once(noMint, { order: orderFor(path) })
      await until(() => b.asked().length > before)
      held.answer(minted('1'))
      for (const one of [minting, calling]) assert.match(textOf(await one), / 1$/)
    }
  })

  test('whom nobody waits for asks less often', async (t) => {
    const { a, b, c } = await start(t, 3)
    const held = heldMint()
    const minting = a.once(held.mint)
    await held.begun
    const waiting = b.once(noMint)
    const unhurried = c.once(noMint, { renewed: '0', order: orderFor('/orders/1', { waiters: () => 0 }) })
    await until(() => b.asked().length >= 14)
    assert.ok(c.asked().length <= 10, `${c.asked().length}`)
    held.answer(minted('1'))
    for (const one of [minting, waiting, unhurried]) assert.match(textOf(await one), / 1$/)
  })

  test('who waits for another replica is told so, and leaves when nobody wants it any more', async (t) => {
    const { redis, a, b } = await start(t, 2)
    const held = heldMint()
    void a.once(held.mint)
    await held.begun
    const progress: Progress[] = []
    let wanted = true
    const order = orderFor('/orders/1', { wanted: () => wanted, onProgress: (one) => void progress.push(one) })
    const left = b.once(noMint, { order })
    await until(() => progress.length > 0)
    assert.ok(typeof progress[0] === 'object' && 'failed' in progress[0])
    wanted = false
    assert.deepEqual(await left, { kind: 'unwanted' })
    wanted = true
    const served = b.once(mint('2'), { order })
    await until(() => b.asked().filter((one) => one === 'claim held').length > 5)
    await a.store.close()
    await redis.cli('DEL', lockOf(orders))
    assert.equal(textOf(await served), 'minted 2')
    assert.equal(progress.at(-1), 'throttled', 'from now on it waits for the usage plan')
    held.answer({ kind: 'unwanted' })
  })

  test('a refusal is the answer to all, as Amazon gave it, for as long as it is held against the question', async (t) => {
    const { redis, a, b } = await start(t, 2)
    const no = { ...refusal(400, 'No.', '{"errors":[]}'), requestId: 'r-1' }
    await a.once(async () => no)
    assert.deepEqual(await b.once(noMint), no)
    assert.deepEqual(b.refusals.of(orders), no, 'and is asked of the store no more')
    const name = nameIn('refusal', refusalKey('resource', orders, identityOf(orders.credential)))
    const left = await ttl(redis, name)
    assert.ok(left > 290_000 && left <= 300_000, `${left}`)
    b.pass(left + 1000)
    assert.equal(b.refusals.of(orders), undefined)
    await redis.cli('PEXPIRE', name, 10_000)
    b.pass(-left - 1000)
    b.refusals.forget()
    await b.once(noMint)
    b.pass(11_000)
    assert.equal(b.refusals.of(orders), undefined, 'no longer than it is held against it anywhere')
    await redis.cli('PEXPIRE', name, 36_000_000)
    await b.once(noMint)
    b.pass(300_000)
    assert.equal(b.refusals.of(orders), undefined, 'whatever the store says')
    assert.equal(textOf(await b.once(mint('2'), { order: orderFor('/orders/2') })), 'minted 2')
  })

  test('a refusal reaches as far as it does at one replica; of a managed seller’s access token it stays there', async (t) => {
    const { a, b } = await start(t, 2)
    const otherOrder = orderFor('/orders/2')
    await a.once(async () => refusal(403, 'Access denied'), { order: orders })
    assert.equal(textOf(await b.once(noMint, { order: otherOrder })), 'refused', 'a role is a matter of the operation')
    assert.equal(textOf(await b.once(mint('1'), { order: labels })), 'minted 1')
    const expired = refusal(403, 'Access denied', '{}', 'The access token you provided has expired.')
    const his = (path: string) => orderFor(path, { credential: caller('Atza|old') })
    await a.once(async () => expired, { order: his('/orders/1') })
    assert.equal(textOf(await b.once(noMint, { order: his('/labels/1') })), 'refused')
    const of = (path: string) => orderFor(path, { credential: seller('s') })
    await a.once(async () => expired, { order: of('/orders/1') })
    assert.equal(textOf(await b.once(mint('2'), { order: of('/orders/1') })), 'minted 2')
    await a.once(async () => refusal(403, 'Access denied'), { order: of('/labels/1') })
    assert.equal(textOf(await b.once(noMint, { order: of('/labels/2') })), 'refused', 'its role is')
  })

  test('a refusal for what is asked for no more is told, and not remembered', async (t) => {
    const { a, b } = await start(t, 2)
    await a.once(async () => refusal())
    assert.equal(textOf(await b.once(noMint, { stale: () => true })), 'refused')
    assert.equal(b.refusals.of(orders), undefined)
  })

  test('a refusal of the length of a book is not put', async (t) => {
    const { a, b } = await start(t, 2)
    await a.once(async () => refusal(400, 'No.', 'x'.repeat(20_000)))
    assert.deepEqual(a.asked(), ['claim won', 'release ok'])
    assert.equal(textOf(await b.once(mint('1'))), 'minted 1')
  })

  test('an RDT for several resources serves each of them, on all replicas, as one', async (t) => {
    const { a, b } = await start(t, 2)
    const [one, two] = ['/orders/1', '/orders/2'].map((path) => ({ method: 'GET', path }))
    assert.ok(one && two)
    const both = orderFor('/orders/1', { need: { resources: [one, two] } })
    await a.once(async () => minted('12', 3_600_000, 2), { order: both })
    const got = await many(2, (i) => b.once(noMint, { order: orderFor(`/orders/${i + 1}`) }))
    const rdts = got.map((result) => (result.kind === 'minted' ? result.rdt : undefined))
    assert.deepEqual(rdts[0]?.resources, 2)
    assert.equal(rdts[0], rdts[1], 'one object: what drops it drops it for both')
    assert.equal(textOf(await b.once(noMint, { order: both })), 'elsewhere 12')
    const exact = orderFor('/orders/1', { need: { exact: true } })
    assert.equal(textOf(await b.once(mint('1'), { order: exact })), 'minted 1', 'it is not to open the other')
    assert.equal(textOf(await a.once(noMint, { order: exact })), 'elsewhere 1')
  })

  test('what Amazon no longer takes is not taken from the store again by who has heard it', async (t) => {
    const { a, b, c } = await start(t, 3)
    await a.once(mint('1'))
    assert.equal(textOf(await b.once(noMint)), 'elsewhere 1')
    b.store.fleet.rejected('1')
    const held = heldMint()
    const anew = b.once(held.mint)
    await held.begun
    c.store.fleet.rejected('1')
    const waiting = c.once(noMint)
    await until(() => c.asked().includes('claim held'))
    assert.equal(textOf(await a.once(noMint)), 'elsewhere 1', 'a has not heard of it')
    held.answer(minted('2'))
    assert.equal(textOf(await anew), 'minted 2')
    assert.equal(textOf(await waiting), 'elsewhere 2')
  })

  for (const [what, put] of [
    ['a list', ['RPUSH', 'x']],
    ['a hash', ['HSET', 'x', 'y']],
    ['text', ['SET', 'x']],
    ['text with a moment that is none', ['SET', 'x:y']],
    ['nothing', ['SET', '']],
  ] as const)
    test(`${what} that somebody else has put under our names is taken for none`, async (t) => {
      const { redis, a, b } = await start(t, 2)
      const [command, ...rest] = put
      const names = [
        nameOf(orders),
        lockOf(orders),
        nameIn('refusal', refusalKey('operation', orders, identityOf(orders.credential))),
      ]
      for (const name of names) await redis.cli(command, name, ...rest)
      assert.equal(textOf(await a.once(mint('1'))), 'minted 1')
      assert.equal(textOf(await b.once(noMint)), 'elsewhere 1')
      assert.deepEqual([a.counts.unreadable, a.lost.length, a.bugs], [0, 0, []])
    })

  test('a value that does not open is told, taken for none and replaced', async (t) => {
    const { redis, a, b } = await start(t, 2)
    await a.once(mint('of labels'), { order: labels })
    const sealed = String(await redis.cli('GET', nameOf(labels)))
    const [moment = '', secret = ''] = sealed.split(':')
    const truncated = `${moment}:${secret.slice(0, 40)}`
    const otherMoment = `${Number(moment) + 1}:${secret}`
    for (const [i, tampered] of [
      sealed,
      truncated,
      otherMoment,
      `${moment}:`,
      `${moment}:garbage`,
      '1e300:x',
    ].entries()) {
      await redis.cli('SET', nameOf(orders), tampered, 'PX', 3_600_000)
      assert.equal(textOf(await b.once(mint(`${i}`))), `minted ${i}`)
      assert.equal(b.counts.unreadable, i + 1)
      await until(async () => (await redis.cli('GET', nameOf(orders))) !== tampered)
      assert.equal(textOf(await a.once(noMint)), `elsewhere ${i}`)
    }
    assert.deepEqual(b.bugs, [])
  })

  test('a refusal that does not open is told, and taken for none', async (t) => {
    const { redis, a } = await start(t, 1)
    const name = nameIn('refusal', refusalKey('operation', orders, identityOf(orders.credential)))
    await redis.cli('SET', name, `${Date.now()}:garbage`, 'PX', 60_000)
    assert.equal(textOf(await a.once(mint('1'))), 'minted 1')
    assert.equal(a.counts.unreadable, 1)
  })

  test('what was there at a flush, or is of a mint begun before, does not count; of the operation alone', async (t) => {
    const { a, b, c } = await start(t, 3)
    const held = heldMint()
    const old = orderFor('/orders/2')
    const before = a.once(held.mint, { order: old })
    await held.begun
    await a.once(mint('1'), { order: orders })
    await a.once(mint('2'), { order: labels })
    await b.flush('orders')
    assert.equal(textOf(await b.once(mint('3'), { order: orders })), 'minted 3')
    assert.equal(textOf(await c.once(noMint, { order: orders })), 'elsewhere 3')
    assert.equal(textOf(await c.once(noMint, { order: labels })), 'elsewhere 2')
    held.answer(minted('4'))
    await before
    await until(() => a.asked().filter((one) => one === 'put ok').length === 3)
    assert.equal(textOf(await c.once(mint('5'), { order: old })), 'minted 5')
    await c.flush()
    for (const order of [orders, labels, old]) assert.equal(textOf(await c.once(mint('6'), { order })), 'minted 6')
  })

  test('who asks right after a flush is answered after it', async (t) => {
    const { redis, a, b } = await start(t, 2)
    await a.once(mint('1'))
    b.store.flush('orders')
    assert.equal(textOf(await b.once(mint('2'))), 'minted 2')
    assert.deepEqual(
      b.asked().filter((one) => one !== 'flush ok'),
      ['claim won', 'put ok'],
    )
    assert.equal(textOf(await a.once(noMint)), 'elsewhere 2')
    await redis.cli('CONFIG', 'SET', 'maxmemory', 1) // what is read is answered, what is written is not
    assert.equal(textOf(await a.once(noMint)), 'elsewhere 2')
    a.store.flush('orders')
    assert.equal(textOf(await a.once(mint('3'))), 'minted 3')
  })

  test('what the store said before a flush is not believed after it', async (t) => {
    const { redis, a, b } = await start(t, 2, { timeoutMs: 5000 })
    await a.once(mint('1'))
    redis.freeze()
    const asking = b.once(mint('2'))
    await new Promise(setImmediate)
    b.store.flush('orders')
    redis.thaw()
    assert.equal(textOf(await asking), 'minted 2')
    assert.equal(b.asked()[0], 'claim hit')
  })

  test('what is asked for in the millisecond of a flush is of after it', async (t) => {
    const { redis, a, b } = await start(t, 2)
    const [field = ''] = createSealer(keys).names('flush', 'orders')
    await redis.cli('HSET', nameIn('flushes', ''), field, Date.now() + 60_000)
    assert.equal(textOf(await a.once(mint('1'))), 'minted 1')
    assert.equal(textOf(await b.once(noMint)), 'elsewhere 1')
  })

  test('a lock of before a flush holds nobody up', async (t) => {
    const { a, b } = await start(t, 2)
    const held = heldMint()
    const before = a.once(held.mint)
    await held.begun
    await b.flush('orders')
    assert.equal(textOf(await b.once(mint('2'))), 'minted 2')
    held.answer(minted('1'))
    assert.equal(textOf(await before), 'minted 1')
  })

  test('refusals are forgotten at any flush', async (t) => {
    const { a, b } = await start(t, 2)
    for (const [i, flushed] of ['orders', 'labels', undefined].entries()) {
      const order = orderFor(`/orders/${i}`)
      await a.once(async () => refusal(), { order })
      assert.equal(textOf(await b.once(noMint, { order })), 'refused')
      await b.flush(flushed)
      assert.equal(textOf(await b.once(mint('1'), { order })), 'minted 1')
    }
  })

  test('all replicas learn of a flush, once; not who was asked for it, nor who comes later', async (t) => {
    const { add, a, b, c } = await start(t, 3, { keys: [key, newer] })
    await a.flush('orders')
    await until(() => b.flushed.length > 0 && c.flushed.length > 0)
    await b.flush()
    await until(() => a.flushed.length > 0 && c.flushed.length > 1)
    const late = await add()
    const beats = [a, b, c, late].map((one) => one.beats())
    await until(() => [a, b, c, late].every((one, i) => one.beats() >= (beats[i] ?? 0) + 2))
    assert.deepEqual([a.flushed, b.flushed, c.flushed], [[undefined], ['orders'], ['orders', undefined]])
    assert.deepEqual(late.flushed, [])
  })

  test('a flush that the store did not hear is told when it is back; until then nothing is taken from it', async (t) => {
    const { redis, a, b } = await start(t, 2, { timeoutMs: 50 })
    await a.once(mint('1'))
    redis.freeze()
    a.store.flush('orders')
    assert.equal(textOf(await a.once(mint('2'))), 'minted 2')
    redis.thaw()
    await until(() => b.flushed.length > 0)
    assert.deepEqual(b.flushed, ['orders'])
    assert.equal(textOf(await b.once(mint('3'))), 'minted 3')
  })

  test('a flush is forgotten in a week, the list of replicas in ten seconds after the last', async (t) => {
    const { redis, a } = await start(t, 1)
    await a.flush('orders')
    const week = 604_800_000
    const flushes = await ttl(redis, nameIn('flushes', ''))
    assert.ok(flushes > week - 60_000 && flushes <= week, `${flushes}`)
    const replicas = await ttl(redis, nameIn('replicas', ''))
    assert.ok(replicas > 5000 && replicas <= 10_000, `${replicas}`)
  })

  test('replicas are counted: who leaves no more, nor who is silent for ten seconds', async (t) => {
    const { redis, add, a, b } = await start(t, 2)
    const name = nameIn('replicas', '')
    const there = async () => Number(await redis.cli('ZCARD', name))
    await until(() => a.store.status().replicas === 2)
    await redis.cli('ZADD', name, Date.now() - 7000, 'silent')
    await until(() => a.store.status().replicas === 3)
    await redis.cli('ZADD', name, Date.now() - 10_500, 'silent')
    await until(async () => (await there()) === 2)
    await redis.cli('ZADD', name, Date.now(), 'silent')
    const heard = a.beats()
    await until(() => a.beats() >= heard + 2)
    a.pass(10_000) // there were fewer for a moment, then as many again
    await redis.cli('ZREM', name, 'silent')
    await b.store.close()
    assert.equal(await there(), 1)
    const beats = a.beats()
    await until(() => a.beats() >= beats + 2)
    assert.equal(
      a.store.status().replicas,
      3,
      'that there are fewer is not believed at once: the store may be a new one',
    )
    a.pass(10_000)
    await until(() => a.store.status().replicas === 1)
    const late = await add()
    assert.equal(late.store.status().replicas, 2)
    await until(() => a.store.status().replicas === 2)
  })

  test('keys are replaced one after the other: who has both meets who has either', async (t) => {
    const { add, a: old } = await start(t, 1)
    const [both, fresh] = [await add({ keys: [newer, key] }), await add({ keys: [newer] })]
    await add({ keys: [newer] })
    await until(() => both.store.status().replicas === 3) // the most that it sees under one of them
    await old.once(mint('1'), { order: orders })
    assert.equal(textOf(await both.once(noMint, { order: orders })), 'elsewhere 1')
    assert.equal(textOf(await fresh.once(mint('2'), { order: orders })), 'minted 2')
    await both.once(mint('3'), { order: labels })
    for (const one of [old, fresh]) assert.equal(textOf(await one.once(noMint, { order: labels })), 'elsewhere 3')
    const other = orderFor('/orders/2')
    for (const holder of [old, both, fresh]) {
      const held = heldMint()
      const minting = holder.once(held.mint, { order: other })
      await held.begun
      const waiters = (holder === both ? [old, fresh] : [both]).map((one) => one.once(noMint, { order: other }))
      await after(30)
      held.answer(refusal())
      for (const waiting of [minting, ...waiters]) assert.equal(textOf(await waiting), 'refused')
      await both.flush() // and its refusal
    }
    assert.deepEqual(
      [old, both, fresh].map(({ counts }) => counts.unreadable),
      [0, 0, 0],
    )
  })

  test('keys that change while a question is out do no harm', async (t) => {
    const { add } = await start(t, 1)
    const secrets = { password: undefined, ca: undefined }
    await (await add({ keys: [newer] })).once(mint('1'))
    const retiring = await add({ keys: [key, newer] })
    const one = retiring.once(noMint)
    retiring.store.change({ keys: [newer], ...secrets })
    assert.equal(textOf(await one), 'elsewhere 1')
    const adding = await add({ keys: [newer] })
    const two = adding.once(noMint)
    adding.store.change({ keys: [key, newer], ...secrets })
    assert.equal(textOf(await two), 'elsewhere 1')
    assert.equal(adding.counts.unreadable, 0)
    await adding.once(mint('2'), { order: labels })
    assert.equal(textOf(await (await add({ keys: [key] })).once(noMint, { order: labels })), 'elsewhere 2')
  })

  test('a lock that was won too late is given back', async (t) => {
    const { redis, a, b } = await start(t, 2, { timeoutMs: 50 })
    redis.freeze()
    assert.equal(textOf(await a.once(mint('1'))), 'minted 1')
    redis.thaw()
    await until(() => a.asked().includes('release ok'))
    assert.equal(textOf(await b.once(mint('2'))), 'minted 2')
    assert.ok(!b.asked().includes('claim held'))
  })

  test('nothing of it can be read in the store', async (t) => {
    const { redis, a } = await start(t, 1)
    const order = orderFor('/orders/canary', { credential: caller('Atza|canary') })
    await a.once(mint('Atz.sprdt|canary'), { order })
    await a.once(async () => refusal(400, 'canary'), { order: orderFor('/labels/canary') })
    ;(await a.store.planOf(order).permit({ burst: 1, intervalMs: () => 1000, onRate: () => {} })).unused()
    await a.flush('orders')
    await until(() => a.asked().includes('quota settled'))
    const entries = await redis.dump()
    assert.equal(entries.length, 5)
    for (const { key: name, ttl: life, contents } of entries) {
      assert.match(name, /^rdt:[\w-]{43}$/)
      assert.ok(life > 0, 'nothing stays for ever')
      assert.doesNotMatch(name + contents, /canary|orders|labels|sprdt|Atza/)
    }
  })
})
