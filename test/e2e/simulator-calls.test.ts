/** What the simulator answers to calls: who sees personal data, who is refused, and in which words. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { operations } from '../../src/simulator/operations.ts'
import { documentId, reportId } from '../../src/simulator/reports.ts'
import { DENIED, errorOf, ORDER, type Resource, setUp } from '../support/simulator-client.ts'

const get = (path: string, dataElements?: string[]): Resource =>
  dataElements === undefined ? { method: 'GET', path } : { method: 'GET', path, dataElements }

/** Amazon's guide, section by section, and getShippingLabels 2021-12-28 of Amazon's SDK: [operation, what LWA gets]. */
const RESTRICTED: readonly [string, string, 'part' | 'refused'][] = [
  ['orders-v0.getOrders', 'GET /orders/v0/orders', 'part'],
  ['orders-v0.getOrder', 'GET /orders/v0/orders/{orderId}', 'part'],
  ['orders-v0.getOrderItems', 'GET /orders/v0/orders/{orderId}/orderItems', 'part'],
  ['orders-v0.getOrderAddress', 'GET /orders/v0/orders/{orderId}/address', 'part'],
  ['orders-v0.getOrderBuyerInfo', 'GET /orders/v0/orders/{orderId}/buyerInfo', 'part'],
  ['orders-v0.getOrderItemsBuyerInfo', 'GET /orders/v0/orders/{orderId}/orderItems/buyerInfo', 'part'],
  ['orders-v0.getOrderRegulatedInfo', 'GET /orders/v0/orders/{orderId}/regulatedInfo', 'refused'],
  ['mfn-v0.getShipment', 'GET /mfn/v0/shipments/{shipmentId}', 'refused'],
  ['mfn-v0.cancelShipment', 'DELETE /mfn/v0/shipments/{shipmentId}', 'refused'],
  ['mfn-v0.cancelShipmentOld', 'PUT /mfn/v0/shipments/{shipmentId}/cancel', 'refused'],
  ['mfn-v0.createShipment', 'POST /mfn/v0/shipments', 'refused'],
  ['shipment-invoicing-v0.getShipmentDetails', 'GET /fba/outbound/brazil/v0/shipments/{shipmentId}', 'refused'],
  ['shipping-v1.getShipment', 'GET /shipping/v1/shipments/{shipmentId}', 'refused'],
  ['easy-ship-2022-03-23.createScheduledPackageBulk', 'POST /easyShip/2022-03-23/packages/bulk', 'refused'],
  ...['v1', '2021-12-28'].flatMap((v): [string, string, 'refused'][] => [
    [`df-orders-${v}.getOrders`, `GET /vendor/directFulfillment/orders/${v}/purchaseOrders`, 'refused'],
    [
      `df-orders-${v}.getOrder`,
      `GET /vendor/directFulfillment/orders/${v}/purchaseOrders/{purchaseOrderNumber}`,
      'refused',
    ],
    ...['ShippingLabel', 'PackingSlip', 'CustomerInvoice'].flatMap((thing): [string, string, 'refused'][] => {
      const path = `/vendor/directFulfillment/shipping/${v}/${thing[0]?.toLowerCase()}${thing.slice(1)}s`
      return [
        [`df-shipping-${v}.get${thing}s`, `GET ${path}`, 'refused'],
        [`df-shipping-${v}.get${thing}`, `GET ${path}/{purchaseOrderNumber}`, 'refused'],
      ]
    }),
  ]),
  [
    'df-shipping-2021-12-28.createShippingLabels',
    'POST /vendor/directFulfillment/shipping/2021-12-28/shippingLabels/{purchaseOrderNumber}',
    'refused',
  ],
]

const TAKES_ELEMENTS = ['orders-v0.getOrders', 'orders-v0.getOrder', 'orders-v0.getOrderItems']
const bodyFor = (method: string): object | undefined => (method === 'POST' ? {} : undefined)

const PERSONAL =
  /example\.com|Simulated Street|"Name":|"name":|FieldValue|GiftMessageText|content":"|documents\/easy-ship/

