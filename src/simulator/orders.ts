/**
 * Orders API v0: the seven restricted operations, in the model's shape (ordersV0.json), and the two calls on the same
 * paths that are not restricted. Any order id exists. Personal data is left out entirely, not masked, where the token
 * does not entitle to it.
 */
import { type Call, type Operation, type Outcome, ok, operation } from './operation.ts'
import { person, shippingAddress } from './people.ts'

const ORDER_ELEMENTS = ['buyerInfo', 'shippingAddress', 'buyerTaxInformation']

/** Base64 with every character a careless client forgets to encode. */
const NEXT_TOKEN = 'c2ltdWxhdGVk+cGFnZQ/Mg=='

export const ordersOperations: readonly Operation[] = [
  operation('GET /orders/v0/orders', {
    id: 'orders-v0.getOrders',
    rate: 0.0167,
    access: 'optional',
    takes: ORDER_ELEMENTS,
    answer: (call) => paged(call, (page) => ({ Orders: orderIds(page).map((id) => order(call, id)) }), seesAny(call)),
  }),
  operation('GET /orders/v0/orders/{orderId}', {
    id: 'orders-v0.getOrder',
    rate: 0.5,
    access: 'optional',
    takes: ORDER_ELEMENTS,
    answer: (call) => ok({ payload: order(call, call.id) }, seesAny(call)),
  }),
  operation('GET /orders/v0/orders/{orderId}/orderItems', {
    id: 'orders-v0.getOrderItems',
    rate: 0.5,
    access: 'optional',
    takes: ['buyerInfo'],
    answer: (call) =>
      paged(
        call,
        (page) => ({ AmazonOrderId: call.id, OrderItems: items(call, page) }),
        call.elements.has('buyerInfo'),
      ),
  }),
  operation('GET /orders/v0/orders/{orderId}/address', {
    id: 'orders-v0.getOrderAddress',
    rate: 0.5,
    access: 'optional',
    answer: (call) =>
      partly(call, { AmazonOrderId: call.id }, () => ({ ShippingAddress: orderAddress(call.seller, call.id) })),
  }),
  operation('GET /orders/v0/orders/{orderId}/buyerInfo', {
    id: 'orders-v0.getOrderBuyerInfo',
    rate: 0.5,
    access: 'optional',
    answer: (call) => partly(call, { AmazonOrderId: call.id }, () => buyerInfo(call.seller, call.id)),
  }),
  operation('GET /orders/v0/orders/{orderId}/orderItems/buyerInfo', {
    id: 'orders-v0.getOrderItemsBuyerInfo',
    rate: 0.5,
    access: 'optional',
    answer: (call) =>
      partly(call, { AmazonOrderId: call.id, OrderItems: [{ OrderItemId: itemId(1) }] }, () => ({
        OrderItems: [{ OrderItemId: itemId(1), ...itemBuyerInfo(call) }],
      })),
  }),
  operation('GET /orders/v0/orders/{orderId}/regulatedInfo', {
    id: 'orders-v0.getOrderRegulatedInfo',
    rate: 0.5,
    access: 'restricted',
    answer: (call) => ok({ payload: regulatedInfo(call) }, true),
  }),
  operation('PATCH /orders/v0/orders/{orderId}/regulatedInfo', {
    id: 'orders-v0.updateVerificationStatus',
    rate: 0.5,
    access: 'open',
    needsBody: true,
    answer: () => ({ status: 204, body: undefined, pii: false }),
  }),
  operation('POST /orders/v0/orders/{orderId}/shipment', {
    id: 'orders-v0.updateShipmentStatus',
    rate: 5,
    access: 'open',
    needsBody: true,
    answer: () => ({ status: 204, body: undefined, pii: false }),
  }),
]

/** Two pages: the first names the second by NextToken, the second names none. */
const paged = (call: Call, page: (number: 1 | 2) => object, pii: boolean): Outcome => {
  const token = call.query.get('NextToken')
  if (token === undefined) return ok({ payload: { ...page(1), NextToken: NEXT_TOKEN } }, pii)
  if (token === NEXT_TOKEN) return ok({ payload: page(2) }, pii)
  const errors = [
    { code: 'InvalidInput', message: 'Invalid Input', details: 'NextToken is not one this simulator gave.' },
  ]
  return { status: 400, body: { errors }, pii: false }
}

