/**
 * The catalogue of restricted operations: matching by method and path template, exact, in time that does not grow with the rows.
 * Does not read the file (config/catalogue.ts does) and does not judge targets that can be read in two ways (recognise.ts does).
 */

/** The data elements createRestrictedDataToken knows (Tokens API model 2021-03-01). */
export const DATA_ELEMENTS = ['buyerInfo', 'shippingAddress', 'buyerTaxInformation'] as const
export type DataElement = (typeof DATA_ELEMENTS)[number]
export const SCOPES = ['generic', 'specific'] as const
export type Scope = (typeof SCOPES)[number]
/** What `targetApplication` may be: Amazon's application ids all begin so. */
export const APPLICATION_ID = /^amzn1\.[\w.-]{1,250}$/
/** What an operator may call a managed seller, or a caller. */
export const SELLER_ID = /^[A-Za-z0-9][\w.-]{0,63}$/
/** Resources that one RDT may hold (Tokens API model 2021-03-01). */
export const MOST_RESOURCES = 50
/** Characters of a resource's path that is remembered, in keys that callers could make as long as a URL. Amazon's have a hundred. */
export const MOST_PATH = 512
/** How Amazon spells report types. */
export const REPORT_TYPE = /^[A-Z][A-Z0-9_]{1,200}$/
export type OnMintFailure = 'reject' | 'forward'

export type Operation = {
  readonly id: string
  readonly method: string
  /** Path template with Amazon's own parameter names, e.g. `/orders/v0/orders/{orderId}`. */
  readonly path: string
  /** Data elements the operation takes; empty for all but three. */
  readonly takes: readonly DataElement[]
  /** Whether an RDT for the template covers all its resources. */
  readonly generic: boolean
  /** `optional`: Amazon answers without an RDT, less the personal data. `required`: it refuses, or is not known to answer. */
  readonly rdt: 'optional' | 'required'
  /** Day (ISO 8601) on which Amazon removes the operation. */
  readonly sunset?: string | undefined
  readonly scope?: Scope | undefined
  readonly dataElements?: readonly DataElement[] | undefined
  readonly onMintFailure?: OnMintFailure | undefined
  readonly mode?: 'auto' | 'skip' | undefined
}

export type Catalogue = {
  readonly operations: readonly Operation[]
  readonly match: (method: string, segments: readonly string[]) => Operation | undefined
}

type Node = { readonly literal: Map<string, Node>; parameter?: Node; operation?: Operation }

/** Builds the matcher: one tree of segments a method. Rows must not overlap ({@link overlap}). */
export const createCatalogue = (operations: readonly Operation[]): Catalogue => {
  const roots = new Map<string, Node>()
  for (const operation of operations) plant(roots, operation)
  return {
    operations,
    match: (method, segments) => {
      const root = roots.get(method)
      return root && find(root, segments, 0)
    },
  }
}

/** Whether some path could match both templates. */
export const overlap = (a: string, b: string): boolean => {
  const [left, right] = [a.split('/'), b.split('/')]
  return (
    left.length === right.length &&
    left.every((segment, i) => segment === right[i] || isParameter(segment) || isParameter(right[i] ?? ''))
  )
}

export const isParameter = (segment: string): boolean => segment.startsWith('{')

const plant = (roots: Map<string, Node>, operation: Operation): void => {
  let node = childOf(roots, operation.method)
  for (const segment of operation.path.slice(1).split('/')) {
    if (isParameter(segment)) {
      node.parameter ??= emptyNode()
      node = node.parameter
    } else node = childOf(node.literal, segment)
  }
  node.operation = operation
}

// Literal first, then the parameter: at most two ways a segment, whatever the number of rows.
const find = (node: Node, segments: readonly string[], at: number): Operation | undefined => {
  const segment = segments[at]
  if (segment === undefined) return node.operation
  const literal = node.literal.get(segment)
  return (
    (literal && find(literal, segments, at + 1)) ??
    (node.parameter && segment !== '' ? find(node.parameter, segments, at + 1) : undefined)
  )
}

const childOf = (children: Map<string, Node>, key: string): Node => {
  const known = children.get(key) ?? emptyNode()
  children.set(key, known)
  return known
}
const emptyNode = (): Node => ({ literal: new Map() })
