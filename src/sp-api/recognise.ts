/**
 * Says what a request is: restricted, open, or not safe to forward because Amazon could read another path than we do.
 * Promises: a path of which any possible reading is a restricted operation is never called open.
 */
import type { Catalogue, Operation } from './operations.ts'
import { parseTarget, readings, type SafeTarget, segmentsOf } from './target.ts'

export type Recognition =
  | { readonly kind: 'unsafe'; readonly why: string }
  | { readonly kind: 'restricted'; readonly operation: Operation; readonly target: SafeTarget }
  | { readonly kind: 'open'; readonly target: SafeTarget }

/** Method and raw request target → what it is. Never throws. */
export const recognise = (catalogue: Catalogue, method: string, rawTarget: string): Recognition => {
  const target = parseTarget(rawTarget)
  if (!target.safe) return { kind: 'unsafe', why: target.why }
  if (target.odd) return recogniseOdd(catalogue, method, target)
  const operation = operationOf(catalogue, { method, path: target.path })
  return operation ? { kind: 'restricted', operation, target } : { kind: 'open', target }
}

/** The restricted operation that a path of one spelling, or a template, belongs to. */
export const operationOf = (
  catalogue: Catalogue,
  { method, path }: { readonly method: string; readonly path: string },
): Operation | undefined => catalogue.match(method, segmentsOf(path))

const recogniseOdd = (catalogue: Catalogue, method: string, target: SafeTarget): Recognition => {
  const ways = readings(target.path)
  if (!ways) return { kind: 'unsafe', why: 'it can be read in too many ways' }
  for (const segments of ways) {
    const operation = catalogue.match(method, segments)
    if (operation) return { kind: 'unsafe', why: `it can be read in more than one way, one of them ${operation.id}` }
  }
  return { kind: 'open', target }
}
