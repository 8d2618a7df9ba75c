/** The headers that steer one call, contract §3: each value against the simulator. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentId } from '../../src/simulator/reports.ts'
import { resourcesOf, startPair, verdictOf } from '../support/pair.ts'

const ORDER = '/orders/v0/orders/902-1'
const OPEN = '/sellers/v1/marketplaceParticipations'
const DOCUMENT = `/reports/2021-06-30/documents/${documentId(1)}`

type Case = {
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly verdict: string
  readonly status?: number
  readonly resource?: string
}
const CASES: readonly Case[] = [
  {
    headers: { 'x-rdt-mode': 'auto' },
    env: { SIDECAR_OPERATIONS: '{orders-v0.getOrder: {mode: skip}}' },
    verdict: 'minted',
  },
  { headers: {}, env: { SIDECAR_OPERATIONS: '{orders-v0.getOrder: {mode: skip}}' }, verdict: 'skipped;operation' },
  { headers: { 'x-rdt-mode': 'skip' }, verdict: 'skipped;header' },
  { headers: { 'x-rdt-mode': 'skip' }, path: OPEN, verdict: 'not-restricted' },
  {
    headers: { 'x-rdt-mode': 'force' },
    verdict: 'minted',
    resource: `GET ${ORDER} [buyerInfo,shippingAddress]`,
  },
  { headers: { 'x-rdt-mode': 'force' }, path: OPEN, verdict: 'minted', status: 403, resource: `GET ${OPEN}` },
  { headers: { 'x-rdt-scope': 'specific' }, verdict: 'minted', resource: `GET ${ORDER} [buyerInfo,shippingAddress]` },
  {
    headers: { 'x-rdt-scope': 'generic' },
    env: { SIDECAR_RDT_SCOPE: 'specific' },
    verdict: 'minted',
    resource: 'GET /orders/v0/orders/{orderId} [buyerInfo,shippingAddress]',
  },
  {
    headers: { 'x-rdt-data-elements': 'shippingAddress, buyerTaxInformation' },
    verdict: 'minted',
    resource: 'GET /orders/v0/orders/{orderId} [shippingAddress,buyerTaxInformation]',
  },
  { headers: { 'x-rdt-data-elements': 'none' }, verdict: 'minted', resource: 'GET /orders/v0/orders/{orderId} []' },
  {
    headers: { 'x-rdt-report-type': 'GET_ORDER_REPORT_DATA_TAX' },
    path: DOCUMENT,
    verdict: 'minted',
    resource: `GET ${DOCUMENT}`,
  },
  { headers: { 'x-rdt-report-type': 'GET_ORDER_REPORT_DATA_TAX' }, verdict: 'minted' },
]

for (const { path = ORDER, headers, env = {}, verdict, status = 200, resource } of CASES) {
  test(`${JSON.stringify(headers)} on ${path}: ${verdict}`, async (t) => {
    const pair = await startPair(t, { env })
    const answer = await pair.call(path, pair.simulator.accessToken(), { headers })
    assert.deepEqual([answer.status, verdictOf(answer)], [status, verdict])
    if (resource) assert.deepEqual(resourcesOf(pair.mints()), [[resource]])
    if (verdict !== 'minted') assert.deepEqual(pair.mints(), [])
    const [call] = pair.calls()
    assert.deepEqual(
      Object.keys(call?.headers ?? {}).filter((name) => name.includes('rdt')),
      [],
    )
  })
}

test('x-rdt-target-application is minted for, and is part of the key', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const call = (target?: string) =>
    pair.call(ORDER, token, target ? { headers: { 'x-rdt-target-application': target } } : {})
  const verdicts: unknown[] = []
  for (const target of ['amzn1.one', 'amzn1.two', undefined, 'amzn1.one']) verdicts.push(verdictOf(await call(target)))
  assert.deepEqual(verdicts, ['minted', 'minted', 'minted', 'hit'])
  assert.deepEqual(
    pair.mints().map(({ mint }) => (mint as { targetApplication?: string }).targetApplication),
    ['amzn1.one', 'amzn1.two', undefined],
  )
})

for (const [name, value] of [
  ['x-rdt-mode', 'always'],
  ['x-rdt-scope', 'both'],
  ['x-rdt-data-elements', 'buyerInfo,everything'],
  ['x-rdt-report-type', 'orders'],
  ['x-rdt-target-application', 'me'],
] as const) {
  test(`an invalid ${name} is a 400, and nothing is sent`, async (t) => {
    const pair = await startPair(t)
    const answer = await pair.call(ORDER, pair.simulator.accessToken(), { headers: { [name]: value } })
    assert.deepEqual([answer.status, answer.headers.get('x-rdt-error')], [400, 'invalid-header'])
    assert.deepEqual(pair.simulator.log(), [])
  })
}
