/**
 * `@sp-api-sdk/*` (npm). Its base URLs are the exported table `sellingPartnerRegions`, read when a client is made. An
 * RDT belongs to a client object (`restrictedDataToken`): a new one for each RDT.
 */
import { SellingPartnerApiAuth } from '@sp-api-sdk/auth'
import { type ClientConfiguration, SellingPartnerApiError, sellingPartnerRegions } from '@sp-api-sdk/common'
import { MerchantFulfillmentApiClient } from '@sp-api-sdk/merchant-fulfillment-api-v0'
import { OrdersApiClient } from '@sp-api-sdk/orders-api-v0'
import { ReportsApiClient } from '@sp-api-sdk/reports-api-2021-06-30'
import { TokensApiClient } from '@sp-api-sdk/tokens-api-2021-03-01'
import {
  type ClientOptions,
  CREDENTIALS,
  downloadByFetch,
  firstError,
  found,
  MARKETPLACE,
  ofOrder,
  type RealClient,
  type Resource,
  resources,
  SINCE,
} from './client.ts'
import { divertAllHttps } from './divert.ts'

export const spApiSdk = ({
  base,
  amazon,
  seller = 'seller-a',
  rdts = 'none',
  retry = true,
  managed,
}: ClientOptions): RealClient => {
  divertAllHttps(amazon)
  const { clientId, clientSecret } = CREDENTIALS
  const auth = managed
    ? ({ getAccessToken: async () => '' } as SellingPartnerApiAuth)
    : new SellingPartnerApiAuth({ clientId, clientSecret, refreshToken: CREDENTIALS.refreshToken(seller) })
  const configuration: ClientConfiguration = { auth, region: 'na', rateLimiting: { retry } }

  /** A client at `base`: the table is read in its constructor. */
  const make = <T>(Client: new (configuration: ClientConfiguration) => T, restrictedDataToken?: string): T => {
    sellingPartnerRegions.na.endpoints.production = base
    const client = new Client({ ...configuration, ...(restrictedDataToken && { restrictedDataToken }) })
    const { axios } = client as { axios: { defaults: { headers: { common: object } } } } // protected in its types
    Object.assign(axios.defaults.headers.common, managed)
    return client
  }
  // The newest Tokens client brings an older @sp-api-sdk/common of its own, whose table nobody can reach.
  const tokens = Object.assign(new TokensApiClient(configuration as never), { basePath: base })
  const plain = {
    orders: make(OrdersApiClient),
    shipping: make(MerchantFulfillmentApiClient),
    reports: make(ReportsApiClient),
  }

  const mint = async (list: readonly Resource[]): Promise<string> => {
    const { data } = await tokens.createRestrictedDataToken({ body: { restrictedResources: list as never } })
    return data.restrictedDataToken ?? ''
  }
  const orders = async (resource: Resource): Promise<OrdersApiClient> =>
    rdts === 'own' ? make(OrdersApiClient, await mint([resource])) : plain.orders

  return {
    name: '@sp-api-sdk',
    warm: async () => void (await auth.getAccessToken()),

    orders: async (nextToken) => {
      const query = { marketplaceIds: [MARKETPLACE], createdAfter: SINCE, ...(nextToken && { nextToken }) }
      const { data } = await (await orders(resources.orders())).getOrders(query)
      return { personal: data.payload?.Orders.flatMap(ofOrder) ?? [], nextToken: data.payload?.NextToken }
    },
    order: async (orderId) => {
      const { data } = await (await orders(resources.order(orderId))).getOrder({ orderId })
      return found(data.payload ? ofOrder(data.payload) : [])
    },
    orderItems: async (orderId, nextToken) => {
      const client = await orders(resources.orderItems(orderId))
      const { data } = await client.getOrderItems({ orderId, ...(nextToken && { nextToken }) })
      const items = data.payload?.OrderItems ?? []
      return { personal: items.map((item) => item.BuyerInfo?.GiftMessageText), nextToken: data.payload?.NextToken }
    },
    orderAddress: async (orderId) => {
      const { data } = await (await orders(resources.orderAddress(orderId))).getOrderAddress({ orderId })
      const to = data.payload?.ShippingAddress
      return found([to?.Name, to?.AddressLine1, to?.Phone])
    },
    shipment: async (shipmentId) => {
      const rdt = rdts === 'own' ? await mint([resources.shipment(shipmentId)]) : undefined
      const client = rdt ? make(MerchantFulfillmentApiClient, rdt) : plain.shipping
      const to = (await client.getShipment({ shipmentId })).data.payload?.ShipToAddress
      return found([to?.Name, to?.AddressLine1, to?.Email])
    },

    report: async (reportId) => {
      const { data } = await plain.reports.getReport({ reportId })
      return { type: data.reportType, documentId: data.reportDocumentId ?? '' }
    },
    reportDocument: async (reportDocumentId, restricted = true) => {
      const rdt = rdts === 'own' && restricted ? await mint([resources.document(reportDocumentId)]) : undefined
      const client = rdt ? make(ReportsApiClient, rdt) : plain.reports
      return (await client.getReportDocument({ reportDocumentId })).data
    },
    download: downloadByFetch,

    mint,
    errorOf: (error) => {
      const response = error instanceof SellingPartnerApiError ? error.response : undefined
      return { status: response?.status, ...firstError(response?.data) }
    },
  }
}
