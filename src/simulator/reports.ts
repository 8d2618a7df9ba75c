/**
 * Reports API 2021-06-30: an unbounded, deterministic set of finished reports. Report n has id `50000<n>` and one
 * document; odd n are of a restricted type, even n are not. Nothing can be created.
 */
import { type Call, type Operation, type Outcome, ok, operation } from './operation.ts'
import { person } from './people.ts'

/** Amazon's list of 2021 of the report types whose documents need an RDT. */
const RESTRICTED_TYPES = [
  'GET_AMAZON_FULFILLED_SHIPMENTS_DATA_INVOICING',
  'GET_AMAZON_FULFILLED_SHIPMENTS_DATA_TAX',
  'GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING',
  'GET_FLAT_FILE_ORDER_REPORT_DATA_SHIPPING',
  'GET_FLAT_FILE_ORDER_REPORT_DATA_INVOICING',
  'GET_FLAT_FILE_ORDER_REPORT_DATA_TAX',
  'GET_FLAT_FILE_ORDERS_RECONCILIATION_DATA_TAX',
  'GET_FLAT_FILE_ORDERS_RECONCILIATION_DATA_INVOICING',
  'GET_FLAT_FILE_ORDERS_RECONCILIATION_DATA_SHIPPING',
  'GET_ORDER_REPORT_DATA_INVOICING',
  'GET_ORDER_REPORT_DATA_TAX',
  'GET_ORDER_REPORT_DATA_SHIPPING',
  'GET_EASYSHIP_DOCUMENTS',
  'GET_GST_MTR_B2B_CUSTOM',
  'GET_VAT_TRANSACTION_DATA',
  'SC_VAT_TAX_REPORT',
]

const OPEN_TYPES = [
  'GET_MERCHANT_LISTINGS_ALL_DATA',
  'GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA',
  'GET_SALES_AND_TRAFFIC_REPORT',
]

const MOST_SEARCHED = 10_000

/** The id of report n (n = 1, 2, …). */
export const reportId = (n: number): string => `50000${n}`

/** The id of report n's document. */
export const documentId = (n: number): string =>
  `amzn1.spdoc.1.4.na.5f0c2a10-7d3e-4b6a-9c41-${n.toString(16).padStart(12, '0')}`

/** Which report a document id belongs to; undefined when there is no such document. */
export const documentNumber = (id: string): number | undefined => {
  const n = Number.parseInt(id.slice(-12), 16)
  return n >= 1 && documentId(n) === id ? n : undefined
}

/** Whether report n is of a restricted type, so that its document needs an RDT. */
export const isRestrictedReport = (n: number): boolean => n % 2 === 1

/** The path template documents live under; an RDT can be had for single documents only. */
export const DOCUMENTS = '/reports/2021-06-30/documents/'

export const reportsOperations: readonly Operation[] = [
  operation('GET /reports/2021-06-30/reports', {
    id: 'reports-2021-06-30.getReports',
    rate: 0.0222,
    access: 'open',
    answer: (call) => listReports(call),
  }),
  operation('GET /reports/2021-06-30/reports/{reportId}', {
    id: 'reports-2021-06-30.getReport',
    rate: 2,
    access: 'open',
    answer: (call) => {
      const n = Number(call.id.slice(5))
      return Number.isSafeInteger(n) && n >= 1 && reportId(n) === call.id ? ok(report(n)) : missing()
    },
  }),
  operation(`GET ${DOCUMENTS}{reportDocumentId}`, {
    id: 'reports-2021-06-30.getReportDocument',
    rate: 0.0167,
    access: 'document',
    answer: (call) => {
      const n = documentNumber(call.id)
      return n === undefined ? missing() : ok(reportDocument(call), isRestrictedReport(n))
    },
  }),
]

/** What stands in a document: a small table, of people where the report is a restricted one. */
export const documentText = (id: string): string => {
  const n = documentNumber(id)
  if (n !== undefined && !isRestrictedReport(n)) return 'seller-sku\tasin\tquantity\nSIM-SKU-1\tB00551Q3CS\t12\n'
  const rows = ['1', '2'].map((row) => [id.slice(-4) + row, ...Object.values(person(id, row))].join('\t'))
  return `${['order-id\tname\temail\tphone\tstreet\tcity\tregion\tpostal-code\tcountry', ...rows].join('\n')}\n`
}

const listReports = (call: Call): Outcome => {
  const size = Number(call.query.get('pageSize') ?? 10)
  if (!Number.isInteger(size) || size < 1 || size > 100) return badPageSize()
  const wanted = call.query.get('reportTypes')?.split(',')
  const reports: object[] = []
  for (let n = 1; reports.length < size && n <= MOST_SEARCHED; n += 1) {
    if (wanted === undefined || wanted.includes(reportType(n))) reports.push(report(n))
  }
  return ok({ reports })
}

const report = (n: number): object => ({
  reportId: reportId(n),
  reportType: reportType(n),
  processingStatus: 'DONE',
  marketplaceIds: ['ATVPDKIKX0DER'],
  createdTime: '2026-01-20T19:49:35+00:00',
  processingStartTime: '2026-01-20T19:49:40+00:00',
  processingEndTime: '2026-01-20T19:50:10+00:00',
  reportDocumentId: documentId(n),
})

const reportDocument = (call: Call): object => ({
  reportDocumentId: call.id,
  compressionAlgorithm: 'GZIP',
  url: call.documentUrl(call.id),
})

const reportType = (n: number): string => {
  const types = isRestrictedReport(n) ? RESTRICTED_TYPES : OPEN_TYPES
  return types[(Math.ceil(n / 2) - 1) % types.length] ?? 'GET_MERCHANT_LISTINGS_ALL_DATA'
}

const missing = (): Outcome => ({
  status: 404,
  body: { errors: [{ code: 'NotFound', message: 'The requested resource could not be found.', details: '' }] },
  pii: false,
})

const badPageSize = (): Outcome => ({
  status: 400,
  body: { errors: [{ code: 'InvalidInput', message: 'Invalid Input', details: 'pageSize must be from 1 to 100.' }] },
  pii: false,
})
