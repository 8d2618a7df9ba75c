/** No cached RDT, and nothing that one opens, for whoever has a worthless token: on no route, in no spelling, at no moment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDRESS, garbage, ORDER, ownMint } from '../support/abuse.ts'
import { folderFor } from '../support/cli.ts'
import { CALLER_TOKEN, callerRow, startManaged } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { type Pair, startPair, verdictOf } from '../support/pair.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const RESTRICTED = [
  ADDRESS,
  `${ADDRESS}/`,
  ADDRESS.replace('address', '%61ddress'),
  ADDRESS.replace('/address', '%2Faddress'),
  `${ADDRESS}?x=1`,
  ORDER,
  `${ORDER}/orderItems`,
  '/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2020-01-01',
]
const MINTS = [
  MINT_PATH,
  `${MINT_PATH}/`,
  `${MINT_PATH}?x=1`,
  MINT_PATH.replace('T', '%54'),
  MINT_PATH.replace('/rest', '%2Frest'),
]
const STEERING = [
  'x-rdt-mode: force',
  'x-rdt-mode: skip',
  'x-rdt-scope: specific',
  'x-rdt-scope: generic',
  'x-rdt-data-elements: none',
  'x-rdt-seller: seller-a',
  'x-rdt-caller-token: x',
]

const ways: readonly (readonly [target: string, init: RequestInit])[] = [
  ...RESTRICTED.map((target) => [target, {}] as const),
  ...STEERING.map((header) => [ADDRESS, { headers: [header.split(': ') as [string, string]] }] as const),
  ...MINTS.flatMap((target) =>
    [ADDRESS, '/orders/v0/orders/{orderId}/address'].map((path) => [target, ownMint(path)] as const),
  ),
]

/** All that these get: there is no token in it, and no personal data. */
const assertNothing = async (answers: readonly Promise<Response>[], pair: Pair): Promise<void> => {
  const before = pair.calls().filter(({ pii }) => pii).length
  for (const answer of await Promise.all(answers)) {
    const text = `${JSON.stringify([...answer.headers])}${await answer.text()}`
    assert.ok(answer.status >= 400, `${answer.url}: ${answer.status}`)
    assert.doesNotMatch(text, /Atz\.sprdt|Atza\|(?!garbage)/, answer.url)
  }
  assert.equal(pair.calls().filter(({ pii }) => pii).length, before)
}

/** A seller's token under which everything is cached. */
const usedToken = async (pair: Pair): Promise<string> => {
  const token = pair.simulator.accessToken('victim')
  for (const [target, init] of ways) await (await pair.call(target, token, init)).arrayBuffer()
  return token
}

test('no worthless token gets one that another’s token has: garbage, one revoked before, a look-alike of an RDT, or none', async (t) => {
  const pair = await startPair(t)
  const revoked = pair.simulator.accessToken('victim')
  pair.simulator.control({ revoke: 'access-tokens' })
  const token = await usedToken(pair)
  const tokens = [
    garbage(1),
    `${token}x`,
    token.slice(0, -1),
    revoked,
    `Atz.sprdt|${token.slice(5)}`,
    `Atz.sprdt|`,
    undefined,
  ]
  for (const one of tokens)
    await assertNothing(
      ways.map(([target, init]) => pair.call(target, one, init)),
      pair,
    )
  const handOuts = () => pair.lines.filter((line) => line.includes('"event":"hand-out"')).length
  const before = handOuts()
  assert.equal(verdictOf(await pair.call(MINT_PATH, token, ownMint(ADDRESS))), 'hit', 'it was there all the time')
  await until(() => handOuts() === before + 1)
})

test('nor one that is on its way: garbage that asks while the mint of another’s is in flight waits for its own refusal', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ latencyMs: { mint: 300 } })
  const token = pair.simulator.accessToken('victim')
  const honest = many(5, () => pair.call(MINT_PATH, token, ownMint(ADDRESS)))
  await until(() => pair.mints().length === 1)
  await assertNothing(
    Array.from({ length: 20 }, (_, i) => pair.call(MINT_PATH, garbage(i), ownMint(ADDRESS))),
    pair,
  )
  assert.deepEqual(
    (await honest).map(({ status }) => status),
    [200, 200, 200, 200, 200],
  )
})