describe('the table of restricted operations', () => {
  it('holds the 32 of Amazon’s guide and SDK, and report documents make one of them', () => {
    const ids = operations.filter(({ access }) => access !== 'open').map(({ id }) => id)
    assert.equal(ids.length, 32)
    assert.deepEqual(ids.sort(), [...RESTRICTED.map(([id]) => id), 'reports-2021-06-30.getReportDocument'].sort())
  })

  for (const [id, route, lwa] of RESTRICTED) {
    const [method = '', template = ''] = route.split(' ')
    const path = template.replace(/\{\w+\}/, 'ID-1')
    const body = bodyFor(method)
    const elements = TAKES_ELEMENTS.includes(id) ? { dataElements: ['buyerInfo'] } : {}

    it(`${id} gives personal data to a generic RDT`, async () => {
      const { sim, call, rdt } = setUp()
      const answer = await call(await rdt({ method, path: template, ...elements }), method, path, body)
      assert.equal(answer.status, 200)
      assert.match(answer.text, PERSONAL)
      const last = sim.log().at(-1)
      assert.deepEqual([last?.operation, last?.pii, last?.token, last?.status], [id, true, 'rdt', 200])
    })

    it(`${id} gives personal data to an RDT for the specific path`, async () => {
      const { call, rdt } = setUp()
      const answer = await call(await rdt({ method, path, ...elements }), method, path, body)
      assert.deepEqual([answer.status, PERSONAL.test(answer.text)], [200, true])
    })

    it(`${id} ${lwa === 'part' ? 'gives an LWA token the rest' : 'refuses an LWA token'}`, async () => {
      const { sim, call, token } = setUp()
      const answer = await call(token, method, path, body)
      if (lwa === 'part') assert.deepEqual([answer.status, PERSONAL.test(answer.text)], [200, false])
      else assert.deepEqual(errorOf(answer), DENIED)
      assert.equal(sim.log().at(-1)?.pii, false)
    })

    it(`${id} refuses an RDT for another path`, async () => {
      const { call, rdt } = setUp()
      const answer = await call(await rdt(get('/mfn/v0/shipments/another')), method, path, body)
      assert.deepEqual(errorOf(answer), DENIED)
      assert.equal(answer.headers['x-amzn-errortype'], 'AccessDeniedException')
    })
  }
})

describe('data elements', () => {
  const FIELDS = {
    buyerInfo: 'BuyerInfo',
    shippingAddress: 'ShippingAddress',
    buyerTaxInformation: 'BuyerTaxInformation',
  }
  const shown = (order: object): string[] => Object.values(FIELDS).filter((field) => field in order)

  for (const [element, field] of Object.entries(FIELDS)) {
    it(`show ${field} and nothing else for ${element}`, async () => {
      const { call, rdt } = setUp()
      const one = await call(await rdt(get(ORDER, [element])), 'GET', ORDER)
      assert.deepEqual(shown(one.body.payload), [field])
      const many = await call(await rdt(get('/orders/v0/orders', [element])), 'GET', '/orders/v0/orders')
      assert.deepEqual(many.body.payload.Orders.map(shown), [[field], [field], [field]])
    })
  }

  it('add up over the resources of one RDT', async () => {
    const { call, rdt } = setUp()
    const token = await rdt(get('/orders/v0/orders/{orderId}', ['buyerInfo']), get(ORDER, ['shippingAddress']))
    const here = await call(token, 'GET', ORDER)
    const elsewhere = await call(token, 'GET', '/orders/v0/orders/902-2')
    assert.deepEqual(shown(here.body.payload), ['BuyerInfo', 'ShippingAddress'])
    assert.deepEqual(shown(elsewhere.body.payload), ['BuyerInfo'])
  })

  for (const elements of [[], undefined]) {
    it(`show nothing personal when ${elements === undefined ? 'left out' : 'an empty list'}`, async () => {
      const { sim, call, rdt } = setUp()
      for (const path of ['/orders/v0/orders', ORDER, `${ORDER}/orderItems`]) {
        const answer = await call(await rdt(get(path, elements)), 'GET', path)
        assert.deepEqual([answer.status, PERSONAL.test(answer.text)], [200, false])
        assert.equal(sim.log().at(-1)?.pii, false)
      }
    })
  }
})

