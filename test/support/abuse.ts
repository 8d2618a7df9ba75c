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

/** A permit that is gone is back in ten seconds, which is longer than anybody may wait: whoever lacks one is told 429. */
export const SCARCE = { SIDECAR_MINT_RATE_PER_SECOND: '0.1', SIDECAR_MINT_MAX_WAIT_MS: '3000' }

/**
 * Ten mints at once of a seller that has not minted yet, at a sidecar where permits are {@link SCARCE}: all that Amazon's plan lets it
 * have. That all of them are served shows that nobody has spent one.
 */
export const assertHonestBurst = async (pair: Pair, seller = 'honest'): Promise<void> => {
  const token = pair.simulator.accessToken(seller)
  const answers = await many(10, (i) => pair.call(MINT_PATH, token, ownMint(`/orders/v0/orders/honest-${i}/address`)))
  const own = pair.mints().filter((one) => one.seller === seller)
  const ALL = Array.from({ length: 10 }, () => 200)
  assert.deepEqual(
    answers.map(({ status }) => status),
    ALL,
  )
  assert.deepEqual(
    own.map(({ status }) => status),
    ALL,
  )
}