const partly = (call: Call, rest: object, personal: () => object): Outcome =>
  ok({ payload: call.covered ? { ...rest, ...personal() } : rest }, call.covered)

const seesAny = (call: Call): boolean => call.elements.size > 0

const orderIds = (page: 1 | 2): readonly string[] =>
  [1, 2, 3].map((n) => `902-1845936-${5_435_000 + (page - 1) * 3 + n}`)

const order = (call: Call, id: string): object => ({
  AmazonOrderId: id,
  SellerOrderId: `${call.seller}-${id}`,
  PurchaseDate: '2026-01-20T19:49:35Z',
  LastUpdateDate: '2026-01-20T19:49:35Z',
  OrderStatus: 'Unshipped',
  FulfillmentChannel: 'MFN',
  SalesChannel: 'Amazon.com',
  ShipServiceLevel: 'Std US D2D Dom',
  OrderTotal: { CurrencyCode: 'USD', Amount: '11.01' },
  NumberOfItemsShipped: 0,
  NumberOfItemsUnshipped: 1,
  PaymentMethod: 'Other',
  MarketplaceId: 'ATVPDKIKX0DER',
  OrderType: 'StandardOrder',
  EarliestShipDate: '2026-01-21T08:00:00Z',
  LatestShipDate: '2026-01-23T07:59:59Z',
  IsBusinessOrder: false,
  IsPrime: false,
  ...(call.elements.has('buyerInfo') && { BuyerInfo: buyerInfo(call.seller, id) }),
  ...(call.elements.has('shippingAddress') && { ShippingAddress: orderAddress(call.seller, id) }),
  ...(call.elements.has('buyerTaxInformation') && { BuyerTaxInformation: taxInformation(call.seller, id) }),
})

const buyerInfo = (seller: string, id: string): object => {
  const { email, name } = person(seller, id)
  return { BuyerEmail: email, BuyerName: name, PurchaseOrderNumber: `PO-${id.slice(-7)}` }
}

const orderAddress = (seller: string, id: string): object => ({
  ...shippingAddress(person(seller, id)),
  AddressType: 'Residential',
})

const taxInformation = (seller: string, id: string): object => ({
  BuyerLegalCompanyName: `${person(seller, id).name} Trading`,
  BuyerBusinessAddress: person(seller, id).street,
  BuyerTaxRegistrationId: '000000000',
  BuyerTaxOffice: person(seller, id).city,
})

const itemId = (n: number): string => String(68_280_000_000_000 + n)

const items = (call: Call, page: 1 | 2): readonly object[] => [
  {
    ASIN: 'B00551Q3CS',
    OrderItemId: itemId(page),
    SellerSKU: `SIM-SKU-${page}`,
    Title: 'Simulated article',
    QuantityOrdered: 1,
    QuantityShipped: 0,
    ItemPrice: { CurrencyCode: 'USD', Amount: '10.00' },
    ...(call.elements.has('buyerInfo') && { BuyerInfo: itemBuyerInfo(call) }),
  },
]

const itemBuyerInfo = (call: Call): object => ({
  GiftMessageText: `For you, from ${person(call.seller, call.id).name}`,
  GiftWrapLevel: 'Classic',
  GiftWrapPrice: { CurrencyCode: 'USD', Amount: '1.99' },
})

const regulatedInfo = (call: Call): object => ({
  AmazonOrderId: call.id,
  RegulatedInformation: {
    Fields: [
      {
        FieldId: 'pets_prescription_owner_name',
        FieldLabel: 'Name',
        FieldType: 'Text',
        FieldValue: person(call.seller, call.id).name,
      },
    ],
  },
  RequiresDosageLabel: false,
  RegulatedOrderVerificationStatus: { Status: 'Pending', RequiresMerchantAction: true, ValidRejectionReasons: [] },
})