describe('an RDT', () => {
  it('for one order does not open another one', async () => {
    const { call, rdt } = setUp()
    const token = await rdt(get(`${ORDER}/address`))
    assert.equal((await call(token, 'GET', `${ORDER}/address`)).status, 200)
    assert.deepEqual(errorOf(await call(token, 'GET', '/orders/v0/orders/902-2/address')), DENIED)
  })

  it('gives a Merchant Fulfillment shipment all that its model requires, since clients check', async () => {
    const { call, rdt } = setUp()
    const answer = await call(await rdt(get('/mfn/v0/shipments/{shipmentId}')), 'GET', '/mfn/v0/shipments/1')
    const required = ['ShipDate', 'ShippingServiceOfferId', 'RateWithAdjustments', 'RequiresAdditionalSellerInputs']
    for (const key of required) assert.ok(key in answer.body.payload.ShippingService, key)
  })

  it('for one method does not open another one on the same path', async () => {
    const { call, rdt } = setUp()
    const token = await rdt(get('/mfn/v0/shipments/{shipmentId}'))
    assert.deepEqual(errorOf(await call(token, 'DELETE', '/mfn/v0/shipments/1')), DENIED)
  })

  it('with a made-up parameter name in its template opens nothing', async () => {
    const { call, rdt } = setUp()
    assert.deepEqual(
      errorOf(await call(await rdt(get('/orders/v0/orders/{id}/address')), 'GET', `${ORDER}/address`)),
      DENIED,
    )
  })

  for (const path of ['orders/v0/orders', '/orders/v0/orders/', '/orders/v0/orders?a=b', 'getOrders']) {
    it(`minted for ${path} is good for nothing`, async () => {
      const { call, rdt } = setUp()
      const token = await rdt(get(path, ['buyerInfo']))
      assert.deepEqual(errorOf(await call(token, 'GET', '/orders/v0/orders')), DENIED)
      assert.deepEqual(errorOf(await call(token, 'GET', '/orders/v0/orders?a=b')), DENIED)
    })
  }

  it('is refused by operations that are not restricted, even when minted for them', async () => {
    const { call, rdt } = setUp()
    const path = '/sellers/v1/marketplaceParticipations'
    assert.deepEqual(errorOf(await call(await rdt(get(path)), 'GET', path)), DENIED)
    const regulated = await rdt(get('/orders/v0/orders/{orderId}/regulatedInfo'))
    assert.deepEqual(errorOf(await call(regulated, 'PATCH', `${ORDER}/regulatedInfo`, {})), DENIED)
  })

  it('shows the data of the seller it was minted for', async () => {
    const { sim, call, mint } = setUp()
    const orderOf = async (seller: string) => {
      const minted = await mint([get(ORDER, ['buyerInfo'])], {}, sim.accessToken(seller))
      return (await call(minted.body.restrictedDataToken, 'GET', ORDER)).body.payload
    }
    const [a, b] = [await orderOf('seller-a'), await orderOf('seller-b')]
    assert.equal(b.SellerOrderId, 'seller-b-902-1845936-5435001')
    assert.notEqual(a.BuyerInfo.BuyerEmail, b.BuyerInfo.BuyerEmail)
    assert.equal(sim.log().at(-1)?.seller, 'seller-b')
  })

  it('outlives the access token that minted it, and expires by itself', async () => {
    const { sim, call, rdt, pass } = setUp()
    sim.control({ rdtSeconds: 7200 })
    const token = await rdt(get(ORDER, ['buyerInfo']))
    pass(7_199_999)
    assert.equal((await call(token, 'GET', ORDER)).status, 200)
    pass(1)
    const details = 'The access token you provided has expired.'
    assert.deepEqual(errorOf(await call(token, 'GET', ORDER)), { ...DENIED, details })
    assert.equal(sim.log().at(-1)?.token, 'expired')
  })

  it('can be delegated: the delegatee calls with the RDT alone', async () => {
    const { call, mint } = setUp()
    const minted = await mint([get(ORDER, ['buyerInfo'])], { targetApplication: 'amzn1.sp.solution.delegatee' })
    assert.equal((await call(minted.body.restrictedDataToken, 'GET', ORDER)).status, 200)
  })
})

