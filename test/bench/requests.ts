/** Requests as bytes, as an SP-API client sends them. */

/** An LWA access token of the usual length. */
export const accessToken = (seller = 'seller-a'): string => `Atza|${seller}${'IwEBIJ5x'.repeat(45)}`

export const get = (target: string, token = accessToken()): Buffer =>
  Buffer.from(
    [
      `GET ${target} HTTP/1.1`,
      'Host: sellingpartnerapi-na.amazon.com',
      'User-Agent: shop-backend/2.4 (Language=JavaScript; Platform=Linux)',
      'Accept: application/json',
      'Accept-Encoding: gzip, deflate',
      'Content-Type: application/json; charset=utf-8',
      `x-amz-access-token: ${token}`,
      'x-amz-date: 20261124T120000Z',
      'Connection: keep-alive',
      '\r\n',
    ].join('\r\n'),
  )

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
const orderId = (i: number): string => `902-${1_845_936 + i}-${5_435_001 + i}`

/** 1,000 different orders: restricted, one RDT for all in generic scope. */
export const restrictedRequests: readonly Buffer[] = range(1000).map((i) => get(`/orders/v0/orders/${orderId(i)}`))

/** 1,000 different items of the catalogue: not restricted. */
export const openRequests: readonly Buffer[] = range(1000).map((i) =>
  get(`/catalog/2022-04-01/items/B0${10_000_000 + i}?marketplaceIds=ATVPDKIKX0DER`),
)
