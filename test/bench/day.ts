/**
 * A day's work of a service that ships orders for several selling partners, the same for whoever does it: which calls, in
 * which order, by how many workers. Knows nothing of RDTs.
 */
import { documentId, isRestrictedReport, reportId } from '../../src/simulator/reports.ts'
import type { RealClient } from '../support/clients/client.ts'
import { type Job as AnyJob, type Jobs as AnyJobs, range } from './count.ts'

/** What the day asks of a client; each is one call to one operation. */
export type DayClient = Pick<
  RealClient,
  'warm' | 'order' | 'orderItems' | 'orderAddress' | 'shipment' | 'report' | 'reportDocument'
>
type Job = AnyJob<DayClient>
type Jobs = AnyJobs<DayClient>

/** How much there is to do, for all selling partners together. */
export type Size = {
  readonly sellers: number
  readonly orders: number
  readonly shipments: number
  /** Half of them restricted. */
  readonly documents: number
}
export const DAY: Size = { sellers: 3, orders: 2000, shipments: 300, documents: 200 }

/** Calls of a day whose answers hold personal data, if it goes well. */
export const personalIn = ({ orders, shipments, documents }: Size): number =>
  5 * orders + shipments + Math.ceil(documents / 2)

/** Every order, shipment and report; then every order again. */
export const jobsOf = (seller: number, { sellers, orders, shipments, documents }: Size): Jobs => {
  const mine = (count: number): readonly number[] => range(count).filter((i) => i % sellers === seller)
  const orderIds = mine(orders).map((i) => `902-1845936-${5_000_000 + i}`)
  const shipmentIds = mine(shipments).map((i) => `sim-${i}`)
  const reports = mine(documents).map((i) => i + 1)
  return [
    [...orderIds.map(readOrder), ...shipmentIds.map(readShipment), ...reports.map(readReport)],
    orderIds.map(lookAgain),
  ]
}

const readOrder =
  (id: string): Job =>
  async (client, insist) => {
    await insist(() => client.order(id))
    const { nextToken } = await insist(() => client.orderItems(id))
    await insist(() => client.orderItems(id, nextToken))
    await insist(() => client.orderAddress(id))
  }
const readShipment =
  (id: string): Job =>
  (client, insist) =>
    insist(() => client.shipment(id))
/** Its type tells a developer whether the document is restricted. */
const readReport =
  (n: number): Job =>
  async (client, insist) => {
    await insist(() => client.report(reportId(n)))
    await insist(() => client.reportDocument(documentId(n), isRestrictedReport(n)))
  }
/** Before it is shipped: is it still to be, and where to? */
const lookAgain =
  (id: string): Job =>
  (client, insist) =>
    insist(() => client.order(id))