describe('tokens at fault', () => {
  const FAULT = 'The access token you provided is revoked, malformed or invalid.'

  it('a missing one is said to be missing', async () => {
    const { sim, call } = setUp()
    const details = 'Access token is missing in the request header.'
    assert.deepEqual(errorOf(await call(undefined, 'GET', ORDER)), { ...DENIED, details })
    assert.equal(sim.log().at(-1)?.token, 'none')
  })

  it('two joined into one header are malformed', async () => {
    const { sim, call, token } = setUp()
    assert.deepEqual(errorOf(await call(`${token}, ${token}`, 'GET', ORDER)), { ...DENIED, details: FAULT })
    assert.equal(sim.log().at(-1)?.token, 'unknown')
  })

  for (const [revoke, lwa, rdt] of [
    ['rdts', 200, 403],
    ['access-tokens', 403, 200],
    ['all', 403, 403],
  ] as const) {
    it(`revoking ${revoke} hits those issued so far, and no others`, async () => {
      const world = setUp()
      const held = await world.rdt(get(ORDER, ['buyerInfo']))
      world.sim.control({ revoke })
      const answers = [await world.call(world.token, 'GET', ORDER), await world.call(held, 'GET', ORDER)]
      assert.deepEqual(
        answers.map(({ status }) => status),
        [lwa, rdt],
      )
      for (const answer of answers.filter(({ status }) => status === 403)) {
        assert.deepEqual(errorOf(answer), { ...DENIED, details: FAULT })
      }
      const fresh = await world.mint([get(ORDER)], {}, world.sim.accessToken())
      assert.equal((await world.call(fresh.body.restrictedDataToken, 'GET', ORDER)).status, 200)
    })
  }

  it('are reported before an unknown path is', async () => {
    const { call, token } = setUp()
    assert.deepEqual(errorOf(await call('Atza|no', 'GET', '/nothing/here')), { ...DENIED, details: FAULT })
    assert.deepEqual(errorOf(await call(token, 'GET', '/nothing/here')), DENIED)
  })
})

describe('an operation the application has no role for', () => {
  it('answers 403 with empty details, whatever the token', async () => {
    const { sim, call, token, rdt } = setUp()
    const held = await rdt(get('/mfn/v0/shipments/{shipmentId}'), get(ORDER, ['buyerInfo']))
    sim.control({ denyOperations: ['mfn-v0.getShipment', 'orders-v0.getOrder'] })
    assert.deepEqual(errorOf(await call(held, 'GET', '/mfn/v0/shipments/1')), DENIED)
    assert.deepEqual(errorOf(await call(held, 'GET', ORDER)), DENIED)
    assert.deepEqual(errorOf(await call(token, 'GET', ORDER)), DENIED)
    assert.equal((await call(token, 'GET', '/orders/v0/orders')).status, 200)
  })
})

describe('pages', () => {
  for (const [path, key, list] of [
    ['/orders/v0/orders', '/orders/v0/orders', 'Orders'],
    [`${ORDER}/orderItems`, `${ORDER}/orderItems`, 'OrderItems'],
  ] as const) {
    it(`of ${list} are two, and the second needs the same RDT as the first`, async () => {
      const { sim, call, token, rdt } = setUp()
      const held = await rdt(get(key, ['buyerInfo']))
      const one = (await call(held, 'GET', path)).body.payload
      const next = `${path}?NextToken=${encodeURIComponent(one.NextToken)}`
      const two = (await call(held, 'GET', next)).body.payload
      assert.equal(two.NextToken, undefined)
      assert.notDeepEqual(two[list], one[list])
      assert.equal(sim.log().at(-1)?.pii, true)
      await call(token, 'GET', next)
      assert.equal(sim.log().at(-1)?.pii, false)
    })
  }

  it('refuse a NextToken that is not theirs', async () => {
    const { call, token } = setUp()
    assert.equal((await call(token, 'GET', '/orders/v0/orders?NextToken=other')).status, 400)
  })
})

