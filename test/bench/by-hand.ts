/**
 * What a careful team writes itself around amazon-sp-api: an RDT for all resources of an operation, kept for its hour, its
 * mint shared by all who wait for it; one of its own for each restricted report document.
 */
import { amazonSpApi } from '../support/clients/amazon-sp-api.ts'
import { type Resource, resources } from '../support/clients/client.ts'
import type { Place } from './count.ts'
import type { DayClient } from './day.ts'

const MARGIN_MS = 60_000
const HOUR_MS = 3_600_000

export const amazonSpApiByHand = (place: Place): DayClient => {
  const { client, mint, ...plain } = amazonSpApi({ ...place, rdts: 'none' })
  const kept = new Map<string, { readonly rdt: Promise<string>; readonly until: number }>()

  const keptFor = (resource: Resource): Promise<string> => {
    const known = kept.get(resource.path)
    if (known && Date.now() < known.until) return known.rdt
    const rdt = mint([resource])
    kept.set(resource.path, { rdt, until: Date.now() + HOUR_MS - MARGIN_MS })
    return rdt
  }
  const call = async (operation: string, rdt: string, parameters: object): Promise<unknown> =>
    client.callAPI({ operation: operation as never, ...parameters, restricted_data_token: rdt })

  return {
    ...plain,
    order: async (orderId) => {
      await call('orders.getOrder', await keptFor(resources.order('{orderId}')), { path: { orderId } })
      return NOTHING
    },
    orderItems: async (orderId, nextToken) => {
      const rdt = await keptFor(resources.orderItems('{orderId}'))
      const parameters = { path: { orderId }, ...(nextToken && { query: { NextToken: nextToken } }) }
      const page = (await call('orders.getOrderItems', rdt, parameters)) as { NextToken?: string }
      return { ...NOTHING, nextToken: page.NextToken }
    },
    orderAddress: async (orderId) => {
      await call('orders.getOrderAddress', await keptFor(resources.orderAddress('{orderId}')), { path: { orderId } })
      return NOTHING
    },
    shipment: async (shipmentId) => {
      const rdt = await keptFor(resources.shipment('{shipmentId}'))
      await call('merchantFulfillment.getShipment', rdt, { path: { shipmentId } })
      return NOTHING
    },
    reportDocument: async (reportDocumentId, restricted = true) => {
      if (!restricted) return plain.reportDocument(reportDocumentId, false)
      const rdt = await mint([resources.document(reportDocumentId)])
      return (await call('reports.getReportDocument', rdt, { path: { reportDocumentId } })) as { url: string }
    },
  }
}

/** The simulator sees what personal data there was. */
const NOTHING = { personal: [] } as const
