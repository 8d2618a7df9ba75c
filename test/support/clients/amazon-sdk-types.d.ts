/** The package has types beside its modules but none at its entrance: what the tests use of it. */
declare module '@amazon-sp-api-release/amazon-sp-api-sdk-js' {
  class ApiClient {
    constructor(baseUrl: string)
    readonly defaultHeaders: Record<string, string>
    enableAutoRetrievalAccessToken(id: string, secret: string, refreshToken: string | null, scope: string | null): this
    enableAutoRetrievalRestrictedDataToken(
      id: string,
      secret: string,
      refreshToken: string,
      dataElements: readonly string[] | null,
    ): this
    applyXAmzAccessTokenToRequest(accessOrRdtToken: string): this
    disableRateLimiter(): void
    clearAccessTokenCache(): void
  }
  type Api<T> = { readonly ApiClient: typeof ApiClient } & T
  type Address = { name?: string; addressLine1?: string; phone?: string; email?: string }
  type Order = { buyerInfo?: { buyerEmail?: string }; shippingAddress?: Address }
  type Item = { buyerInfo?: { giftMessageText?: string } }
  type Answer<T> = Promise<{ payload?: T }>

  class OrdersV0Api {
    constructor(client: ApiClient)
    getOrders(
      marketplaceIds: readonly string[],
      options: { createdAfter?: string; nextToken?: string },
    ): Answer<{ orders: Order[]; nextToken?: string }>
    getOrder(orderId: string): Answer<Order>
    getOrderItems(orderId: string, options?: { nextToken?: string }): Answer<{ orderItems: Item[]; nextToken?: string }>
    getOrderAddress(orderId: string): Answer<{ shippingAddress?: Address }>
  }
  class MerchantFulfillmentApi {
    constructor(client: ApiClient)
    getShipment(shipmentId: string): Answer<{ shipToAddress?: Address }>
  }
  class ReportsApi {
    constructor(client: ApiClient)
    getReport(reportId: string): Promise<{ reportType: string; reportDocumentId: string }>
    getReportDocument(documentId: string): Promise<{ url: string; compressionAlgorithm?: string }>
  }
  class TokensApi {
    constructor(client: ApiClient)
    createRestrictedDataToken(body: object): Promise<{ restrictedDataToken: string }>
  }

  export const OrdersSpApi: Api<{ readonly OrdersV0Api: typeof OrdersV0Api }>
  export const MerchantfulfillmentSpApi: Api<{ readonly MerchantFulfillmentApi: typeof MerchantFulfillmentApi }>
  export const ReportsSpApi: Api<{ readonly ReportsApi: typeof ReportsApi }>
  export const TokensSpApi: Api<{ readonly TokensApi: typeof TokensApi }>
  export class LwaAuthClient {
    constructor(id: string, secret: string, refreshToken: string | null, scope?: string | null)
    getAccessToken(): Promise<string>
  }
}
