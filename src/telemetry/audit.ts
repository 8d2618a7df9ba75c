/**
 * What the audit stream says: who (a credential's hash), what (operations and data elements), and how it ended. Never a token,
 * a path with ids, a query or a body: resources are named by the catalogue alone.
 */
import type { Order } from '../rdt/minter.ts'
import type { RestrictedResource } from '../rdt/need.ts'
import type { MintAnswer } from '../rdt/tokens-api.ts'
import type { Call } from './call.ts'
import type { AuditEvent } from './logger.ts'
import { codeIn, requestIdIn } from './words.ts'

/** The catalogue id of the operation that a resource belongs to, or `other`. */
export type OperationOf = (resource: Pick<RestrictedResource, 'method' | 'path'>) => string

/** Of a call that concerns personal data, or was refused: undefined for all others. */
export const auditOfCall = (call: Call, status: number, operationOf: OperationOf) => {
  const event = eventOf(call)
  if (!event) return undefined
  const { caller, credential, method, route: operation, verdict, reason, asked, requestId } = call
  // One of a restricted operation asks for that alone; a mint of the caller's own, for any.
  const resources = asked && namesOf(asked, operation === 'other' ? operationOf : () => operation)
  const outcome = reason ? `${verdict};${reason}` : verdict
  return { event, fields: { caller, credential, method, operation, resources, outcome, status, requestId } }
}

const eventOf = ({ verdict, route, handsOut, asked }: Call): AuditEvent | undefined => {
  if (verdict === 'rejected') return 'refusal'
  if (handsOut) return 'hand-out'
  if (SWAPPED.includes(verdict)) return 'swap'
  return route === 'other' && !asked ? undefined : 'pass'
}

const SWAPPED = ['hit', 'minted', 'replayed']

export const auditOfMint = (orders: readonly Order[], answer: MintAnswer, operationOf: OperationOf) => {
  const [first] = orders
  const { status, code, requestId } = { ...answer } as { status?: number; code?: string; requestId?: string }
  return {
    credential: first?.credential.id.slice(0, 8),
    resources: namesOf(
      orders.flatMap(({ need }) => need.resources),
      operationOf,
    ),
    delegated: first?.need.targetApplication !== undefined,
    outcome: answer.kind,
    status,
    code: codeIn(code),
    requestId: requestIdIn(requestId),
  }
}

type Names = {
  readonly operation: string
  readonly dataElements: readonly string[] | undefined
  readonly scope: 'generic' | 'specific'
  readonly count: number
}

/** Resources without their ids, like ones counted together. */
const namesOf = (resources: readonly RestrictedResource[], operationOf: OperationOf): readonly Names[] => {
  const nameOf = (resource: RestrictedResource): Omit<Names, 'count'> => ({
    operation: operationOf(resource),
    dataElements: resource.dataElements,
    scope: resource.path.includes('{') ? 'generic' : 'specific',
  })
  const [only] = resources
  if (only && resources.length === 1) return [{ ...nameOf(only), count: 1 }] // nearly always
  const groups = Map.groupBy(resources.map(nameOf), (name) => JSON.stringify(name))
  return [...groups.values()].flatMap(([name, ...others]) => (name ? [{ ...name, count: 1 + others.length }] : []))
}
