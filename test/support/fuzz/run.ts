/** Arbitrary connections, as many as asked for, each batch of them at once; what is wrong is shrunk to the bytes that show it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { cases } from './cases.ts'
import { startFuzzWorld } from './world.ts'

export type FuzzOptions = {
  /** The same seed makes the same bytes. */
  readonly seed: number
  /** Connections, about. */
  readonly connections: number
  /** SIDECAR_* of the process. */
  readonly env?: Readonly<Record<string, string>>
}

const MOST_AT_ONCE = 64
const MOST_MS = 90_000 // then what is found is told, if not in as few bytes as could be; or what was tried, if nothing was

export const fuzz = async (t: TestContext, { seed, connections, env }: FuzzOptions): Promise<void> => {
  const world = await startFuzzWorld(t, env)
  let count = 0
  const batches = fc.array(cases, { minLength: 1, maxLength: MOST_AT_ONCE, size: 'max' })
  const property = fc.asyncProperty(batches, async (batch) => {
    count += batch.length
    assert.deepEqual(await world.run(batch), [])
  })
  const numRuns = Math.ceil((2 * connections) / MOST_AT_ONCE)
  await fc.assert(property, { seed, numRuns, interruptAfterTimeLimit: MOST_MS })
  await world.settled()
  t.diagnostic(`seed ${seed}: ${count} connections, ${world.requests()} requests in them, ${world.mints()} mints`)
  t.diagnostic([...world.verdicts].map(([verdict, times]) => `${verdict} ${times}`).join(', '))
  if (count >= 2000)
    assert.deepEqual(
      EVERY_WAY.filter((verdict) => !world.verdicts.has(verdict)),
      [],
    )
}

/** What a fuzzer that reaches everything has seen. */
const EVERY_WAY = [
  'minted',
  'hit',
  'replayed',
  'not-restricted',
  'caller-rdt',
  'skipped;header',
  'unrestricted-report',
  'fallback;mint-refused',
  ...['unsafe-path', 'invalid-header', 'missing-token', 'mint-refused'].map((error) => `rejected;${error}`),
]

/** A number of the environment. */
export const numberFrom = (name: string, fallback: number): number => Number(process.env[name] ?? fallback)
