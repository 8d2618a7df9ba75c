/**
 * What must not be told apart takes the same time, as far as a caller over HTTP can see: medians of calls that alternate. Coarse: it finds a
 * look-up that asks somebody, or a comparison that ends early by milliseconds; digests are compared in constant time (unit/callers.test.ts).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDRESS, garbage, ownMint } from '../support/abuse.ts'
import { folderFor } from '../support/cli.ts'
import { callerRow, startManaged } from '../support/managed.ts'
import { startPair } from '../support/pair.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const ROUNDS = 150
type Ask = () => Promise<Response>

/** Median milliseconds of each, asked in turn. */
const medians = async (...asks: readonly Ask[]): Promise<readonly number[]> => {
  const took = asks.map(() => [] as number[])
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [i, ask] of asks.entries()) {
      const from = performance.now()
      await (await ask()).arrayBuffer()
      took[i]?.push(performance.now() - from)
    }
  return took.map((times) => times.toSorted((a, b) => a - b)[ROUNDS / 2] ?? 0)
}

/** What tells them apart does so every time; other work of the machine does not. */
const assertAlike = async (t: { diagnostic: (text: string) => void }, ...asks: readonly Ask[]): Promise<void> => {
  const seen: string[] = []
  while (seen.length < TRIES) {
    const times = await medians(...asks)
    seen.push(times.map((ms) => ms.toFixed(3)).join(', '))
    t.diagnostic(`medians in ms: ${seen.at(-1)}`)
    if (Math.max(...times) < 1.5 * Math.min(...times) + 1) return
  }
  assert.fail(`never alike: ${seen.join(' | ')}`)
}
const TRIES = 4

test('a token that is nearly one in use is refused in the time of any garbage, cached RDTs or not', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken('victim')
  await (await pair.call(ADDRESS, token)).arrayBuffer()
  await (await pair.call(MINT_PATH, token, ownMint(ADDRESS))).arrayBuffer()
  const length = token.length - 'Atza|garbage-'.length
  const tokens = [`${token.slice(0, -1)}x`, garbage('x'.repeat(length)), garbage('y'.repeat(length))]
  await assertAlike(t, ...tokens.map((one) => () => pair.call(ADDRESS, one)))
  await assertAlike(t, ...tokens.map((one) => () => pair.call(MINT_PATH, one, ownMint(ADDRESS))))
})

test('a seller that is there is refused in the time of one that is not: to who proves nothing, and to who may not call for it', async (t) => {
  const limited = callerRow(folderFor(t), 'limited', { sellers: ['seller-b'] })
  const env = { SIDECAR_AUTH_CALLERS: JSON.stringify([limited.row]) }
  const pair = await startManaged(t, { sellers: ['seller-a', 'seller-b'], env })
  await (await pair.ask(ADDRESS, 'seller-a')).arrayBuffer()
  for (const proof of ['wrong', limited.token]) {
    const as = (seller: string) => () =>
      pair.call(ADDRESS, undefined, { headers: { 'x-rdt-caller-token': proof, 'x-rdt-seller': seller } })
    await assertAlike(t, as('seller-a'), as('seller-x'))
  }
})