type Report = { reportId: string; reportType: string; reportDocumentId: string }

describe('reports', () => {
  const documentPath = (n: number): string => `/reports/2021-06-30/documents/${documentId(n)}`

  it('are listed with the type that decides whether their document is restricted', async () => {
    const { call, token } = setUp()
    const { reports } = (await call(token, 'GET', '/reports/2021-06-30/reports?pageSize=4')).body
    assert.deepEqual(
      reports.map((r: Report) => [r.reportId, r.reportDocumentId, r.reportType]),
      [
        [reportId(1), documentId(1), 'GET_AMAZON_FULFILLED_SHIPMENTS_DATA_INVOICING'],
        [reportId(2), documentId(2), 'GET_MERCHANT_LISTINGS_ALL_DATA'],
        [reportId(3), documentId(3), 'GET_AMAZON_FULFILLED_SHIPMENTS_DATA_TAX'],
        [reportId(4), documentId(4), 'GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA'],
      ],
    )
  })

  it('are filtered by type', async () => {
    const { call, token } = setUp()
    const path = '/reports/2021-06-30/reports?reportTypes=SC_VAT_TAX_REPORT&pageSize=2'
    const { reports } = (await call(token, 'GET', path)).body
    assert.deepEqual(
      reports.map((r: Report) => r.reportType),
      Array(2).fill('SC_VAT_TAX_REPORT'),
    )
  })

  for (const size of ['0', '101', 'ten']) {
    it(`are not listed by pages of ${size}`, async () => {
      const { call, token } = setUp()
      assert.equal((await call(token, 'GET', `/reports/2021-06-30/reports?pageSize=${size}`)).status, 400)
    })
  }

  it('are found one by one, however large their number', async () => {
    const { call, token } = setUp()
    const { body } = await call(token, 'GET', `/reports/2021-06-30/reports/${reportId(1_000_001)}`)
    assert.equal(body.reportDocumentId, documentId(1_000_001))
  })

  for (const id of ['50000', '500000', '12345', '50000x']) {
    it(`do not exist under the id ${id}`, async () => {
      const { call, token } = setUp()
      assert.equal((await call(token, 'GET', `/reports/2021-06-30/reports/${id}`)).status, 404)
    })
  }

  it('of a restricted type refuse an LWA token for their document, in words of their own', async () => {
    const { call, token } = setUp()
    assert.deepEqual(errorOf(await call(token, 'GET', documentPath(1))), {
      status: 403,
      code: 'Unauthorized',
      message: 'Access to the resource is forbidden',
      details: '',
    })
  })

  it('of a restricted type give their document to its RDT only', async () => {
    const { sim, call, rdt } = setUp()
    const held = await rdt(get(documentPath(1)))
    assert.equal((await call(held, 'GET', documentPath(1))).body.reportDocumentId, documentId(1))
    assert.equal(sim.log().at(-1)?.pii, true)
    assert.deepEqual(errorOf(await call(held, 'GET', documentPath(3))), DENIED)
    assert.deepEqual(errorOf(await call(held, 'GET', documentPath(2))), DENIED)
  })

  it('of another type give their document to an LWA token', async () => {
    const { sim, call, token } = setUp()
    assert.equal((await call(token, 'GET', documentPath(2))).status, 200)
    assert.equal(sim.log().at(-1)?.pii, false)
  })

  it('have no document of another id', async () => {
    const { call, token } = setUp()
    for (const id of ['nothing', documentId(0), documentId(2).toUpperCase()]) {
      assert.equal((await call(token, 'GET', `/reports/2021-06-30/documents/${id}`)).status, 404, id)
    }
  })

  it('have documents that are downloaded without a token, by their signed address alone', async (t) => {
    const { sim, token, rdt } = setUp()
    const base = await sim.listen()
    t.after(sim.close)
    for (const [presented, n, content] of [
      [await rdt(get(documentPath(1))), 1, /^order-id\tname\temail.*@example\.com/s],
      [token, 2, /^seller-sku\tasin\tquantity\n/],
    ] as const) {
      const headers = { 'x-amz-access-token': presented }
      const response = await fetch(base + documentPath(n), { headers })
      const answer = (await response.json()) as { url: string; compressionAlgorithm: string }
      assert.equal(answer.compressionAlgorithm, 'GZIP')
      assert.ok(answer.url.startsWith(`${base}/_simulator/documents/`))
      const file = Buffer.from(await (await fetch(answer.url)).arrayBuffer())
      assert.match(gunzipSync(file).toString(), content)
      assert.equal((await fetch(`${answer.url}0`)).status, 403)
    }
  })
})

