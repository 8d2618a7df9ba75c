/** curl: a process for each call, one more for its LWA access token, and with RDTs of its own one more for each of them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import {
  type Address,
  type ClientOptions,
  CREDENTIALS,
  firstError,
  found,
  type Item,
  MARKETPLACE,
  type Order,
  ofOrder,
  type RealClient,
  type Resource,
  resources,
  SINCE,
} from './client.ts'

type Json = Readonly<Record<string, unknown>>
type Payload<T> = { readonly payload: T }

/** What a script does with an answer that is no 2xx: it has the status and the body. */
type CurlError = Error & { readonly status: number; readonly body: unknown }

export const curl = ({ base, amazon, seller = 'seller-a', rdts = 'none', managed }: ClientOptions): RealClient => {
  let accessToken: Promise<string> | undefined
  const token = (): Promise<string> => (accessToken ??= getAccessToken(amazon, seller))
  const proof = async (rdt?: string): Promise<readonly string[]> => {
    const headers = managed ?? { 'x-amz-access-token': rdt ?? (await token()) }
    return Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  }

  const post = async <T>(path: string, body: object): Promise<T> =>
    json(await ask([`${base}${path}`, ...(await proof()), '--json', JSON.stringify(body)]))

  const mint = async (list: readonly Resource[]): Promise<string> => {
    const path = '/tokens/2021-03-01/restrictedDataToken'
    return (await post<{ restrictedDataToken: string }>(path, { restrictedResources: list })).restrictedDataToken
  }
  const get = async <T>(path: string, query: Readonly<Record<string, string | undefined>> = {}, rdt?: string) => {
    const given = Object.entries(query).filter(([, value]) => value !== undefined)
    const parameters = given.flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`])
    return json<T>(await ask(['-G', `${base}${path}`, ...(await proof(rdt)), ...parameters]))
  }
  const restricted = async <T>(resource: Resource, query: Readonly<Record<string, string | undefined>> = {}) =>
    get<T>(resource.path, query, rdts === 'own' ? await mint([resource]) : undefined)

  return {
    name: 'curl',
    warm: async () => void (await token()),

    orders: async (nextToken) => {
      const query = { MarketplaceIds: MARKETPLACE, CreatedAfter: SINCE, NextToken: nextToken }
      type Page = Payload<{ Orders: Order[]; NextToken?: string }>
      const { payload } = await restricted<Page>(resources.orders(), query)
      return { personal: payload.Orders.flatMap(ofOrder), nextToken: payload.NextToken }
    },
    order: async (orderId) => found(ofOrder((await restricted<Payload<Order>>(resources.order(orderId))).payload)),
    orderItems: async (orderId, nextToken) => {
      type Page = Payload<{ OrderItems: Item[]; NextToken?: string }>
      const { payload } = await restricted<Page>(resources.orderItems(orderId), { NextToken: nextToken })
      const messages = payload.OrderItems.map((item) => item.BuyerInfo?.GiftMessageText)
      return { personal: messages, nextToken: payload.NextToken }
    },
    orderAddress: async (orderId) => {
      type Answer = Payload<{ ShippingAddress?: Address }>
      const { ShippingAddress: to } = (await restricted<Answer>(resources.orderAddress(orderId))).payload
      return found([to?.Name, to?.AddressLine1, to?.Phone])
    },
    shipment: async (shipmentId) => {
      type Answer = Payload<{ ShipToAddress?: Address }>
      const { ShipToAddress: to } = (await restricted<Answer>(resources.shipment(shipmentId))).payload
      return found([to?.Name, to?.AddressLine1, to?.Email])
    },

    report: async (reportId) => {
      type Report = { reportType: string; reportDocumentId: string }
      const report = await get<Report>(`/reports/2021-06-30/reports/${reportId}`)
      return { type: report.reportType, documentId: report.reportDocumentId }
    },
    reportDocument: (documentId, isRestricted = true) =>
      isRestricted ? restricted(resources.document(documentId)) : get(resources.document(documentId).path),
    download: async ({ url, compressionAlgorithm }) => {
      const { body } = await ask([url])
      return (compressionAlgorithm === 'GZIP' ? gunzipSync(body) : body).toString('utf8')
    },

    mint,
    errorOf: (error) => {
      const { status, body } = error as CurlError
      return { status, ...firstError(body) }
    },
  }
}

const getAccessToken = async (amazon: string, seller: string): Promise<string> => {
  const form = {
    grant_type: 'refresh_token',
    refresh_token: CREDENTIALS.refreshToken(seller),
    client_id: CREDENTIALS.clientId,
    client_secret: CREDENTIALS.clientSecret,
  }
  const fields = Object.entries(form).flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`])
  return json<{ access_token: string }>(await ask([`${amazon}/auth/o2/token`, ...fields])).access_token
}

const run = promisify(execFile)
type Answer = { readonly status: number; readonly body: Buffer }

/** Runs curl with a line after the body that holds the status. */
const ask = async (args: readonly string[]): Promise<Answer> => {
  const all = ['--silent', '--show-error', '--max-time', '30', '--write-out', '\n%{http_code}', ...args]
  const { stdout } = await run('curl', all, { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 })
  const end = stdout.lastIndexOf(0x0a)
  return { status: Number(stdout.subarray(end + 1).toString()), body: stdout.subarray(0, end) }
}

const json = <T>({ status, body }: Answer): T => {
  const parsed = JSON.parse(body.toString('utf8')) as Json
  if (status >= 300) throw Object.assign(new Error(`status ${status}`), { status, body: parsed })
  return parsed as T
}
