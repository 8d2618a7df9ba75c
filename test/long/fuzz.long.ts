/** The fuzzer for FUZZ_SECONDS, every round with another seed (from FUZZ_SEED on) and another configuration. */
import { test } from 'node:test'
import { fuzz, numberFrom } from '../support/fuzz/run.ts'

const CONFIGURATIONS: readonly Readonly<Record<string, string>>[] = [
  {},
  { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_MINT_MAX_RESOURCES: '1' },
  { SIDECAR_CACHE_MAX_ENTRIES: '10', SIDECAR_UPSTREAM_MAX_CONNECTIONS: '2' },
  { SIDECAR_MINT_SERVE_TOKENS_API: 'false', SIDECAR_RDT_ON_REFUSED_ELEMENTS: 'drop' },
]

const seconds = numberFrom('FUZZ_SECONDS', 60)
const firstSeed = numberFrom('FUZZ_SEED', 1000)

test(`for ${seconds} seconds, whatever comes on a connection`, { timeout: (seconds + 300) * 1000 }, async (t) => {
  const until = performance.now() + seconds * 1000
  for (let seed = firstSeed; performance.now() < until; seed += 1) {
    const env = CONFIGURATIONS[seed % CONFIGURATIONS.length] ?? {}
    await t.test(`seed ${seed}, ${JSON.stringify(env)}`, (t) => fuzz(t, { seed, connections: 3000, env }))
  }
})
