/**
 * What one simulated SP-API operation is: a row of the tables in orders.ts, shipments.ts, vendor.ts, reports.ts and
 * open-operations.ts. Types and two tiny helpers only.
 */

/** Everything an operation's answer depends on, once the call was let through. */
export type Call = {
  readonly seller: string
  /** The template's parameter, percent-decoded; empty where the template has none. */
  readonly id: string
  /** All parameters by name, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: ReadonlyMap<string, string>
  /** The body as JSON; undefined without one. */
  readonly body: unknown
  /** An RDT covers this call. */
  readonly covered: boolean
  /** The data elements that RDT carries for this call. */
  readonly elements: ReadonlySet<string>
  /** A document's address, good without a token: a bearer secret, like Amazon's presigned URLs. */
  readonly documentUrl: (name: string) => string
}

/** `pii` says that personal data is in `body`; a body of undefined is an empty one. */
export type Outcome = { readonly status: number; readonly body: unknown; readonly pii: boolean }

export type Operation = {
  /** API, version and operationId: `orders-v0.getOrder`. */
  readonly id: string
  readonly method: string
  /** Amazon's path template, parameter names as in the model. */
  readonly template: string
  /** Default usage plan, requests per second: sent as x-amzn-RateLimit-Limit, not enforced. */
  readonly rate: number
  /**
   * open: an LWA token · restricted: an RDT, 403 without · optional: LWA answers without personal data ·
   * document: an RDT when the report is of a restricted type, an LWA token otherwise.
   */
  readonly access: 'open' | 'restricted' | 'optional' | 'document'
  /** The data elements a mint for it may ask for; empty = it takes none. */
  readonly takes: readonly string[]
  /** It needs a JSON body. */
  readonly needsBody: boolean
  readonly answer: (call: Call) => Outcome
}

type Row = Pick<Operation, 'id' | 'rate' | 'access' | 'answer'> & Partial<Pick<Operation, 'takes' | 'needsBody'>>

/** A row of an operations table; `route` is the method and the path template: `GET /orders/v0/orders`. */
export const operation = (route: string, row: Row): Operation => {
  const [method = '', template = ''] = route.split(' ')
  return { method, template, takes: [], needsBody: false, ...row }
}

/** An outcome of 200. */
export const ok = (body: unknown, pii = false): Outcome => ({ status: 200, body, pii })
