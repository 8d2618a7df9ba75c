/**
 * The upstream of the benchmark: it answers any request at once with the same 1.5 kB order and the headers Amazon sends, and mints
 * an RDT wherever one is asked for. It reads no more of a request than where it ends, so that every proxy is slower than it.
 * As a process: `node upstream.ts [BODY_BYTES [RDT_BYTES]]`, prints its port.
 */
import { createServer, type Server, type Socket } from 'node:net'

const TOKENS = 'POST /tokens/2021-03-01/restrictedDataToken '
const END = '\r\n\r\n'

const answerWith = (body: string): Buffer =>
  Buffer.from(
    [
      'HTTP/1.1 200 OK',
      'Server: Server',
      'Date: Tue, 24 Nov 2026 12:00:00 GMT',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: keep-alive',
      'x-amzn-RequestId: 6f6a51c5-4f3c-4b4e-9d0a-6d6c4ac1a3f6',
      'x-amzn-RateLimit-Limit: 0.0167',
      'x-amz-apigw-id: QkZ0eE4rIAMFq9w=',
      'X-Amzn-Trace-Id: Root=1-6745d1a0-4b1e2c3d4e5f60718293a4b5',
      'Vary: Content-Type,Accept-Encoding,User-Agent',
      'Strict-Transport-Security: max-age=47474747; includeSubDomains; preload',
      '',
      body,
    ].join('\r\n'),
  )

const ORDER = {
  payload: {
    AmazonOrderId: '902-1845936-5435001',
    SellerOrderId: '902-1845936-5435001',
    PurchaseDate: '2026-11-20T09:14:31Z',
    LastUpdateDate: '2026-11-21T10:02:11Z',
    OrderStatus: 'Unshipped',
    FulfillmentChannel: 'MFN',
    SalesChannel: 'Amazon.com',
    ShipServiceLevel: 'Std US D2D Dom',
    OrderTotal: { CurrencyCode: 'USD', Amount: '48.97' },
    NumberOfItemsShipped: 0,
    NumberOfItemsUnshipped: 3,
    PaymentMethod: 'Other',
    PaymentMethodDetails: ['Standard'],
    MarketplaceId: 'ATVPDKIKX0DER',
    ShippingAddress: { Name: 'A Buyer', AddressLine1: '1 Example Street', City: 'Seattle', PostalCode: '98101' },
    BuyerInfo: { BuyerEmail: 'buyer@example.com', BuyerName: 'A Buyer', PurchaseOrderNumber: 'PO-1234' },
  },
}
/** Made up to `bytes` by a field of spaces. */
const bodyOf = (bytes: number): string => {
  const text = JSON.stringify({ ...ORDER, filler: '' })
  return text.replace('"filler":""', `"filler":"${' '.repeat(Math.max(0, bytes - text.length))}"`)
}

/** A server that is not listening yet. `bodyBytes`: of an answer, 800 or more. `rdtBytes`: of an RDT; Amazon tells no length. */
export const createUpstream = (bodyBytes = 1500, rdtBytes = 370): Server => {
  const answer = answerWith(bodyOf(bodyBytes))
  let minted = 0
  const mint = (): Buffer => {
    minted += 1
    const restrictedDataToken = `Atz.sprdt|${minted}`.padEnd(rdtBytes, 'benchmark')
    return answerWith(JSON.stringify({ expiresIn: 3600, restrictedDataToken }))
  }
  const answerTo = (head: string): Buffer => (head.startsWith(TOKENS) ? mint() : answer)
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', requestReader(socket, answerTo))
  })
}

/** Chunks need not end where requests do. */
const requestReader = (socket: Socket, answerTo: (head: string) => Buffer) => {
  let rest: Buffer = Buffer.alloc(0)
  let skip = 0 // bytes of a body still to come
  return (chunk: Buffer): void => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      const skipped = Math.min(skip, rest.length)
      skip -= skipped
      rest = rest.subarray(skipped)
      const end = rest.indexOf(END)
      if (end < 0) return
      const head = rest.toString('latin1', 0, end)
      rest = rest.subarray(end + END.length)
      skip = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      socket.write(answerTo(head))
    }
  }
}

if (import.meta.main) {
  const [bodyBytes, rdtBytes] = process.argv.slice(2).map(Number)
  const server = createUpstream(bodyBytes, rdtBytes)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    process.stdout.write(`port ${typeof address === 'object' ? address?.port : ''}\n`)
  })
}
