/** The demo's work: what a small order service of two sellers asks for in a minute. Knows SP-API, not RDTs. */

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
