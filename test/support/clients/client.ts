/**
 * The one narrow shape behind which the clients that Node developers really use are driven, by tests and by the
 * benchmark of mints. Every call is the client's own; what it found of persons is read out of its own answer.
 */
import { gunzipSync } from 'node:zlib'

export type ClientOptions = {
  /** Where calls to SP-API go: a sidecar, or the simulator itself. */
  readonly base: string
  /** The simulator: the client gets its LWA access token there, and downloads documents. */
  readonly amazon: string
  /** `seller-a` by default. */
  readonly seller?: string
  /** none: every call with the LWA access token, as before a sidecar · own: RDTs by the client's own means. Default none. */
  readonly rdts?: 'none' | 'own'
  /** Headers of every call to SP-API. With them the client has no credentials, and sends no access token. */
  readonly managed?: Readonly<Record<string, string>> | undefined
  /** The client's own retry after a 429, where it has one. Default true. */
  readonly retry?: boolean
}

/** What a call gave: the personal data in it (undefined where the answer had none), and the token of the next page. */
export type Found = { readonly personal: readonly (string | undefined)[]; readonly nextToken?: string | undefined }

export const found = (personal: Found['personal']): Found => ({ personal })

/** As the models spell them; Amazon's own SDK alone has other names. */
export type Address = { Name?: string; AddressLine1?: string; Phone?: string; Email?: string }
export type Order = { BuyerInfo?: { BuyerEmail?: string }; ShippingAddress?: Pick<Address, 'Name'> }
export type Item = { BuyerInfo?: { GiftMessageText?: string } }

export const ofOrder = ({ BuyerInfo, ShippingAddress }: Order): Found['personal'] => [
  BuyerInfo?.BuyerEmail,
  ShippingAddress?.Name,
]

export type Document = { readonly url: string; readonly compressionAlgorithm?: string | undefined }
export type Resource = { readonly method: string; readonly path: string; readonly dataElements?: readonly string[] }

/** An error as the client hands it out; `status` undefined where the client keeps it to itself. */
export type ClientError = {
  readonly status: number | undefined
  readonly code: string | undefined
  readonly message: string | undefined
  readonly details: string | undefined
}

export type RealClient = {
  readonly name: string
  /** Gets the LWA access token, so that calls at once do not each get one of their own. */
  readonly warm: () => Promise<void>
  /** Of each order: the buyer's mail address and the addressee's name. */
  readonly orders: (nextToken?: string) => Promise<Found>
  /** The buyer's mail address and the addressee's name. */
  readonly order: (orderId: string) => Promise<Found>
  /** Of each item: the gift message. */
  readonly orderItems: (orderId: string, nextToken?: string) => Promise<Found>
  /** The addressee's name, street and telephone number. */
  readonly orderAddress: (orderId: string) => Promise<Found>
  /** Merchant Fulfillment: the addressee's name, street and mail address. */
  readonly shipment: (shipmentId: string) => Promise<Found>
  readonly report: (reportId: string) => Promise<{ readonly type: string; readonly documentId: string }>
  /** @param restricted what the caller knows from the report's type; matters to `rdts: own` alone. Default true. */
  readonly reportDocument: (documentId: string, restricted?: boolean) => Promise<Document>
  /** The document's text. */
  readonly download: (document: Document) => Promise<string>
  /** An RDT by the client's own createRestrictedDataToken. */
  readonly mint: (resources: readonly Resource[]) => Promise<string>
  readonly errorOf: (error: unknown) => ClientError
}

/** In the place of credentials, where a client insists on some. */
export const NONE = 'none'

/** What the simulator takes for any seller. */
export const CREDENTIALS = {
  clientId: 'amzn1.application-oa2-client.simulator',
  clientSecret: 'simulated-secret',
  refreshToken: (seller: string): string => `Atzr|${seller}`,
} as const

export const MARKETPLACE = 'ATVPDKIKX0DER'
export const SINCE = '2026-01-01T00:00:00Z'

/** The resources the calls of a RealClient need an RDT for, as a developer would write them down: specific paths. */
export const resources = {
  orders: (): Resource => get('/orders/v0/orders', ['buyerInfo', 'shippingAddress']),
  order: (id: string): Resource => get(`/orders/v0/orders/${id}`, ['buyerInfo', 'shippingAddress']),
  orderItems: (id: string): Resource => get(`/orders/v0/orders/${id}/orderItems`, ['buyerInfo']),
  orderAddress: (id: string): Resource => get(`/orders/v0/orders/${id}/address`),
  shipment: (id: string): Resource => get(`/mfn/v0/shipments/${id}`),
  document: (id: string): Resource => get(`/reports/2021-06-30/documents/${id}`),
} as const

/** For clients that leave the download of a document to their users. */
export const downloadByFetch = async ({ url, compressionAlgorithm }: Document): Promise<string> => {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`the download answered ${answer.status}`)
  const bytes = Buffer.from(await answer.arrayBuffer())
  return (compressionAlgorithm === 'GZIP' ? gunzipSync(bytes) : bytes).toString('utf8')
}

/** The first error of a body in Amazon's shape, parsed or not. */
export const firstError = (body: unknown): Omit<ClientError, 'status'> => {
  const [error] = (body as { errors?: Record<string, string>[] } | undefined)?.errors ?? []
  return { code: error?.['code'], message: error?.['message'], details: error?.['details'] }
}

const get = (path: string, dataElements?: readonly string[]): Resource => ({
  method: 'GET',
  path,
  ...(dataElements && { dataElements }),
})
