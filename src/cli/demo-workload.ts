/** The demo's work: what a small order service of two sellers asks for in a minute, and all day. Knows SP-API, not RDTs. */
import { setTimeout as sleep } from 'node:timers/promises'

export type DemoCall = {
  readonly operation: string
  readonly status: number
  readonly verdict: string
}
export type Ask = (
  operation: string,
  method: string,
  target: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<unknown>

const ORDERS = '/orders/v0/orders'
/** No restricted operation. */
export const PARTICIPATIONS = '/sellers/v1/marketplaceParticipations'

/** Runs the calls of one seller in the order a real service would make them; `ask` sends one and resolves to its JSON body. */
export const workOf = async (ask: Ask, reportDocument: string): Promise<void> => {
  await ask('getMarketplaceParticipations', 'GET', PARTICIPATIONS)
  for (const order of await allOrders(ask)) {
    await Promise.all([
      ask('getOrderItems', 'GET', `${ORDERS}/${order}/orderItems`),
      ask('getOrderAddress', 'GET', `${ORDERS}/${order}/address`),
      ask('getOrderBuyerInfo', 'GET', `${ORDERS}/${order}/buyerInfo`),
    ])
  }
  await ask('getShipment (label)', 'GET', '/mfn/v0/shipments/7f9a2c51-44d2-4f0e-9a57-1d3c2b6a8e10')
  await ask('getReportDocument', 'GET', `/reports/2021-06-30/documents/${reportDocument}`)
}

/** Both pages: NextToken has the same path, so the same RDT. */
const allOrders = async (ask: Ask): Promise<readonly string[]> => {
  const ids: string[] = []
  for (let next: string | undefined, pages = 0; pages === 0 || (next && pages < 10); pages += 1) {
    const page = next ? `NextToken=${encodeURIComponent(next)}` : 'MarketplaceIds=ATVPDKIKX0DER&CreatedAfter=2026-01-01'
    const { payload } = (await ask('getOrders', 'GET', `${ORDERS}?${page}`)) as OrdersAnswer
    ids.push(...payload.Orders.map((order) => order.AmazonOrderId))
    next = payload.NextToken
  }
  return ids
}
type OrdersAnswer = { payload: { Orders: { AmazonOrderId: string }[]; NextToken?: string } }

/** Distinct orders, all at once: the first morning after a deployment. Resolves to the milliseconds until the last answer. */
export const burstOf = async (orders: number, call: (target: string) => Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await Promise.all(Array.from({ length: orders }, (_, i) => call(`${ORDERS}/902-0000000-${i}/address`)))
  return performance.now() - from
}

/** The same call again and again for `ms` milliseconds, every `everyMs`. */
export const steadily = async (
  ms: number,
  everyMs: number,
  call: (target: string) => Promise<unknown>,
): Promise<void> => {
  for (const from = performance.now(); performance.now() - from < ms; ) {
    await call(`${ORDERS}/902-1845936-5435001/address`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

const EVERY_MS = 500

/**
 * Calls of a quiet day, one at a time and two a second, until `ending`: mostly what there is an RDT for or what needs none, now and then
 * a new order with an RDT of its own, once a minute what is denied. `call` gets their number, from 0.
 */
export const quietDay = async (
  ending: AbortSignal,
  reportDocument: string,
  call: (n: number, target: string, headers: Readonly<Record<string, string>>) => Promise<unknown>,
): Promise<void> => {
  const habits = [...HABITS, `/reports/2021-06-30/documents/${reportDocument}`]
  for (let n = 0; !ending.aborted; n += 1) {
    if (n % 120 === 0) await call(n, DENIED.target, {})
    else if (n % 25 === 5) await call(n, `${ORDERS}/902-0000001-${n}/address`, { 'x-rdt-scope': 'specific' })
    else await call(n, habits[n % habits.length] ?? PARTICIPATIONS, {})
    await sleep(EVERY_MS, undefined, { signal: ending }).catch(() => {}) // ends early with `ending`
  }
}

/** Nothing else here uses it, no line to try by hand either. */
export const DENIED = {
  operation: 'shipment-invoicing-v0.getShipmentDetails',
  target: '/fba/outbound/brazil/v0/shipments/FBA15DJ8K2ZX',
}

/** With the report's document an odd number: each of two sellers who take turns comes to all of them. */
const HABITS = [
  `${ORDERS}/902-1845936-5435001/orderItems`,
  '/mfn/v0/shipments/7f9a2c51-44d2-4f0e-9a57-1d3c2b6a8e10',
  '/orders/2026-01-01/orders/902-1845936-5435001',
  '/shipping/v1/shipments/89108749-065f-4d0e-8e3a-0c2b7a1f5d64',
  `${ORDERS}/902-1845936-5435001/address`,
  '/catalog/2022-04-01/items?marketplaceIds=ATVPDKIKX0DER&keywords=lamp',
  '/mfn/v0/shipments/7f9a2c51-44d2-4f0e-9a57-1d3c2b6a8e10',
  `${ORDERS}/902-1845936-5435001/buyerInfo`,
  '/shipping/v1/shipments/89108749-065f-4d0e-8e3a-0c2b7a1f5d64',
  PARTICIPATIONS,
] as const

/** Median milliseconds of `times` calls, one after the other. */
export const medianOf = async (times: number, call: () => Promise<unknown>): Promise<number> => {
  const took: number[] = []
  for (let i = 0; i < times; i += 1) {
    const from = performance.now()
    await call()
    took.push(performance.now() - from)
  }
  return took.sort((a, b) => a - b)[Math.floor(times / 2)] ?? 0
}
