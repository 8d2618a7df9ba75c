/**
 * The simulator's table of operations and how a path is matched against it. An independent reading of Amazon's models
 * and guide: it shares nothing with the sidecar's own catalogue, so that a mistake there shows here.
 */
import { openOperations } from './open-operations.ts'
import type { Operation } from './operation.ts'
import { ordersOperations } from './orders.ts'
import { reportsOperations } from './reports.ts'
import { shipmentOperations } from './shipments.ts'
import { decoded } from './target.ts'
import { vendorOperations } from './vendor.ts'

export const operations: readonly Operation[] = [
  ...ordersOperations,
  ...shipmentOperations,
  ...vendorOperations,
  ...reportsOperations,
  ...openOperations,
]

export type Match = { readonly operation: Operation; readonly params: Readonly<Record<string, string>> }

/** Finds the operation of a path, which is a template itself or an instance of one. No template overlaps another. */
export const matchOperation = (method: string, path: string): Match | undefined => {
  const segments = path.split('/')
  for (const { operation, parts } of rows) {
    if (operation.method !== method || parts.length !== segments.length) continue
    if (parts.every((part, i) => part.startsWith('{') || part === segments[i])) {
      return { operation, params: readParams(parts, segments) }
    }
  }
  return undefined
}

const rows = operations.map((operation) => ({ operation, parts: operation.template.split('/') }))

const readParams = (parts: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    parts.flatMap((part, i) => (part.startsWith('{') ? [[part.slice(1, -1), decoded(segments[i] ?? '')]] : [])),
  )
