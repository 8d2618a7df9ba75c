/** What a call leaves behind: nothing that has to wait for a full collection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lwaToken, serving, simulating } from '../support/cli.ts'
import { many } from '../support/many.ts'

const CALLERS = 8
const CALLS = 500 // each

/** Megabytes that outlived a scavenge, summed: of `--trace-gc`'s lines `Scavenge BEFORE (…) -> AFTER (…) MB` those on which it grew. */
const survived = (trace: string): number => {
  const after = [...trace.matchAll(/Scavenge [\d.]+ \([\d.]+\) -> ([\d.]+) /g)].map(([, mb]) => Number(mb))
  assert.ok(after.length > 10, 'there was something to collect')
  return after.reduce((sum, mb, i) => sum + Math.max(0, mb - (after[i - 1] ?? mb)), 0)
}

test('a call that has ended is collected while it is young', async (t) => {
  const amazon = await simulating(t)
  const headers = { 'x-amz-access-token': await lwaToken(amazon) }
  const flags = ['--trace-gc', '--max-semi-space-size=4']
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: amazon, SIDECAR_LOG_AUDIT: 'false' }, [], flags)
  const calls = async (count: number) => {
    for (let i = 0; i < count; i += 1)
      await (await fetch(`${sidecar.base}/orders/v0/orders/902-1/address`, { headers })).arrayBuffer()
  }
  await many(CALLERS, () => calls(200)) // its code is compiled meanwhile
  const from = sidecar.out().length
  await many(CALLERS, () => calls(CALLS))
  const kilobytes = (survived(sidecar.out().slice(from)) * 1024) / (CALLERS * CALLS)
  assert.ok(kilobytes < 3, `${kilobytes} kB a call`)
})
