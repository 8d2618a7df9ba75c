/** One of everything that a sidecar counts, through a sidecar that runs as a process, and what came of it. */
import { documentId } from '../../src/simulator/reports.ts'
import type { Simulator } from '../../src/simulator/types.ts'
import { many, until } from '../support/many.ts'

/** The sidecar's configuration that the traffic is made for. */
export const OPERATOR_FILE = `
operations:
  orders-v0.getOrderBuyerInfo: { scope: specific }
  mfn-v0.getShipment: { onMintFailure: forward }
mint: { ratePerSecond: 50, burst: 50 }
`

/** Managed sellers, one a round: each round asks Login with Amazon. */
export const SELLERS = ['shop-1', 'shop-2']
export const CALLER_TOKEN = 'caller-token-of-the-traffic'

const MINT = '/tokens/2021-03-01/restrictedDataToken'
const OPEN = '/sellers/v1/marketplaceParticipations'
const DENIED = ['mfn-v0.getShipment', 'shipping-v1.getShipment']

export const createTraffic = (simulator: Simulator, base: string) => {
  const token = simulator.accessToken()
  const verdicts = new Map<string, number>()
  let lookups = 0
  let ordersV0 = 0
  simulator.control({ denyOperations: DENIED, mintRatePerSecond: 100, mintBurst: 100 })

  const count = (verdict: string): void => {
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  }
  const call = async (target: string, init: RequestInit & { token?: string | null } = {}): Promise<Response> => {
    const { token: own = token, headers, ...rest } = init
    const answer = await fetch(base + target, {
      ...rest,
      headers: { ...(own && { 'x-amz-access-token': own }), ...headers },
    })
    const [verdict = '', reason = ''] = (answer.headers.get('x-rdt-verdict') ?? '').split(';')
    count(verdict)
    lookups += lookupsOf(verdict, reason)
    if (target.startsWith('/orders/v0/') && reason !== 'unsafe-path') ordersV0 += 1
    return answer
  }
  const get = async (target: string, init?: Parameters<typeof call>[1]): Promise<void> => {
    await (await call(target, init)).arrayBuffer()
  }
  const mint = async (dataElements: string[]): Promise<string> => {
    const restrictedResources = [{ method: 'GET', path: '/orders/v0/orders/{orderId}', dataElements }]
    const answer = await call(MINT, {
      method: 'POST',
      body: JSON.stringify({ restrictedResources }),
      headers: { 'content-type': 'application/json' },
    })
    return ((await answer.json()) as { restrictedDataToken: string }).restrictedDataToken
  }

  /** A caller who goes away while Amazon thinks. */
  const leave = async (): Promise<void> => {
    simulator.control({ fail: [{ on: 'call', times: 1, as: 'hang' }] })
    const abort = new AbortController()
    const before = simulator.log().length
    const left = fetch(base + OPEN, { headers: { 'x-amz-access-token': token }, signal: abort.signal }).catch(() => {})
    await until(() => simulator.log().length > before)
    abort.abort()
    await left
    count('not-restricted')
  }

  return {
    verdicts,
    lookups: (): number => lookups,
    ordersV0: (): number => ordersV0,
    mints: (): number => simulator.log().filter(({ kind }) => kind === 'mint').length,
    /** `round` keeps what is asked for only once in it apart from other rounds'. */
    run: async (round: number): Promise<void> => {
      await many(20, (i) => get(`/orders/v0/orders/${i}/address`))
      await many(10, (i) => get(`/orders/v0/orders/${i}`))
      await many(10, (i) => get(`/orders/v0/orders/${round}-${i}/buyerInfo`))
      await many(5, () => get(OPEN))
      const rdt = await mint(['buyerInfo'])
      await mint(['buyerInfo'])
      await get('/orders/v0/orders/1', { token: rdt })
      await get('/orders/v0/orders/1', { headers: { 'x-rdt-mode': 'skip' } })
      for (const target of ['/mfn/v0/shipments/1', '/shipping/v1/shipments/1', '/shipping/v1/shipments/2'])
        await get(target)
      for (const n of [2 * round, 2 * round + 1]) await get(`/reports/2021-06-30/documents/${documentId(n)}`)
      await get('/orders/v0/orders/1/address', { token: null })
      const managed = { 'x-rdt-caller-token': CALLER_TOKEN, 'x-rdt-seller': `shop-${round}` }
      for (const target of [OPEN, '/orders/v0/orders/1/address']) await get(target, { token: null, headers: managed })
      await get('/orders/v0/orders/1%2F2/address')
      await get('/orders/v0/orders/1/address', { headers: { 'x-rdt-mode': 'perhaps' } })
      simulator.control({ revoke: 'rdts' })
      await get('/orders/v0/orders/1/address')
      simulator.control({ fail: [{ on: 'mint', times: 1, as: 503 }] })
      await get(`/orders/v0/orders/${round}-again/buyerInfo`)
      simulator.control({ fail: [{ on: 'mint', times: 1, as: 429 }] })
      await get(`/orders/v0/orders/${round}-throttled/buyerInfo`)
      simulator.control({ fail: [{ on: 'call', times: 1, as: 503 }] })
      await get(OPEN)
      simulator.control({ fail: [{ on: 'call', times: 1, as: 'reset' }] })
      await get(OPEN)
      await leave()
    },
  }
}

/** How many RDTs a call asked for. */
const lookupsOf = (verdict: string, reason: string): number => {
  if (verdict === 'replayed') return 2
  if (verdict === 'rejected') return reason.startsWith('mint-') ? 1 : 0
  return ['hit', 'minted', 'fallback', 'unrestricted-report'].includes(verdict) ? 1 : 0
}