describe('operations that need no RDT', () => {
  const OPEN: readonly [string, string, string, number][] = [
    ['sellers-v1.getMarketplaceParticipations', 'GET', '/sellers/v1/marketplaceParticipations', 200],
    ['catalog-items-2022-04-01.searchCatalogItems', 'GET', '/catalog/2022-04-01/items?keywords=a', 200],
    ['listings-items-2021-08-01.getListingsItem', 'GET', '/listings/2021-08-01/items/S1/SKU', 200],
    ['orders-v0.updateShipmentStatus', 'POST', `${ORDER}/shipment`, 204],
    ['orders-v0.updateVerificationStatus', 'PATCH', `${ORDER}/regulatedInfo`, 204],
    ['shipping-v2.getTracking', 'GET', '/shipping/v2/tracking?trackingId=1&carrierId=2', 200],
    ['orders-2026-01-01.getOrder', 'GET', '/orders/2026-01-01/orders/902-1', 200],
    ['feeds-2021-06-30.createFeed', 'POST', '/feeds/2021-06-30/feeds', 202],
    ['df-shipping-v1.submitShippingLabelRequest', 'POST', '/vendor/directFulfillment/shipping/v1/shippingLabels', 202],
  ]
  for (const [id, method, path, status] of OPEN) {
    it(`${id} answers ${status} to an LWA token`, async () => {
      const { sim, call, token } = setUp()
      assert.equal((await call(token, method, path, method === 'GET' ? undefined : {})).status, status)
      assert.deepEqual([sim.log().at(-1)?.operation, sim.log().at(-1)?.pii], [id, false])
    })
  }

  it('take a SKU with an encoded slash as one segment, and echo it', async () => {
    const { call, token } = setUp()
    const answer = await call(token, 'GET', '/listings/2021-08-01/items/S1/a%2Fb%20c')
    assert.equal(answer.body.sku, 'a/b c')
  })

  it('need a JSON body where the model has one', async () => {
    const { call, token } = setUp()
    assert.equal((await call(token, 'POST', '/feeds/2021-06-30/feeds')).status, 400)
    const garbled = call(token, 'POST', '/feeds/2021-06-30/feeds').set('Content-Type', 'application/json')
    assert.equal((await garbled.send('{"a":')).status, 400)
  })

  it('are refused with a 403 when the simulator does not have them', async () => {
    const { call, token } = setUp()
    assert.deepEqual(errorOf(await call(token, 'GET', '/reports/2020-09-04/documents/x')), DENIED)
    assert.deepEqual(errorOf(await call(token, 'DELETE', ORDER)), DENIED)
  })
})

describe('the rate header', () => {
  it('comes with 20x, 400 and 404, and with nothing else', async () => {
    const { call, token } = setUp()
    const rateOf = async (path: string) => {
      const { status, headers } = await call(token, 'GET', path)
      return [status, headers['x-amzn-ratelimit-limit']]
    }
    assert.deepEqual(await rateOf(ORDER), [200, '0.5'])
    assert.deepEqual(await rateOf('/catalog/2022-04-01/items'), [200, '2.0'])
    assert.deepEqual(await rateOf('/orders/v0/orders?NextToken=other'), [400, '0.0167'])
    assert.deepEqual(await rateOf('/reports/2021-06-30/reports/1'), [404, '2.0'])
    assert.deepEqual(await rateOf('/mfn/v0/shipments/1'), [403, undefined])
  })
})
