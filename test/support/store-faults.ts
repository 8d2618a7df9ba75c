/** A fault of the store, tried under load: what callers get of it, within which time, and how long after its end the store is used again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import type { Fleet } from './fleet.ts'
import { after, many, until } from './many.ts'
import { resourcesOf } from './pair.ts'

export type StoreFault = {
  readonly what: string
  readonly begin: () => unknown
  readonly end: () => unknown
  /** It is over at once, or leaves the store in use. */
  readonly mayPassUnnoticed?: true
}

/** `store.timeoutMs` of a fleet that is tried; a call asks the store twice, and gets its RDT by a mint. */
export const TIMEOUT_MS = 250
/** A multiple, for machines that are busy. Longer than any wait that has no bound of ours. */
const LONGEST_CALL_MS = 4000
const LONGEST_RECOVERY_MS = 30_000
const CALLERS = 4

/** For the sidecars: a plan that holds nobody up. */
export const AMPLE = {
  SIDECAR_STORE_TIMEOUT_MS: `${TIMEOUT_MS}`,
  SIDECAR_MINT_RATE_PER_SECOND: '500',
  SIDECAR_MINT_BURST: '500',
}
export const ampleAmazon = (fleet: Fleet): Promise<void> => fleet.control({ mintRatePerSecond: 500, mintBurst: 500 })

const LABELS = '/vendor/directFulfillment/shipping/2021-12-28/shippingLabels'
let orders = 0
/** Each for an RDT that nobody has asked for yet; every other one is a POST. */
const nextCall = (): { readonly method: string; readonly target: string } => {
  orders += 1
  if (orders % 2) return { method: 'GET', target: `/orders/v0/orders/902-${orders}/address` }
  return { method: 'POST', target: `${LABELS}/PO-${orders}` }
}

const startLoad = (fleet: Fleet) => {
  let going = true
  const calls: {
    readonly method: string
    readonly target: string
    readonly answer: string
    readonly tookMs: number
  }[] = []
  const callers = many(CALLERS, async () => {
    for (; going; await after(50)) {
      const { method, target } = nextCall()
      const from = performance.now()
      const body = method === 'POST' ? { body: '{}' } : {}
      const headers = { 'x-rdt-scope': 'specific', 'content-type': 'application/json' }
      const answer = await fleet.ask(0, target, { method, headers, ...body }).catch(String)
      calls.push({ method, target, answer, tookMs: performance.now() - from })
    }
  })
  return {
    calls,
    goesOn: async (): Promise<void> => {
      const before = calls.length
      await until(() => calls.length >= before + 3 * CALLERS)
    },
    stop: async (): Promise<void> => {
      going = false
      await callers
    },
  }
}

/** Replica 0 of the fleet is what is tried. Resolves to what is to be written of it. */
const tryFault = async (fleet: Fleet, fault: StoreFault): Promise<string> => {
  const unreachable = () => fleet.metric(0, 'rdt_store_unreachable')
  const used = () => fleet.metric(0, 'rdt_store_operations_total{operation="claim",outcome="won"}')
  const before = (await fleet.log()).length
  const load = startLoad(fleet)
  try {
    await load.goesOn()
    await fault.begin()
    const noticed = () => fault.mayPassUnnoticed || until(async () => (await unreachable()) === 1)
    await noticed()
    await load.goesOn()
    await noticed() // it lasts
    assert.equal(await fleet.ready(0), 200)
    await fault.end()
    const endedAt = performance.now()
    await until(async () => (await unreachable()) === 0, LONGEST_RECOVERY_MS)
    const recoveredMs = performance.now() - endedAt
    const wonBefore = await used()
    await until(async () => (await used()) > wonBefore, LONGEST_RECOVERY_MS)
    await load.stop()

    const failed = load.calls.filter(({ answer }) => answer !== '200 minted')
    assert.deepEqual(failed.slice(0, 5), [], 'each got its RDT')
    const longestMs = Math.max(...load.calls.map(({ tookMs }) => tookMs))
    assert.ok(longestMs < LONGEST_CALL_MS, `a call took ${longestMs} ms`)
    const since = (await fleet.log()).slice(before)
    const arrived = since.filter(({ kind }) => kind === 'call').map(({ method, target }) => `${method} ${target}`)
    assert.deepEqual(
      arrived.sort(),
      load.calls.map(({ method, target }) => `${method} ${target}`).sort(),
      'each came once',
    )
    const minted = resourcesOf(since.filter(({ kind }) => kind === 'mint')).flat()
    assert.equal(minted.length, load.calls.length)
    assert.equal(new Set(minted).size, minted.length, 'each RDT was asked for once')
    const posts = load.calls.filter(({ method }) => method === 'POST')
    const [longest, recovered] = [longestMs, recoveredMs].map((ms) => `${(ms / 1000).toFixed(2)} s`)
    return `| ${load.calls.length}, ${posts.length} | ${longest} | ${recovered} | 0 |`
  } finally {
    await load.stop()
  }
}

const PAGE = readFileSync(path.join(import.meta.dirname, '../../docs/reliability.md'), 'utf8')

/** One after the other, at one fleet; prints each one's row of docs/reliability.md. */
export const tryFaults = async (t: TestContext, fleet: Fleet, faults: readonly StoreFault[]): Promise<void> => {
  await ampleAmazon(fleet)
  for (const fault of faults)
    await t.test(fault.what, async (each) => {
      each.diagnostic(`| ${fault.what} ${await tryFault(fleet, fault)}`)
      assert.ok(PAGE.includes(`\n| ${fault.what} |`), 'the page has a row for it')
    })
}
