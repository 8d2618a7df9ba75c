/** The configuration is rewritten and read again every few milliseconds, good ones and bad ones, while callers call: none of them feels it. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import type { LogEntry } from '../../src/simulator/types.ts'
import { portOf } from '../support/asked.ts'
import { folderFor, lwaToken, serving, simulating } from '../support/cli.ts'
import { CALLER_TOKEN, sellerFiles } from '../support/managed.ts'
import { after, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { resourcesOf } from '../support/pair.ts'
import { arrivals, startCallers } from '../support/service.ts'

const ROUNDS = 60
const ORDERS = 20
const SECRETS = ['secret-1', 'secret-2'] // Login with Amazon takes both

/**
 * Two that are told apart by what comes of one call that names no seller: whose order it is (`sellers`), which personal data it shows
 * (`operations`), and what the RDT was minted for (`rdt.scope`).
 */
const configurations = (folder: string) => {
  const files = sellerFiles(folder)
  const one = (mine: string, scope: string, dataElements: string) => ({
    rdt: { scope },
    operations: { 'orders-v0.getOrder': { dataElements: [dataElements] } },
    log: { level: 'warn' },
    sellers: ['seller-a', 'seller-b'].map((id) => files.row(id, { default: id === mine })),
    auth: { callerTokenFile: path.join(folder, 'caller-token') },
  })
  return {
    good: [one('seller-a', 'generic', 'buyerInfo'), one('seller-b', 'specific', 'shippingAddress')] as const,
  }
}
type Configuration = ReturnType<typeof configurations>['good'][number]

/** Each is refused, with all that is good in it. */
const SPOILT: readonly ((good: Configuration) => string)[] = [
  (good) => JSON.stringify({ ...good, rdt: { ...good.rdt, onMintFailure: 'sometimes' } }),
  (good) => JSON.stringify({ ...good, mint: { burst: 7 } }), // needs a restart
  (good) => JSON.stringify({ ...good, auth: { callerTokenFile: '/nowhere' } }),
  (good) => JSON.stringify({ ...good, sellers: [{ id: 'seller-a' }] }),
  (good) => JSON.stringify(good).slice(0, -20),
]

const setUp = async (t: TestContext) => {
  const amazon = await simulating(t)
  const token = await lwaToken(amazon, 'seller-c')
  const control = { clientSecrets: SECRETS, latencyMs: { call: 5, mint: 20 } }
  await fetch(`${amazon}/_simulator/control`, { method: 'POST', body: JSON.stringify(control) })
  const folder = folderFor(t)
  const { good } = configurations(folder)
  const write = (name: string, text: string): void => {
    writeFileSync(path.join(folder, 'next'), text, { mode: 0o600 })
    renameSync(path.join(folder, 'next'), path.join(folder, name)) // whole, or not at all
  }
  const secrets = (i: number): void => {
    for (const id of ['seller-a', 'seller-b']) write(`${id}.client-secret`, `${SECRETS[i % 2]}\n`)
    write('caller-token', [CALLER_TOKEN, 'another'][i % 2 ? 'slice' : 'reverse']().join('\n'))
  }
  secrets(0)
  write('sidecar.yaml', JSON.stringify({ ...good[0], log: {} }))
  const env = {
    SIDECAR_ENDPOINT: amazon,
    SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`,
  }
  const sidecar = await serving(t, env, ['--config', path.join(folder, 'sidecar.yaml')])
  return { amazon, token, sidecar, good, write, secrets }
}

const CREATE = { method: 'POST', target: '/mfn/v0/shipments', body: '{}' }
const callsOf = (token: string) => {
  const managed = { 'x-rdt-caller-token': CALLER_TOKEN }
  const own = { 'x-amz-access-token': token }
  return (n: number) => {
    const target = `/orders/v0/orders/${n % ORDERS}`
    const kinds = [
      { target, headers: managed },
      { target, headers: own },
      { target, headers: managed },
      { ...CREATE, headers: { ...managed, 'x-rdt-seller': 'seller-a' } },
      { target: '/sellers/v1/marketplaceParticipations', headers: own },
    ]
    return kinds[n % kinds.length] ?? { target, headers: own }
  }
}

/** An order shows what the configuration of that moment has its seller show, and nothing else. */
const mixed = (body: string): string | undefined => {
  const { payload } = JSON.parse(body)
  const seller = /^seller-[abc]/.exec(payload?.SellerOrderId)?.[0]
  if (seller === undefined || payload.ShipmentId) return undefined
  const shown = ['BuyerInfo', 'ShippingAddress'].filter((key) => payload[key]).join()
  const right = { 'seller-a': ['BuyerInfo'], 'seller-b': ['ShippingAddress'] }[seller]
  return (right ?? ['BuyerInfo', 'ShippingAddress']).includes(shown) ? undefined : `${seller} with ${shown}`
}

test('the configuration is read again every 50 ms under load: no call fails, and each is decided by one configuration', async (t) => {
  const { amazon, token, sidecar, good, write, secrets } = await setUp(t)
  let over = false
  const callers = startCallers(t, {
    instances: () => [{ port: portOf(sidecar.base) }],
    callers: 16,
    closing: (caller) => caller % 4 === 0,
    callOf: callsOf(token),
    wrong: (_, body) => mixed(body),
    enough: () => over,
  })
  await until(() => callers.calls() > 100)
  const readAgain = (outcome: string): number => sidecar.out().split(`"outcome":"${outcome}"`).length - 1
  for (let round = 0; round < ROUNDS; round += 1) {
    const next = good[round % 2 === 0 ? 1 : 0]
    assert.ok(next)
    for (const text of [SPOILT[round % SPOILT.length]?.(next), JSON.stringify(next)]) {
      secrets(round)
      write('sidecar.yaml', text ?? '')
      const before = readAgain('in force') + readAgain('refused')
      sidecar.child.kill('SIGHUP')
      await Promise.all([after(25), until(() => readAgain('in force') + readAgain('refused') > before)])
    }
  }
  over = true
  await callers.finished
  const counts = { calls: callers.calls(), inForce: readAgain('in force'), refused: readAgain('refused') }
  t.diagnostic(JSON.stringify({ ...counts, failed: callers.lost.length }))
  assert.deepEqual(callers.lost.slice(0, 5), [])
  assert.ok(counts.inForce >= ROUNDS && counts.refused >= ROUNDS * 0.9, JSON.stringify(counts))
  assert.equal(sidecar.err(), '')
  assert.equal(await metric(sidecar, 'rdt_http_client_aborts_total'), 0)

  const log = (await (await fetch(`${amazon}/_simulator/log`)).json()) as readonly LogEntry[]
  const arrived = arrivals(log)
  assert.ok(Array.from({ length: callers.calls() }, (_, n) => arrived.get(n)).every((times) => times === 1))
  const minted = log
    .filter(({ kind }) => kind === 'mint')
    .flatMap((mint) =>
      resourcesOf([mint])
        .flat()
        .map((resource) => `${mint.seller} ${resource}`),
    )
  assert.equal(new Set(minted).size, minted.length, 'what is known is not asked for again')
  const fitting =
    /^seller-[ac] GET \/orders\/v0\/orders\/\{orderId\} \[buyerInfo\]$|^seller-[bc] GET \/orders\/v0\/orders\/\d+ \[shippingAddress\]$/
  assert.deepEqual(
    minted.filter((one) => !fitting.test(one)),
    ['seller-a POST /mfn/v0/shipments'],
  )
})
