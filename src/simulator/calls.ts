/**
 * What a call to an SP-API operation is answered, in the order Amazon's edge, gateway and operation would refuse it.
 * Pure but for the operation's own answer; the token was inspected before.
 */
import { type Answer, accessDenied, documentForbidden, invalidInput, json, tokenFaults } from './errors.ts'
import type { Call, Operation } from './operation.ts'
import type { Match } from './operations.ts'
import { documentNumber, isRestrictedReport } from './reports.ts'
import { sameSpelling } from './target.ts'
import type { Inspection } from './tokens.ts'

export type Asked = {
  readonly method: string
  /** In one spelling, see target.ts. */
  readonly path: string
  readonly query: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly token: Inspection
  readonly match: Match | undefined
  readonly deniedOperations: ReadonlySet<string>
  readonly documentUrl: (name: string) => string
}

/** A 403 when the token is missing or itself at fault; undefined when it is a good one of either kind. */
export const refusalOfToken = (token: Inspection): Answer | undefined =>
  token.kind === 'lwa' || token.kind === 'rdt' ? undefined : accessDenied(tokenFaults[token.kind])

/** The answer to a call whose target and headers were found in order. */
export const answerCall = (asked: Asked): Answer => {
  const { match, token } = asked
  const fault = refusalOfToken(token)
  if (fault !== undefined) return fault
  const { seller } = token
  if (match === undefined || seller === undefined) return accessDenied()
  const entitled = entitlement(match, asked)
  const refusal = refusalOfAccess(match, asked, entitled)
  if (refusal !== undefined) return refusal
  const body = readJson(asked.body)
  if (match.operation.needsBody && body === undefined) return rated(match.operation, bodyNeeded())
  return rated(match.operation, operate(match, asked, seller, body, entitled))
}

/** What the presented RDT says about this very call; undefined when it does not cover it. */
const entitlement = ({ operation }: Match, { token, method, path }: Asked): ReadonlySet<string> | undefined => {
  if (token.kind !== 'rdt' || operation.access === 'open') return undefined
  const covering = token.resources.filter(
    (resource) =>
      resource.method === method && (resource.path === operation.template || sameSpelling(resource.path) === path),
  )
  return covering.length === 0 ? undefined : new Set(covering.flatMap(({ elements }) => elements ?? []))
}

const refusalOfAccess = (
  { operation, params }: Match,
  { token, deniedOperations }: Asked,
  entitled: ReadonlySet<string> | undefined,
): Answer | undefined => {
  if (deniedOperations.has(operation.id)) return accessDenied()
  if (token.kind === 'rdt') return entitled === undefined ? accessDenied() : undefined
  if (operation.access === 'restricted') return accessDenied()
  if (operation.access === 'document' && isRestrictedDocument(params)) return documentForbidden()
  return undefined
}

const isRestrictedDocument = ({ reportDocumentId = '' }: Match['params']): boolean => {
  const n = documentNumber(reportDocumentId)
  return n !== undefined && isRestrictedReport(n)
}

const operate = (
  { operation, params }: Match,
  asked: Asked,
  seller: string,
  body: unknown,
  entitled: ReadonlySet<string> | undefined,
): Answer => {
  const { query, documentUrl } = asked
  const id = Object.values(params)[0] ?? ''
  const elements = entitled ?? new Set<string>()
  const call: Call = { seller, id, params, query, body, covered: entitled !== undefined, elements, documentUrl }
  const outcome = operation.answer(call)
  if (outcome.body === undefined) return { status: outcome.status, headers: {}, body: '', pii: outcome.pii }
  return { ...json(outcome.status, outcome.body), pii: outcome.pii }
}

/** The rate header is sent with 20x, 400 and 404 only. */
const rated = (operation: Operation, answer: Answer): Answer => withRate(answer, operation.rate)

/** Adds x-amzn-RateLimit-Limit where Amazon sends it. @param rate requests per second */
export const withRate = (answer: Answer, rate: number): Answer =>
  answer.status < 300 || answer.status === 400 || answer.status === 404
    ? { ...answer, headers: { ...answer.headers, 'x-amzn-RateLimit-Limit': rateText(rate) } }
    : answer

/** Amazon writes 1.0, not 1. */
const rateText = (rate: number): string => (Number.isInteger(rate) ? rate.toFixed(1) : String(rate))

/** The body as JSON; undefined when there is none or it is not JSON. */
export const readJson = (body: Buffer): unknown => {
  try {
    return body.length === 0 ? undefined : JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

const bodyNeeded = (): Answer => invalidInput('Invalid Input', 'The operation needs a JSON body.')
