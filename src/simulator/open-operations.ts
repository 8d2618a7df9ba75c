/**
 * A handful of operations that need no RDT, so that ordinary traffic can be told from restricted traffic: one each
 * from Sellers, Catalog Items, Listings Items, Feeds, Shipping v2 and the new Orders API. Bodies are small.
 */
import { type Operation, ok, operation } from './operation.ts'

export const openOperations: readonly Operation[] = [
  operation('GET /sellers/v1/marketplaceParticipations', {
    id: 'sellers-v1.getMarketplaceParticipations',
    rate: 0.016,
    access: 'open',
    answer: (call) =>
      ok({
        payload: [
          {
            marketplace: {
              id: 'ATVPDKIKX0DER',
              countryCode: 'US',
              name: 'Amazon.com',
              defaultCurrencyCode: 'USD',
              defaultLanguageCode: 'en_US',
              domainName: 'www.amazon.com',
            },
            participation: { isParticipating: true, hasSuspendedListings: false },
            storeName: call.seller,
          },
        ],
      }),
  }),
  operation('GET /catalog/2022-04-01/items', {
    id: 'catalog-items-2022-04-01.searchCatalogItems',
    rate: 2,
    access: 'open',
    answer: () => ok({ numberOfResults: 1, pagination: {}, items: [{ asin: 'B00551Q3CS' }] }),
  }),
  operation('GET /listings/2021-08-01/items/{sellerId}/{sku}', {
    id: 'listings-items-2021-08-01.getListingsItem',
    rate: 5,
    access: 'open',
    answer: ({ params: { sku } }) => ok({ sku, summaries: [] }),
  }),
  operation('POST /feeds/2021-06-30/feeds', {
    id: 'feeds-2021-06-30.createFeed',
    rate: 0.0083,
    access: 'open',
    needsBody: true,
    answer: () => ({ status: 202, body: { feedId: '23492394' }, pii: false }),
  }),
  operation('GET /shipping/v2/tracking', {
    id: 'shipping-v2.getTracking',
    rate: 80,
    access: 'open',
    answer: (call) =>
      ok({
        payload: { trackingId: call.query.get('trackingId') ?? '', eventHistory: [], summary: { status: 'InTransit' } },
      }),
  }),
  operation('GET /orders/2026-01-01/orders/{orderId}', {
    id: 'orders-2026-01-01.getOrder',
    rate: 0.5,
    access: 'open',
    answer: (call) => ok({ order: { orderId: call.id, createdTime: '2026-01-20T19:49:35Z', orderItems: [] } }),
  }),
]
