/**
 * `@amazon-sp-api-release/amazon-sp-api-sdk-js` (npm), Amazon's own. The base URL is a parameter of each ApiClient. Its
 * own RDTs: `enableAutoRetrievalRestrictedDataToken` mints before every call of that ApiClient, restricted or not,
 * always with the same data elements; so operations that take different ones need ApiClients of their own.
 */
import {
  LwaAuthClient,
  MerchantfulfillmentSpApi,
  OrdersSpApi,
  ReportsSpApi,
  TokensSpApi,
} from '@amazon-sp-api-release/amazon-sp-api-sdk-js'
import {
  type ClientOptions,
  CREDENTIALS,
  downloadByFetch,
  firstError,
  found,
  MARKETPLACE,
  type RealClient,
  SINCE,
} from './client.ts'
import { divertAllHttps } from './divert.ts'

type Client = InstanceType<typeof OrdersSpApi.ApiClient>
type ClientOf = { readonly ApiClient: typeof OrdersSpApi.ApiClient }
type Order = { buyerInfo?: { buyerEmail?: string }; shippingAddress?: { name?: string } }
/** An API whose ApiClient has a valid token. */
type Ready<T> = () => Promise<T>

export const amazonSdk = ({ base, amazon, seller = 'seller-a', rdts = 'none', managed }: ClientOptions): RealClient => {
  divertAllHttps(amazon)
  const credentials = [CREDENTIALS.clientId, CREDENTIALS.clientSecret, CREDENTIALS.refreshToken(seller)] as const
  const lwa = new LwaAuthClient(...credentials)

  /** Its own rate limiter (30 getOrder calls, then one in two seconds) would wait for quotas nobody checks here. */
  const apiClient = ({ ApiClient }: ClientOf): Client => {
    const client = new ApiClient(base)
    client.disableRateLimiter()
    Object.assign(client.defaultHeaders, managed)
    return client
  }
  /** With one access token for all: `enableAutoRetrievalAccessToken` gets one for each ApiClient. */
  const plain = <T>(api: ClientOf, make: (client: Client) => T): Ready<T> => {
    const client = apiClient(api)
    const made = make(client)
    return async () => {
      client.applyXAmzAccessTokenToRequest(managed ? ' ' : await lwa.getAccessToken())
      return made
    }
  }
  const restricted = <T>(api: ClientOf, make: (client: Client) => T, elements: readonly string[] | null): Ready<T> => {
    if (rdts === 'none') return plain(api, make)
    const made = make(apiClient(api).enableAutoRetrievalRestrictedDataToken(...credentials, elements))
    return async () => made
  }

  const ordersApi = (client: Client) => new OrdersSpApi.OrdersV0Api(client)
  const reportsApi = (client: Client) => new ReportsSpApi.ReportsApi(client)
  const shippingApi = (client: Client) => new MerchantfulfillmentSpApi.MerchantFulfillmentApi(client)
  const orders = restricted(OrdersSpApi, ordersApi, ['buyerInfo', 'shippingAddress'])
  const items = restricted(OrdersSpApi, ordersApi, ['buyerInfo'])
  const addresses = restricted(OrdersSpApi, ordersApi, null)
  const shipments = restricted(MerchantfulfillmentSpApi, shippingApi, null)
  const documents = restricted(ReportsSpApi, reportsApi, null)
  const reports = plain(ReportsSpApi, reportsApi)
  const tokens = plain(TokensSpApi, (client) => new TokensSpApi.TokensApi(client))

  return {
    name: 'amazon-sp-api-sdk-js',
    warm: async () => void (await lwa.getAccessToken()),

    orders: async (nextToken) => {
      const options = { createdAfter: SINCE, ...(nextToken && { nextToken }) }
      const { payload } = await (await orders()).getOrders([MARKETPLACE], options)
      return { personal: payload?.orders.flatMap(ofOrder) ?? [], nextToken: payload?.nextToken }
    },
    order: async (orderId) => {
      const { payload } = await (await orders()).getOrder(orderId)
      return found(payload ? ofOrder(payload) : [])
    },
    orderItems: async (orderId, nextToken) => {
      const { payload } = await (await items()).getOrderItems(orderId, nextToken ? { nextToken } : {})
      const messages = payload?.orderItems.map((item) => item.buyerInfo?.giftMessageText)
      return { personal: messages ?? [], nextToken: payload?.nextToken }
    },
    orderAddress: async (orderId) => {
      const to = (await (await addresses()).getOrderAddress(orderId)).payload?.shippingAddress
      return found([to?.name, to?.addressLine1, to?.phone])
    },
    shipment: async (shipmentId) => {
      const to = (await (await shipments()).getShipment(shipmentId)).payload?.shipToAddress
      return found([to?.name, to?.addressLine1, to?.email])
    },

    report: async (reportId) => {
      const { reportType, reportDocumentId } = await (await reports()).getReport(reportId)
      return { type: reportType, documentId: reportDocumentId }
    },
    reportDocument: async (documentId, isRestricted = true) =>
      (await (isRestricted ? documents : reports)()).getReportDocument(documentId),
    download: downloadByFetch,

    mint: async (list) =>
      (await (await tokens()).createRestrictedDataToken({ restrictedResources: list })).restrictedDataToken,
    errorOf: (error) => {
      const { status, response } = error as { status?: number; response?: { body?: unknown } }
      return { status, ...firstError(response?.body) }
    },
  }
}

const ofOrder = (order: Order): readonly (string | undefined)[] => [
  order.buyerInfo?.buyerEmail,
  order.shippingAddress?.name,
]
