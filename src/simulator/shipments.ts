/**
 * The restricted shipping operations of sellers: Merchant Fulfillment v0, Shipment Invoicing v0, Shipping v1 and Easy
 * Ship 2022-03-23, in the models' shapes. Any shipment id exists; buying or cancelling changes no state.
 */
import { type Call, type Operation, ok, operation } from './operation.ts'
import { person, shippingAddress } from './people.ts'

const mfn = (route: string, id: string, rate: number, status: string, needsBody = false): Operation =>
  operation(route, {
    id: `mfn-v0.${id}`,
    rate,
    access: 'restricted',
    needsBody,
    answer: (call) => ok({ payload: mfnShipment(call, status) }, true),
  })

export const shipmentOperations: readonly Operation[] = [
  mfn('GET /mfn/v0/shipments/{shipmentId}', 'getShipment', 1, 'Purchased'),
  mfn('DELETE /mfn/v0/shipments/{shipmentId}', 'cancelShipment', 1, 'RefundPending'),
  mfn('PUT /mfn/v0/shipments/{shipmentId}/cancel', 'cancelShipmentOld', 1, 'RefundPending'),
  mfn('POST /mfn/v0/shipments', 'createShipment', 2, 'Purchased', true),
  operation('GET /fba/outbound/brazil/v0/shipments/{shipmentId}', {
    id: 'shipment-invoicing-v0.getShipmentDetails',
    rate: 1.133,
    access: 'restricted',
    answer: (call) => ok({ payload: shipmentDetails(call) }, true),
  }),
  operation('GET /shipping/v1/shipments/{shipmentId}', {
    id: 'shipping-v1.getShipment',
    rate: 5,
    access: 'restricted',
    answer: (call) => ok({ payload: shippingV1Shipment(call) }, true),
  }),
  operation('POST /easyShip/2022-03-23/packages/bulk', {
    id: 'easy-ship-2022-03-23.createScheduledPackageBulk',
    rate: 1,
    access: 'restricted',
    needsBody: true,
    answer: (call) => ok(scheduledPackages(call), true),
  }),
]

/** Everything the model requires: clients that check it (Amazon's Python SDK) refuse less. */
const SHIPPING_SERVICE = {
  ShippingServiceName: 'UPS Ground',
  CarrierName: 'UPS',
  ShippingServiceId: 'UPS_PTP_GND',
  ShippingServiceOfferId: 'simulated-offer',
  ShipDate: '2026-01-21T08:00:00Z',
  Rate: { CurrencyCode: 'USD', Amount: 6.5 },
  RateWithAdjustments: { CurrencyCode: 'USD', Amount: 6.5 },
  ShippingServiceOptions: { DeliveryExperience: 'NoTracking', CarrierWillPickUp: false },
  RequiresAdditionalSellerInputs: false,
}

const mfnShipment = (call: Call, status: string): object => {
  const orderId = textAt(call.body, 'ShipmentRequestDetails', 'AmazonOrderId') ?? '903-5563053-5647845'
  const shipmentId = call.id === '' ? `sim-${orderId}` : call.id
  return {
    ShipmentId: shipmentId,
    AmazonOrderId: orderId,
    SellerOrderId: `${call.seller}-${orderId}`,
    ItemList: [{ OrderItemId: '52986411826454', Quantity: 1 }],
    ShipFromAddress: mfnAddress(call.seller, 'warehouse'),
    ShipToAddress: mfnAddress(call.seller, shipmentId),
    PackageDimensions: { Length: 5, Width: 5, Height: 5, Unit: 'inches' },
    Weight: { Value: 10, Unit: 'ounces' },
    Insurance: { CurrencyCode: 'USD', Amount: 0 },
    ShippingService: SHIPPING_SERVICE,
    Label: {
      Dimensions: { Length: 11, Width: 8.5, Unit: 'inches' },
      FileContents: { Contents: label(call.seller, shipmentId), FileType: 'application/pdf', Checksum: 'simulated' },
    },
    Status: status,
    TrackingId: '1Z00000000SIMULATED',
    CreatedDate: '2026-01-20T19:49:35Z',
  }
}

const mfnAddress = (seller: string, id: string): object => {
  const { name, street, email, city, region, postalCode, country, phone } = person(seller, id)
  return {
    Name: name,
    AddressLine1: street,
    Email: email,
    City: city,
    StateOrProvinceCode: region,
    PostalCode: postalCode,
    CountryCode: country,
    Phone: phone,
  }
}

const shipmentDetails = (call: Call): object => {
  const buyer = person(call.seller, call.id)
  return {
    WarehouseId: 'SIM1',
    AmazonOrderId: '903-5563053-5647845',
    AmazonShipmentId: call.id,
    PurchaseDate: '2026-01-20T19:49:35Z',
    ShippingAddress: shippingAddress(buyer),
    MarketplaceId: 'A2Q3Y263D00KWC',
    SellerId: call.seller,
    BuyerName: buyer.name,
    BuyerCounty: buyer.city,
    BuyerTaxInfo: { CompanyLegalName: `${buyer.name} Trading`, TaxingRegion: 'BR', TaxClassifications: [] },
    SellerDisplayName: call.seller,
    ShipmentItems: [{ ASIN: 'B00551Q3CS', SellerSKU: 'SIM-SKU-1', Quantity: 1 }],
  }
}

const shippingV1Shipment = (call: Call): object => ({
  shipmentId: call.id,
  clientReferenceId: `${call.seller}-${call.id}`,
  shipFrom: shippingV1Address(call.seller, 'warehouse'),
  shipTo: shippingV1Address(call.seller, call.id),
  acceptedRate: { totalCharge: { value: 10, unit: 'USD' }, serviceType: 'Amazon Shipping Standard' },
  shipper: { accountId: '000000000' },
  containers: [],
})

const shippingV1Address = (seller: string, id: string): object => {
  const { name, street, city, region, postalCode, country, email, phone } = person(seller, id)
  return {
    name,
    addressLine1: street,
    city,
    stateOrRegion: region,
    postalCode,
    countryCode: country,
    email,
    phoneNumber: phone,
  }
}

/** The URL leads to shipping labels, which is why the operation is a restricted one. */
const scheduledPackages = (call: Call): object => ({
  scheduledPackages: [
    {
      scheduledPackageId: { amazonOrderId: '903-5563053-5647845', packageId: 'sim-package-1' },
      packageStatus: 'ReadyForPickup',
      trackingDetails: { trackingId: '1Z00000000SIMULATED' },
    },
  ],
  rejectedOrders: [],
  printableDocumentsUrl: call.documentUrl('easy-ship-labels'),
})

const label = (seller: string, id: string): string =>
  Buffer.from(`Simulated label\n${Object.values(person(seller, id)).join('\n')}\n`).toString('base64')

const textAt = (value: unknown, ...keys: readonly string[]): string | undefined => {
  const found = keys.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), value)
  return typeof found === 'string' ? found : undefined
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
