/** Abusers and the honest beside them: what tests of abuse ask, and what an answer tells whoever compares it with another. */
import assert from 'node:assert/strict'
import { many } from './many.ts'
import type { Pair } from './pair.ts'
import { MINT_PATH } from './simulator-client.ts'

export const ORDER = '/orders/v0/orders/902-1845936-5435001'
export const ADDRESS = `${ORDER}/address`

/** A token of nobody's; each another one. */
export const garbage = (i: number | string): string => `Atza|garbage-${i}`

/** A call's own mint of these paths. */
export const ownMint = (...paths: readonly string[]): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ restrictedResources: paths.map((path) => ({ method: 'GET', path })) }),
})

/** Status, headers and body of an answer, less what differs from one answer to the next: the time and Amazon's request id. */
export const told = async (answer: Response): Promise<string> => {
  const headers = [...answer.headers].filter(([name]) => !['date', 'x-amzn-requestid'].includes(name))
  return JSON.stringify([answer.status, headers, await answer.text()])
}

/**
 * Ten mints of a seller that has not minted yet, asked for at once: all that Amazon's plan lets it have at once. None of them fails, waits
 * for a permit or meets a 429: nobody has spent any of them.
 */
export const assertHonestBurst = async (pair: Pair, seller = 'honest'): Promise<void> => {
  const token = pair.simulator.accessToken(seller)
  const mint = (i: number) => pair.call(MINT_PATH, token, ownMint(`/orders/v0/orders/honest-${i}/address`))
  const before = await atOnce(pair)
  const answers = await many(10, mint)
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array.from({ length: 10 }, () => 200),
  )
  const own = pair.mints().filter((one) => one.seller === seller)
  assert.deepEqual(
    own.map(({ status }) => status),
    Array.from({ length: 10 }, () => 200),
  )
  assert.equal((await atOnce(pair)) - before, 10, 'all ten had their turn within half a second')
}

/** Mints that had their turn within half a second: by the plan, the next permit is a second away. */
const atOnce = async ({ admin }: Pair): Promise<number> => {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return Number(/rdt_mint_queue_wait_seconds_bucket\{le="0.5"\} (\d+)/.exec(text)?.[1])
}
