/** Who shares with whom, and what Redis, or whoever reads and writes it, gets out of it: nothing, and no error. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { lwaToken } from '../support/cli.ts'
import { type Call, type Fleet, managedEnv, newKey, startFleet } from '../support/fleet.ts'
import { CALLER_TOKEN, CLIENT_ID } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { type Entry, noRedis, type Redis, startRedis } from '../support/redis.ts'

const ORDERS = '/orders/v0/orders'
const ADDRESS = `${ORDERS}/902-1/address`
const SHIPMENT = '/mfn/v0/shipments/1'
const TOKENS = '/tokens/2021-03-01/restrictedDataToken'

/** RDTs and refusals. */
const sealedIn = (entries: readonly Entry[]): readonly Entry[] =>
  entries.filter(({ contents }) => /^\d+:[\w-]{40,}$/.test(contents))

/** Has replica `i` mint for a call, and finds what that put into Redis. */
const mintedInto = async (redis: Redis, fleet: Fleet, i: number, target: string, init?: Call): Promise<Entry> => {
  const before = new Set((await redis.dump()).map(({ key }) => key))
  assert.equal(await fleet.ask(i, target, init), '200 minted')
  let found: readonly Entry[] = []
  await until(async () => {
    found = sealedIn(await redis.dump()).filter(({ key }) => !before.has(key))
    return found.length > 0
  })
  assert.equal(found.length, 1)
  return found[0] as Entry
}

const mintCount = async (fleet: Fleet): Promise<number> => (await fleet.mints()).length
const unreadable = (fleet: Fleet, i: number): Promise<number> => fleet.metric(i, 'rdt_store_unreadable_total')

/** A text as it is, written otherwise, and as hashes without a key. */
const formsOf = (text: string): readonly string[] => {
  const bytes = Buffer.from(text)
  const hashes = ['md5', 'sha1', 'sha256', 'sha512'].map((name) => createHash(name).update(bytes).digest())
  const encoded = [bytes, ...hashes].flatMap((one) =>
    (['latin1', 'hex', 'base64', 'base64url'] as const).map((encoding) => one.toString(encoding).replace(/=+$/, '')),
  )
  return [...encoded, encodeURIComponent(text)]
}

/** A bit of everything: RDTs, one that a caller minted for itself, a refusal, a flush, a mint under way. Returns the known RDT. */
const liveIn = async (fleet: Fleet, init: Call): Promise<string> => {
  const specific = { ...init, headers: { 'x-rdt-scope': 'specific', ...init.headers } }
  for (const target of [`${ORDERS}/CANARYORDER`, `${ORDERS}/CANARYORDER/address?x=CANARYQUERY`, SHIPMENT])
    for (const i of [0, 1]) assert.match(await fleet.ask(i, target, specific), /^200 /)
  const restrictedResources = [{ method: 'GET', path: `${ORDERS}/CANARYORDER/buyerInfo` }]
  const answer = await fleet.call(0, TOKENS, { ...init, method: 'POST', body: JSON.stringify({ restrictedResources }) })
  const { restrictedDataToken } = (await answer.json()) as { restrictedDataToken: string }
  await fleet.control({ denyOperations: ['orders-v0.getOrderItems'] })
  assert.match(await fleet.ask(0, `${ORDERS}/CANARYORDER/orderItems`, specific), /^400 /)
  await fleet.flush(0, '?operation=mfn-v0.getShipment')
  const before = await mintCount(fleet)
  await fleet.control({ fail: [{ on: 'mint', times: 2, as: 'hang' }] })
  for (const i of [0, 1]) fleet.ask(i, `${ORDERS}/CANARYORDER${i}`, specific).catch(() => {})
  await until(async () => (await mintCount(fleet)) === before + 2)
  return restrictedDataToken
}

// What is sealed is letters at random: three of them alone would be found in it now and then.
const OURS =
  /Atz(?:\.|\w\|)|amzn1|CANARY|seller-a|\/orders|\/mfn|orders-v0|mfn-v0|getOrder|getShipment|buyerInfo|shippingAddress/i
const AMAZONS = /Application|requested|InvalidInput|127\.0\.0\.1/i

