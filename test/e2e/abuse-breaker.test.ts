/** Whoever has Amazon fail at its mints, by what it asks for, holds up itself alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDRESS, assertHonestBurst, garbage, SCARCE } from '../support/abuse.ts'
import { many } from '../support/many.ts'
import { startPair, verdictOf } from '../support/pair.ts'

const UNAVAILABLE = [503, 'rejected;mint-unavailable']

test('a caller with garbage tokens at whose mints Amazon fails holds up no seller', async (t) => {
  const pair = await startPair(t, { env: SCARCE })
  pair.simulator.control({ fail: [{ on: 'mint', times: 30, as: 500 }] })
  const answers = await many(10, (i) => pair.call(ADDRESS, garbage(i)))
  for (const answer of answers) assert.deepEqual([answer.status, verdictOf(answer)], UNAVAILABLE)
  assert.equal(pair.mints().length, 30, 'three attempts for each')
  await assertHonestBurst(pair)
})

test('nor does a seller with a good token, which is held up itself', async (t) => {
  const pair = await startPair(t, { env: SCARCE })
  const strange = pair.simulator.accessToken('strange')
  const ask = async (i: number) => {
    const answer = await pair.call(`${ADDRESS}/${i}`, strange, { headers: { 'x-rdt-mode': 'force' } })
    return [answer.status, verdictOf(answer)]
  }
  assert.equal((await ask(0))[1], 'minted')
  pair.simulator.control({ fail: [{ on: 'mint', times: 5, as: 'reset' }] })
  assert.deepEqual([await ask(1), await ask(2)], [UNAVAILABLE, UNAVAILABLE])
  assert.equal(pair.mints().length, 6)
  assert.deepEqual(await ask(3), UNAVAILABLE)
  assert.equal(pair.mints().length, 6, 'nothing more is asked for it')
  await assertHonestBurst(pair)
})
