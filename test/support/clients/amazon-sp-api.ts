/**
 * `amazon-sp-api` (npm). It has no base URL: its connections are diverted by `https_proxy_agent`. Its RDTs are made by
 * hand, one createRestrictedDataToken before each call, handed in as `restricted_data_token`.
 */
import { SellingPartner } from 'amazon-sp-api'
import {
  type Address,
  type ClientOptions,
  CREDENTIALS,
  found,
  type Item,
  MARKETPLACE,
  NONE,
  type Order,
  ofOrder,
  type RealClient,
  type Resource,
  resources,
  SINCE,
} from './client.ts'
import { divertingAgent, isSpApi, withoutToken } from './divert.ts'

type Json = Readonly<Record<string, unknown>>

export const amazonSpApi = ({
  base,
  amazon,
  seller = 'seller-a',
  rdts = 'none',
  retry = true,
  managed,
}: ClientOptions): RealClient & { readonly client: SellingPartner } => {
  const agent = divertingAgent((host) => (isSpApi(host) ? base : amazon), true)
  const client = new SellingPartner({
    region: 'na',
    refresh_token: managed ? NONE : CREDENTIALS.refreshToken(seller),
    ...(managed && { access_token: NONE }),
    credentials: {
      SELLING_PARTNER_APP_CLIENT_ID: managed ? NONE : CREDENTIALS.clientId,
      SELLING_PARTNER_APP_CLIENT_SECRET: managed ? NONE : CREDENTIALS.clientSecret,
    },
    options: {
      auto_request_tokens: !managed,
      auto_request_throttled: retry,
      https_proxy_agent: managed ? withoutToken(agent, base, managed) : agent,
    },
  })

  const call = async <T>(operation: string, parameters: object = {}): Promise<T> =>
    (await client.callAPI({ operation: operation as never, ...parameters })) as T

  const mint = async (list: readonly Resource[]): Promise<string> => {
    const body = { restrictedResources: list }
    const made = await call<{ restrictedDataToken: string }>('tokens.createRestrictedDataToken', { body })
    return made.restrictedDataToken
  }

  const restricted = async <T>(operation: string, resource: Resource, parameters: Json): Promise<T> =>
    call(operation, rdts === 'own' ? { ...parameters, restricted_data_token: await mint([resource]) } : parameters)

  return {
    name: 'amazon-sp-api',
    client,
    warm: () => client.refreshAccessToken(),

    orders: async (nextToken) => {
      const query = { MarketplaceIds: [MARKETPLACE], CreatedAfter: SINCE, ...(nextToken && { NextToken: nextToken }) }
      type Page = { Orders: Order[]; NextToken?: string }
      const page = await restricted<Page>('orders.getOrders', resources.orders(), { query })
      return { personal: page.Orders.flatMap(ofOrder), nextToken: page.NextToken }
    },
    order: async (orderId) => {
      const path = { orderId }
      return found(ofOrder(await restricted<Order>('orders.getOrder', resources.order(orderId), { path })))
    },
    orderItems: async (orderId, nextToken) => {
      const parameters = { path: { orderId }, ...(nextToken && { query: { NextToken: nextToken } }) }
      type Page = { OrderItems: Item[]; NextToken?: string }
      const page = await restricted<Page>('orders.getOrderItems', resources.orderItems(orderId), parameters)
      return { personal: page.OrderItems.map((item) => item.BuyerInfo?.GiftMessageText), nextToken: page.NextToken }
    },
    orderAddress: async (orderId) => {
      type Answer = { ShippingAddress?: Address }
      const resource = resources.orderAddress(orderId)
      const { ShippingAddress: to } = await restricted<Answer>('orders.getOrderAddress', resource, {
        path: { orderId },
      })
      return found([to?.Name, to?.AddressLine1, to?.Phone])
    },
    shipment: async (shipmentId) => {
      type Answer = { ShipToAddress?: Address }
      const parameters = { path: { shipmentId } }
      const resource = resources.shipment(shipmentId)
      const { ShipToAddress: to } = await restricted<Answer>('merchantFulfillment.getShipment', resource, parameters)
      return found([to?.Name, to?.AddressLine1, to?.Email])
    },

    report: async (reportId) => {
      type Report = { reportType: string; reportDocumentId: string }
      const report = await call<Report>('reports.getReport', { path: { reportId } })
      return { type: report.reportType, documentId: report.reportDocumentId }
    },
    reportDocument: (reportDocumentId, isRestricted = true) => {
      const parameters = { path: { reportDocumentId } }
      return isRestricted
        ? restricted('reports.getReportDocument', resources.document(reportDocumentId), parameters)
        : call('reports.getReportDocument', parameters)
    },
    download: async ({ url, compressionAlgorithm = '' }) =>
      String(await client.download({ url, compressionAlgorithm })),

    mint,
    errorOf: (error) => {
      const { code, message, details } = error as { code?: string; message?: string; details?: string }
      return { status: undefined, code, message, details }
    },
  }
}