const seenIn = async (redis: Redis, canaries: readonly string[]): Promise<void> => {
  const entries = await redis.dump()
  assert.ok(sealedIn(entries).length >= 5, `${sealedIn(entries).length} values`)
  for (const { key, ttl, contents } of entries) {
    assert.match(key, /^rdt:/)
    assert.ok(ttl > 0, 'nothing stays for ever')
    for (const text of [key, contents]) {
      assert.doesNotMatch(text, OURS)
      assert.doesNotMatch(text, AMAZONS)
      for (const form of canaries.flatMap(formsOf)) assert.ok(!text.includes(form), form)
    }
  }
}

const COUNTED: readonly (readonly [what: string, tamper: (contents: string) => string])[] = [
  ['another character', (contents) => contents.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A'))],
  ['another time', (contents) => contents.replace(/^\d+/, (at) => `${Number(at) + 1}`)],
  ['half of it', (contents) => contents.slice(0, contents.length / 2)],
  ['nothing but a time', (contents) => contents.replace(/:.*/, ':')],
]
const UNCOUNTED: typeof COUNTED = [['something else altogether', () => 'nonsense']]

// They wait more than they work.
describe('what is shared', { skip: noRedis, concurrency: 3 }, () => {
  test('nothing in Redis can be read: with tokens of callers', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis })
    const token = await lwaToken(fleet.amazon)
    const rdt = await liveIn(fleet, { token })
    await seenIn(redis, [token, rdt, `${ORDERS}/CANARYORDER`, 'CANARYORDER'])
  })

  test('nothing in Redis can be read: with managed sellers', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis, sellers: ['seller-a'] })
    const rdt = await liveIn(fleet, { seller: 'seller-a' })
    await seenIn(redis, [rdt, CALLER_TOKEN, CLIENT_ID, 'simulated-secret', 'Atzr|seller-a', 'seller-a'])
  })

  test('an RDT stays in Redis as long as it lives', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis, env: { SIDECAR_RDT_EXPIRY_MARGIN_MS: '100' } })
    await fleet.control({ rdtSeconds: 4 })
    const { ttl } = await mintedInto(redis, fleet, 0, ADDRESS)
    assert.ok(ttl > 0 && ttl <= 4000, `${ttl} ms`)
    await until(async () => sealedIn(await redis.dump()).length === 0)
  })

  test('a value that somebody changed is taken for none, and counted; the next mint mends it', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis, replicas: 3 })
    for (const [n, [what, tamper]] of [...COUNTED, ...UNCOUNTED].entries()) {
      const specific = { headers: { 'x-rdt-scope': 'specific' } }
      const target = `${ORDERS}/902-${n}/address`
      const { key, contents } = await mintedInto(redis, fleet, 0, target, specific)
      const tampered = tamper(contents)
      await redis.cli('SET', key, tampered, 'KEEPTTL')
      assert.equal(await fleet.ask(1, target, specific), '200 minted', what)
      assert.equal(await unreadable(fleet, 1), Math.min(n + 1, COUNTED.length), what)
      await until(async () => (await redis.cli('GET', key)) !== tampered)
      const before = await mintCount(fleet)
      assert.match(await fleet.ask(2, target, specific), /^200 /)
      assert.equal(await mintCount(fleet), before, what)
    }
  })

  test('a name that holds something of another kind costs nobody his answer', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis })
    assert.equal(await fleet.ask(0, ADDRESS), '200 minted')
    for (const { key } of await redis.dump()) {
      await redis.cli('DEL', key)
      await redis.cli('RPUSH', key, 'x')
    }
    for (const target of [ADDRESS, SHIPMENT, `${ORDERS}/902-1`]) assert.equal(await fleet.ask(1, target), '200 minted')
  })

  test("another caller's value under one's name is taken for none", async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis })
    const [mine, other] = [await lwaToken(fleet.amazon, 'seller-a'), await lwaToken(fleet.amazon, 'seller-b')]
    const [own, foreign] = [
      await mintedInto(redis, fleet, 0, ADDRESS, { token: mine }),
      await mintedInto(redis, fleet, 0, ADDRESS, { token: other }),
    ]
    await redis.cli('COPY', foreign.key, own.key, 'REPLACE')
    assert.equal(await fleet.ask(1, ADDRESS, { token: mine }), '200 minted')
    assert.equal(await unreadable(fleet, 1), 1)
    const calls = (await fleet.log()).filter(({ kind }) => kind === 'call')
    assert.deepEqual(
      calls.map(({ seller }) => seller),
      ['seller-a', 'seller-b', 'seller-a'],
    )
  })

  test('the key is replaced, A by B with both between, replica by replica: tokens, locks and plan are shared throughout', async (t) => {
    const redis = await startRedis(t)
    const env = {
      SIDECAR_MINT_MAX_RESOURCES: '1',
      SIDECAR_MINT_RATE_PER_SECOND: '4',
      SIDECAR_MINT_MAX_WAIT_MS: '30000',
    }
    const fleet = await startFleet(t, { redis, replicas: 0, env })
    const [a, b] = [newKey(), newKey()]
    const keyFiles = [[a], [b, a], [a, b], [b]].map((keys, n) => fleet.fileOf(`keys-${n}`, ...keys))
    for (const file of keyFiles) await fleet.add({ SIDECAR_STORE_KEY_FILE: file })
    const specific = { headers: { 'x-rdt-scope': 'specific' } }

    const groups = [
      [0, 1, 2],
      [1, 2, 3],
    ]
    for (const group of groups) {
      // a new witness for each: those with the old key alone are gone for a while when those with the new one alone come
      await fleet.control({ mintRatePerSecond: 4 })
      for (const first of group) {
        const before = await mintCount(fleet)
        const target = `${ORDERS}/902-${group}-${first}/address`
        assert.equal(await fleet.ask(first, target, specific), '200 minted')
        for (const i of group) assert.match(await fleet.ask(i, target, specific), /^200 /)
        assert.equal(await mintCount(fleet), before + 1, `${first} minted for ${group}`)
      }
      const before = await mintCount(fleet)
      const answers = await many(36, (n) =>
        fleet.ask(group[n % 3] ?? 0, `${ORDERS}/902-${group}-at-once-${Math.floor(n / 2)}/address`, specific),
      )
      assert.ok(answers.every((answer) => answer.startsWith('200 ')))
      assert.equal(await mintCount(fleet), before + 18, 'one mint for the two that ask for the same')
    }
    assert.deepEqual(await fleet.throttled(), [])
    assert.deepEqual(await many(4, (i) => unreadable(fleet, i)), [0, 0, 0, 0])
  })

  test('callers with different access tokens share nothing, whosever they are', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis })
    const tokens = await many(3, (n) => lwaToken(fleet.amazon, n === 2 ? 'seller-b' : 'seller-a'))
    for (const [n, token] of tokens.entries()) {
      assert.equal(await fleet.ask(n % 2, ADDRESS, { token }), '200 minted')
      assert.match(await fleet.ask((n + 1) % 2, ADDRESS, { token }), /^200 /)
      assert.equal(await mintCount(fleet), n + 1)
    }
  })

  test('managed sellers are who Amazon takes them for: application and refresh token, not the name in the configuration', async (t) => {
    const redis = await startRedis(t)
    const fleet = await startFleet(t, { redis, replicas: 0 })
    const callerTokenFile = fleet.fileOf('caller-token', CALLER_TOKEN)
    /** A replica that holds one seller. */
    const holding = (id: string, refreshToken: string, more: object = {}): Promise<number> => {
      const n = fleet.size()
      const rowOf = {
        id,
        clientId: CLIENT_ID,
        clientSecretFile: fleet.fileOf(`${n}-secret`, 'simulated-secret'),
        refreshTokenFile: fleet.fileOf(`${n}-refresh-token`, refreshToken),
        ...more,
      }
      return fleet.add(managedEnv(fleet.amazon, callerTokenFile, [rowOf]))
    }
    const shop = await holding('shop', 'Atzr|seller-a')
    const sameName = await holding('shop', 'Atzr|seller-b')
    const otherApplication = await holding('shop', 'Atzr|seller-a', { clientId: `${CLIENT_ID}-2` })
    const otherName = await holding('boutique', 'Atzr|seller-a')
    const asked = async (i: number): Promise<number> => {
      const before = await mintCount(fleet)
      assert.match(await fleet.ask(i, ADDRESS, { token: '' }), /^200 /)
      return (await mintCount(fleet)) - before
    }
    assert.deepEqual([await asked(shop), await asked(sameName), await asked(otherApplication)], [1, 1, 1])
    assert.equal(await asked(otherName), 0)
    const calls = (await fleet.log()).filter(({ kind }) => kind === 'call')
    assert.deepEqual(
      calls.map(({ seller }) => seller),
      ['seller-a', 'seller-b', 'seller-a', 'seller-a'],
    )
  })
})
