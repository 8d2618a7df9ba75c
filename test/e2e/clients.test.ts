/** The clients that Node developers use, unmodified, in front of a sidecar and the simulator: do they get personal data? */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { person } from '../../src/simulator/people.ts'
import { documentId, documentText, reportId } from '../../src/simulator/reports.ts'
import type { LogEntry } from '../../src/simulator/types.ts'
import { CLIENTS } from '../support/clients/all.ts'
import type { RealClient } from '../support/clients/client.ts'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { startPair } from '../support/pair.ts'
import { needs } from '../support/tools.ts'

const SELLER = 'seller-a'
const ORDER = '902-1845936-5435001'
const orderNumber = (n: number): string => `902-1845936-${5_435_000 + n}`

/** One look at everything: two pages of orders, an order, two pages of its items, its address, a shipment, a document. */
const look = async (client: RealClient) => {
  const orders = await client.orders()
  const moreOrders = await client.orders(orders.nextToken)
  const order = await client.order(ORDER)
  const items = await client.orderItems(ORDER)
  const moreItems = await client.orderItems(ORDER, items.nextToken)
  const address = await client.orderAddress(ORDER)
  const shipment = await client.shipment('shipment-1')
  const report = await client.report(reportId(1))
  const document = await client.download(await client.reportDocument(report.documentId))
  const open = await client.report(reportId(2))
  const openDocument = await client.download(await client.reportDocument(open.documentId, false))
  return {
    orders: [...orders.personal, ...moreOrders.personal],
    order: order.personal,
    items: [items.personal, moreItems.personal],
    address: address.personal,
    shipment: shipment.personal,
    document,
    openDocument,
  }
}

const lookAgain = async (client: RealClient): Promise<void> => {
  assert.deepEqual((await client.order(ORDER)).personal, EVERYTHING.order)
  assert.deepEqual((await client.orderAddress(ORDER)).personal, EVERYTHING.address)
}

const { name, street, email, phone } = person(SELLER, ORDER)
const addressee = person(SELLER, 'shipment-1')
const EVERYTHING = {
  orders: [1, 2, 3, 4, 5, 6].flatMap((n) => [
    person(SELLER, orderNumber(n)).email,
    person(SELLER, orderNumber(n)).name,
  ]),
  order: [email, name],
  items: [[`For you, from ${name}`], [`For you, from ${name}`]],
  address: [name, street, phone],
  shipment: [addressee.name, addressee.street, addressee.email],
  document: documentText(documentId(1)),
  openDocument: documentText(documentId(2)),
}

/** Kind of token, and whether personal data was in the answer, of every call of a look. */
const CALLS = [
  'orders-v0.getOrders rdt pii',
  'orders-v0.getOrders rdt pii',
  'orders-v0.getOrder rdt pii',
  'orders-v0.getOrderItems rdt pii',
  'orders-v0.getOrderItems rdt pii',
  'orders-v0.getOrderAddress rdt pii',
  'mfn-v0.getShipment rdt pii',
  'reports-2021-06-30.getReport lwa',
  'reports-2021-06-30.getReportDocument rdt pii',
  'reports-2021-06-30.getReport lwa',
  'reports-2021-06-30.getReportDocument lwa',
]
const told = (calls: readonly LogEntry[]): readonly string[] =>
  calls.map(({ operation, token, pii }) => `${operation} ${token}${pii ? ' pii' : ''}`)

for (const [title, make] of Object.entries(CLIENTS)) {
  describe(title, { skip: title === 'curl' && needs('curl') }, () => {
    it('gets all personal data through the sidecar, asking for no RDT itself', async (t) => {
      const pair = await startPair(t)
      const client = make({ base: pair.base, amazon: pair.amazon, seller: SELLER })
      assert.deepEqual(await look(client), EVERYTHING)
      assert.deepEqual(told(pair.calls()), CALLS)
      assert.equal(pair.mints().length, 6, 'one for each restricted operation, pages share theirs')
      await lookAgain(client)
      assert.equal((await client.order(orderNumber(2))).personal[0], person(SELLER, orderNumber(2)).email)
      assert.equal(pair.mints().length, 6, 'a second look costs none, nor does another order')
    })

    it('gets the same with its own RDT code on, each question asked of Amazon once', async (t) => {
      const pair = await startPair(t)
      const client = make({ base: pair.base, amazon: pair.amazon, seller: SELLER, rdts: 'own' })
      assert.deepEqual(await look(client), EVERYTHING)
      assert.deepEqual(told(pair.calls()), CALLS)
      await lookAgain(client)
      assert.equal(pair.mints().length, 6)
      assert.equal((await client.order(orderNumber(2))).personal[0], person(SELLER, orderNumber(2)).email)
      assert.equal(pair.mints().length, 7, 'its RDTs are for one order: another order is another mint')
    })

    it('gets the same without any credential, in the name of a managed seller', async (t) => {
      const pair = await startManaged(t, { sellers: ['seller-b', SELLER] })
      const managed = { 'x-rdt-seller': SELLER, 'x-rdt-caller-token': CALLER_TOKEN }
      const client = make({ base: pair.base, amazon: pair.amazon, managed })
      assert.deepEqual(await look(client), EVERYTHING)
      assert.deepEqual(told(pair.calls()), CALLS)
      assert.equal(pair.mints().length, 6)
      assert.deepEqual(
        pair.lwa().map(({ seller, headers }) => [seller, headers['user-agent']]),
        [[SELLER, 'rdt-sidecar/0.0.0-test']],
        'the client asked Login with Amazon for nothing',
      )
      const leaked = pair
        .calls()
        .filter(({ headers }) => Object.keys(headers).some((name) => name.startsWith('x-rdt-')))
      assert.deepEqual(leaked, [])
    })

    it('directly with its own RDT code mints for every call, a page too', async (t) => {
      const { amazon, mints, simulator } = await startPair(t)
      simulator.control({ mintBurst: 20 })
      const client = make({ base: amazon, amazon, seller: SELLER, rdts: 'own' })
      assert.deepEqual(await look(client), EVERYTHING)
      await lookAgain(client)
      assert.equal(mints().length, 8 + 2)
    })

    it('directly and without RDTs gets no personal data, or a 403', async (t) => {
      const { amazon } = await startPair(t)
      const client = make({ base: amazon, amazon, seller: SELLER })
      assert.deepEqual((await client.order(ORDER)).personal, [undefined, undefined])
      assert.deepEqual((await client.orderItems(ORDER)).personal, [undefined])
      assert.deepEqual((await client.orderAddress(ORDER)).personal, [undefined, undefined, undefined])
      for (const refused of [() => client.shipment('shipment-1'), () => client.reportDocument(documentId(1))]) {
        await assert.rejects(refused, (error) => client.errorOf(error).code === 'Unauthorized')
      }
    })
  })
}
