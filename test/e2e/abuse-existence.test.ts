/** What must not be told apart is answered byte for byte alike: whether a seller, a token, a cached RDT or an operation's use exists. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDRESS, garbage, ORDER, ownMint, told } from '../support/abuse.ts'
import { folderFor } from '../support/cli.ts'
import { CALLER_TOKEN, callerRow, startManaged } from '../support/managed.ts'
import { type Pair, startPair } from '../support/pair.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'

const asked: readonly (readonly [what: string, target: string, init?: RequestInit])[] = [
  ['a restricted call', ADDRESS],
  ['one with an RDT of its own', ORDER, { headers: { 'x-rdt-scope': 'specific' } }],
  ['a forced one', OPEN, { headers: { 'x-rdt-mode': 'force' } }],
  ['one without an RDT', ADDRESS, { headers: { 'x-rdt-mode': 'skip' } }],
  ['an open call', OPEN],
  ['a mint of its own', MINT_PATH, ownMint(ADDRESS)],
  ['a mint of its own that is not read', MINT_PATH, { method: 'POST', body: '{}' }],
]

/** The token of a seller who has used all of it, so that everything of it is cached. */
const usedToken = async (pair: Pair): Promise<string> => {
  const token = pair.simulator.accessToken('victim')
  for (const [, target, init] of asked) await (await pair.call(target, token, init)).arrayBuffer()
  return token
}

test('a token that is nearly one in use is answered as any garbage is, whatever is cached under the one in use', async (t) => {
  const pair = await startPair(t)
  const token = await usedToken(pair)
  const nearly = [
    `${token}x`,
    token.slice(0, -1),
    token.toUpperCase(),
    token.replace('Atza|', ''),
    `Atza|${token}`,
    `"${token}"`,
    'e', // short enough to be a part of the answer
    '"errors":',
  ]
  for (const [what, target, init] of asked) {
    const nothing = await told(await pair.call(target, garbage('of-nobody'), init))
    assert.match(nothing, /^\[403,/, what)
    for (const one of nearly) assert.equal(await told(await pair.call(target, one, init)), nothing, `${what}: ${one}`)
  }
})

test('a token that was revoked before it was used here is answered as garbage is, though its seller is served', async (t) => {
  const pair = await startPair(t)
  const revoked = pair.simulator.accessToken('victim')
  pair.simulator.control({ revoke: 'access-tokens' })
  await usedToken(pair)
  for (const [what, target, init] of asked)
    assert.equal(
      await told(await pair.call(target, revoked, init)),
      await told(await pair.call(target, garbage('of-nobody'), init)),
      what,
    )
})

test('an operation that others use is refused to garbage in the words in which it is where nobody does', async (t) => {
  const [used, unused] = [await startPair(t), await startPair(t)]
  await usedToken(used)
  for (const [what, target, init] of asked)
    assert.equal(
      await told(await used.call(target, garbage('of-nobody'), init)),
      await told(await unused.call(target, garbage('of-nobody'), init)),
      what,
    )
})

test('without a good caller token a seller that is there, one that is not and none at all are one and the same', async (t) => {
  const pair = await startManaged(t, { sellers: ['seller-a', 'seller-b'] })
  await (await pair.ask(ADDRESS, 'seller-a')).arrayBuffer()
  const before = pair.simulator.log().length
  for (const [what, target, init] of asked) {
    for (const proof of [{}, { 'x-rdt-caller-token': 'wrong' }, { 'x-rdt-caller-token': `${CALLER_TOKEN}x` }]) {
      const as = async (seller?: string) => {
        const headers = { ...init?.headers, ...proof, ...(seller && { 'x-rdt-seller': seller }) }
        return told(await pair.call(target, undefined, { ...init, headers }))
      }
      const [nobody, ...others] = [await as('nobody'), await as('seller-a'), await as('seller-b'), await as()]
      assert.match(nobody, /^\[403,.*untrusted-caller/, what)
      for (const one of others) assert.equal(one, nobody, what)
    }
  }
  assert.equal(pair.simulator.log().length, before, 'nothing of it reached Amazon, or Login with Amazon')
})

test('with a caller token for one seller, another that is there and one that is not are one and the same', async (t) => {
  const limited = callerRow(folderFor(t), 'limited', { sellers: ['seller-b'] })
  const pair = await startManaged(t, {
    sellers: ['seller-a', 'seller-b'],
    env: { SIDECAR_AUTH_CALLERS: JSON.stringify([limited.row]) },
  })
  await (await pair.ask(ADDRESS, 'seller-a')).arrayBuffer()
  const before = pair.simulator.log().length
  for (const [what, target, init] of asked) {
    const as = async (seller: string) => {
      const headers = { ...init?.headers, 'x-rdt-caller-token': limited.token, 'x-rdt-seller': seller }
      return told(await pair.call(target, undefined, { ...init, headers }))
    }
    const nobody = await as('nobody')
    assert.match(nobody, /^\[403,.*unknown-seller/, what)
    assert.doesNotMatch(nobody, /seller-[ab]/, what)
    assert.equal(await as('seller-a'), nobody, what)
  }
  assert.equal(pair.simulator.log().length, before)
})
