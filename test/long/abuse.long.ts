/**
 * A flood of garbage tokens through every door, and the honest caller beside it: what it feels, what it costs, what is left behind.
 * ABUSE_TOKENS: how many.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogEntry } from '../../src/simulator/types.ts'
import { ADDRESS, garbage, ORDER, ownMint } from '../support/abuse.ts'
import { lwaToken, serving, simulating } from '../support/cli.ts'
import { after, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const TOKENS = Number(process.env['ABUSE_TOKENS'] ?? 1000)
const AT_ONCE = 50

const percentile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(share * (times.length - 1))] ?? 0

test(`${TOKENS} garbage tokens: the honest caller is served, mints no more, and nothing stays behind`, async (t) => {
  const amazon = await simulating(t)
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: amazon }, [], ['--max-old-space-size=96'])
  const token = await lwaToken(amazon, 'honest')
  const call = (target: string, by: string, init: RequestInit = {}) =>
    fetch(sidecar.base + target, { ...init, headers: { ...init.headers, 'x-amz-access-token': by } })

  /** Calls of the honest caller, one after the other, until `over`: how long each took. */
  const honest = async (over: () => boolean): Promise<readonly number[]> => {
    const took: number[] = []
    while (!over()) {
      const from = performance.now()
      const answer = await call(ADDRESS, token)
      await answer.arrayBuffer()
      took.push(performance.now() - from)
      assert.equal(answer.status, 200)
      await after(5)
    }
    return took
  }
  const quietUntil = performance.now() + 3000
  const quiet = await honest(() => performance.now() > quietUntil)

  const doors: readonly ((one: string, i: number) => Promise<Response>)[] = [
    (one) => call(ADDRESS, one),
    (one, i) => call(MINT_PATH, one, ownMint(`/orders/v0/orders/${i}/address`)),
    (one, i) => call(`${ORDER}-${i}`, one, { headers: { 'x-rdt-scope': 'specific' } }),
    (one, i) =>
      call(`/reports/2021-06-30/documents/${i}`, one, { headers: { 'x-rdt-report-type': 'SC_VAT_TAX_REPORT' } }),
    (one) => call(MINT_PATH, one, { method: 'POST', body: '{}' }),
  ]
  let next = 0
  let flooding = true
  const abuser = async (): Promise<void> => {
    for (let i = next++; i < TOKENS; i = next++)
      for (const door of doors) {
        const answer = await door(garbage(i), i)
        await answer.arrayBuffer()
        assert.equal(answer.status, 403)
      }
  }
  const from = performance.now()
  const flood = Promise.all(Array.from({ length: AT_ONCE }, abuser)).finally(() => {
    flooding = false
  })
  const [during] = await Promise.all([honest(() => !flooding), flood])
  const rate = (TOKENS * doors.length * 1000) / (performance.now() - from)

  const log = (await (await fetch(`${amazon}/_simulator/log`)).json()) as readonly LogEntry[]
  const mints = log.filter(({ kind }) => kind === 'mint')
  assert.equal(mints.filter(({ seller }) => seller === 'honest').length, 1)
  const refused = mints.filter(({ token: kind }) => kind === 'unknown').length
  assert.ok(refused <= 2 * TOKENS, `${refused}: one to be remembered and one that is not read, for each`)
  const plans = async () =>
    ((await (await fetch(`${sidecar.admin}/status`)).json()) as { usagePlans: number }).usagePlans
  await until(async () => (await plans()) <= 1, 30_000)
  t.diagnostic(`${Math.round(rate)} garbage calls a second, ${refused} mints refused for ${TOKENS} tokens`)
  for (const [when, times] of Object.entries({ quiet, during }))
    t.diagnostic(
      `honest, ${when}: ${times.length} calls, p50 ${percentile(times, 0.5).toFixed(1)}, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
    )
  const heap = await metric(sidecar, 'nodejs_heap_size_used_bytes')
  t.diagnostic(`heap in use: ${Math.round(heap / 1e6)} MB of 96`)
  assert.ok(percentile(during, 0.99) < 2000, 'nobody is held up for long')
})
