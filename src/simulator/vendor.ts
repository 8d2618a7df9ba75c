/**
 * Vendor Direct Fulfillment: Orders and Shipping, each as v1 (answers wrapped in `payload`) and as 2021-12-28 (flat),
 * in the models' shapes. All restricted but the POST on the label lists. Any purchase order number exists; lists have one page.
 */
import { type Call, type Operation, ok, operation } from './operation.ts'
import { person } from './people.ts'

type Version = 'v1' | '2021-12-28'
type Thing = (call: Call, purchaseOrder: string) => object

const ORDERS = '/vendor/directFulfillment/orders'
const SHIPPING = '/vendor/directFulfillment/shipping'

export const vendorOperations: readonly Operation[] = (['v1', '2021-12-28'] as const)
  .flatMap((version) => [
    ...listAndOne(
      version,
      'df-orders',
      `${ORDERS}/${version}/purchaseOrders`,
      'orders',
      ['getOrders', 'getOrder'],
      order,
    ),
    ...listAndOne(
      version,
      'df-shipping',
      `${SHIPPING}/${version}/shippingLabels`,
      'shippingLabels',
      ['getShippingLabels', 'getShippingLabel'],
      shippingLabel,
    ),
    ...listAndOne(
      version,
      'df-shipping',
      `${SHIPPING}/${version}/packingSlips`,
      'packingSlips',
      ['getPackingSlips', 'getPackingSlip'],
      packingSlip,
    ),
    ...listAndOne(
      version,
      'df-shipping',
      `${SHIPPING}/${version}/customerInvoices`,
      'customerInvoices',
      ['getCustomerInvoices', 'getCustomerInvoice'],
      customerInvoice,
    ),
    labelRequest(version),
  ])
  .concat(
    operation(`POST ${SHIPPING}/2021-12-28/shippingLabels/{purchaseOrderNumber}`, {
      id: 'df-shipping-2021-12-28.createShippingLabels',
      rate: 10,
      access: 'restricted',
      needsBody: true,
      answer: (call) => ok(shippingLabel(call, call.id), true),
    }),
  )

/** A restricted list and its single item, which is how the API is built throughout. */
function listAndOne(
  version: Version,
  api: string,
  path: string,
  key: string,
  [many, one]: readonly [string, string],
  thing: Thing,
): readonly Operation[] {
  const wrap = (body: object) => (version === 'v1' ? { payload: body } : body)
  return [
    operation(`GET ${path}`, {
      id: `${api}-${version}.${many}`,
      rate: 10,
      access: 'restricted',
      answer: (call) =>
        ok(wrap({ pagination: {}, [key]: ['SIMPO0001', 'SIMPO0002'].map((id) => thing(call, id)) }), true),
    }),
    operation(`GET ${path}/{purchaseOrderNumber}`, {
      id: `${api}-${version}.${one}`,
      rate: 10,
      access: 'restricted',
      answer: (call) => ok(wrap(thing(call, call.id)), true),
    }),
  ]
}

/** Asking for labels to be made returns nothing personal: not restricted, though its path's GET is. */
function labelRequest(version: Version): Operation {
  const transaction = { transactionId: 'sim-transaction-1' }
  return operation(`POST ${SHIPPING}/${version}/shippingLabels`, {
    id: `df-shipping-${version}.submitShippingLabelRequest`,
    rate: 10,
    access: 'open',
    needsBody: true,
    answer: () => ({ status: 202, body: version === 'v1' ? { payload: transaction } : transaction, pii: false }),
  })
}

function order(call: Call, purchaseOrder: string): object {
  return {
    purchaseOrderNumber: purchaseOrder,
    orderDetails: {
      customerOrderNumber: `${call.seller}-${purchaseOrder}`,
      orderDate: '2026-01-20T19:49:35Z',
      orderStatus: 'NEW',
      shipmentDetails: { isPriorityShipment: false, isPslipRequired: true, shipMethod: 'UPS_2ND' },
      sellingParty: { partyId: 'SIMV1' },
      shipFromParty: { partyId: 'SIMW1' },
      shipToParty: party(call.seller, purchaseOrder),
      billToParty: { partyId: 'SIMB1' },
      items: [
        {
          itemSequenceNumber: '1',
          buyerProductIdentifier: 'B00551Q3CS',
          title: 'Simulated article',
          orderedQuantity: { amount: 1, unitOfMeasure: 'Each' },
          netPrice: { currencyCode: 'USD', amount: '10.00' },
        },
      ],
    },
  }
}

function shippingLabel(call: Call, purchaseOrder: string): object {
  return {
    purchaseOrderNumber: purchaseOrder,
    sellingParty: { partyId: 'SIMV1' },
    shipFromParty: { partyId: 'SIMW1' },
    labelFormat: 'PNG',
    labelData: [{ packageIdentifier: 'SIMPKG1', trackingNumber: '1Z00SIMULATED', content: paper(call, purchaseOrder) }],
  }
}

function packingSlip(call: Call, purchaseOrder: string): object {
  return {
    purchaseOrderNumber: purchaseOrder,
    content: paper(call, purchaseOrder),
    contentType: 'application/pdf',
  }
}

function customerInvoice(call: Call, purchaseOrder: string): object {
  return { purchaseOrderNumber: purchaseOrder, content: paper(call, purchaseOrder) }
}

function party(seller: string, purchaseOrder: string): object {
  const { name, street, city, region, postalCode, country, phone } = person(seller, purchaseOrder)
  return { name, addressLine1: street, city, stateOrRegion: region, postalCode, countryCode: country, phone }
}

/** A printed page with a person's address on it, base64. */
function paper(call: Call, purchaseOrder: string): string {
  const lines = Object.values(person(call.seller, purchaseOrder))
  return Buffer.from(`Simulated document ${purchaseOrder}\n${lines.join('\n')}\n`).toString('base64')
}