test('a seller with a good token of its own gets its own RDT and its own data, never another’s', async (t) => {
  const pair = await startPair(t)
  const [victim, other] = [await usedToken(pair), pair.simulator.accessToken('other')]
  const mintedFor = async (token: string) => (await pair.call(MINT_PATH, token, ownMint(ADDRESS))).text()
  const rdtIn = (body: string) => /Atz\.sprdt\|[^"]+/.exec(body)?.[0]
  const [theirs, own] = [rdtIn(await mintedFor(victim)), rdtIn(await mintedFor(other))]
  assert.ok(theirs && own && theirs !== own)
  await (await pair.call(ADDRESS, other)).arrayBuffer()
  assert.equal(pair.calls().at(-1)?.seller, 'other')
})

test('nor a token that has ended since it was used here: Amazon refuses a mint by it, and all that was cached under it is gone', async (t) => {
  const pair = await startPair(t)
  const [token, other] = [await usedToken(pair), pair.simulator.accessToken('other')]
  pair.simulator.control({ revoke: 'access-tokens' })
  const honest = pair.simulator.accessToken('honest')
  await (await pair.call(ADDRESS, honest)).arrayBuffer()
  await assertNothing([pair.call(MINT_PATH, token, ownMint(`${ORDER}/never-asked-for`))], pair)
  for (const one of [token, other])
    await assertNothing(
      ways.map(([target, init]) => pair.call(target, one, init)),
      pair,
    )
  assert.equal(verdictOf(await pair.call(ADDRESS, honest)), 'hit', 'what others have stays')
  const dropped = /^rdt_token_evictions_total\{reason="rejected"\} (\d+)/m
  const metrics = await (await fetch(`${pair.admin}/metrics`)).text()
  assert.ok(Number(dropped.exec(metrics)?.[1]) > 1)
})

test('nor a token older than an hour: what it was granted before is not used any more, and Amazon is asked', async (t) => {
  let advanced = 0
  const pair = await startPair(t, { overrides: { now: () => performance.now() + 1 + advanced } })
  const token = pair.simulator.accessToken('victim')
  await (await pair.call(ADDRESS, token)).arrayBuffer()
  advanced = 3_000_000
  const late = await pair.call(MINT_PATH, token, ownMint(ORDER))
  assert.ok(((await late.json()) as { expiresIn: number }).expiresIn > 3500, 'it lives longer than the token')
  pair.simulator.control({ revoke: 'access-tokens' })
  advanced = 3_590_000
  assert.equal(verdictOf(await pair.call(MINT_PATH, token, ownMint(ORDER))), 'hit')
  advanced = 3_610_000
  await assertNothing([pair.call(MINT_PATH, token, ownMint(ORDER)), pair.call(ADDRESS, token)], pair)
})

test('what is left: a token that has ended, by which nothing was asked of Amazon since, for an hour at most', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken('victim')
  await (await pair.call(ADDRESS, token)).arrayBuffer()
  pair.simulator.control({ revoke: 'access-tokens' })
  // Amazon takes the RDT to its end
  assert.equal(verdictOf(await pair.call(ADDRESS, token)), 'hit')
  assert.equal(verdictOf(await pair.call(MINT_PATH, token, ownMint('/orders/v0/orders/{orderId}/address'))), 'hit')
})

test('without a caller token, or with one that may not mint, nothing of a managed seller’s is had', async (t) => {
  const limited = callerRow(folderFor(t), 'limited', { operations: ['orders-v0.getOrderAddress', 'other'] })
  const pair = await startManaged(t, { env: { SIDECAR_AUTH_CALLERS: JSON.stringify([limited.row]) } })
  const proof = { 'x-rdt-caller-token': CALLER_TOKEN }
  for (const [target, init] of ways)
    if (!new Headers(init.headers).has('x-rdt-caller-token'))
      await (
        await pair.call(target, undefined, {
          ...init,
          headers: { ...proof, ...Object.fromEntries(new Headers(init.headers)) },
        })
      ).arrayBuffer()
  await assertNothing(
    ways.map(([target, init]) => pair.call(target, undefined, init)),
    pair,
  )
  const mints = ways.filter(([target]) => target.startsWith('/tokens'))
  const asLimited = { 'x-rdt-caller-token': limited.token, 'content-type': 'application/json' }
  await assertNothing(
    mints.map(([target, init]) => pair.call(target, undefined, { ...init, headers: asLimited })),
    pair,
  )
})
