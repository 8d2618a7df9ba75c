/**
 * What createRestrictedDataToken makes of a request body: the resources of the RDT, or Amazon's 400. All or nothing.
 * A path that is no restricted operation is accepted, as Amazon does: the RDT is then good for nothing. Messages are
 * Amazon's own; the `details` beside "Invalid Input" are the simulator's help.
 */
import { type Answer, invalidInput } from './errors.ts'
import { matchOperation } from './operations.ts'
import { DOCUMENTS, documentNumber, isRestrictedReport } from './reports.ts'
import { sameSpelling } from './target.ts'
import type { Resource } from './tokens.ts'

/** What the application may not do, and who it is. */
export type Roles = {
  readonly app: string
  readonly deniedElements: ReadonlySet<string>
  readonly deniedOperations: ReadonlySet<string>
}

export type Mint = { readonly resources: readonly Resource[] } | { readonly refusal: Answer }

/** Maximum of the model, tokens_2021-03-01.json. */
const MOST_RESOURCES = 50
const METHODS = ['GET', 'PUT', 'POST', 'DELETE']
const ELEMENTS = ['buyerInfo', 'shippingAddress', 'buyerTaxInformation']

/** @param body the parsed JSON body of the request. */
export const readMint = (body: unknown, roles: Roles): Mint => {
  if (!isRecord(body)) return refuse('The body must be a JSON object.')
  const { restrictedResources: list, targetApplication: target } = body
  if (list === undefined || (Array.isArray(list) && list.length === 0)) {
    return { refusal: invalidInput('Empty target resource arguement found') }
  }
  if (!Array.isArray(list)) return refuse('restrictedResources must be an array.')
  if (list.length > MOST_RESOURCES) return refuse(`restrictedResources has ${list.length} entries, at most 50 go.`)
  const targetProblem = problemOfTarget(target, roles.app)
  if (targetProblem !== undefined) return refuse(targetProblem)
  return readResources(list, roles)
}

const readResources = (list: readonly unknown[], roles: Roles): Mint => {
  const shapeProblem = list.map(problemOfShape).find((problem) => problem !== undefined)
  if (shapeProblem !== undefined) return refuse(shapeProblem)
  const resources = list.filter(isResource).map(readResource)
  const refusal = contradiction(resources) ?? refusalOfRole(resources, roles) ?? refusalOfElements(resources, roles)
  return refusal === undefined ? { resources } : { refusal }
}

type RawResource = { readonly method: string; readonly path: string; readonly dataElements?: readonly string[] }

const problemOfShape = (value: unknown, i: number): string | undefined => {
  const at = `restrictedResources[${i}]`
  if (!isRecord(value)) return `${at} must be an object.`
  const { method, path, dataElements } = value
  if (typeof method !== 'string' || !METHODS.includes(method))
    return `${at}.method must be one of ${METHODS.join(', ')}.`
  if (typeof path !== 'string' || path === '') return `${at}.path must be a path.`
  if (dataElements !== undefined && !isElementList(dataElements)) {
    return `${at}.dataElements must be an array of ${ELEMENTS.join(', ')}.`
  }
  return undefined
}

const isResource = (value: unknown): value is RawResource => problemOfShape(value, 0) === undefined

const isElementList = (value: unknown): boolean =>
  Array.isArray(value) && value.every((element) => ELEMENTS.includes(element))

const readResource = ({ method, path, dataElements }: RawResource): Resource => ({
  method,
  path,
  elements: dataElements,
})

/** Passing one's own application as the delegatee is refused; so is an empty or null one. */
const problemOfTarget = (target: unknown, app: string): string | undefined => {
  if (target === undefined) return undefined
  if (typeof target !== 'string' || target === '') return 'targetApplication must be an application id.'
  const own = ['amzn1.sp.solution.', 'amzn1.sellerapps.app.', 'amzn1.application-oa2-client.'].map((kind) => kind + app)
  return own.includes(target) ? 'targetApplication is the calling application itself.' : undefined
}

/** One resource twice is harmless, unless with different data elements. */
const contradiction = (resources: readonly Resource[]): Answer | undefined => {
  const seen = new Map<string, string>()
  for (const { method, path, elements } of resources) {
    const key = `${method} ${sameSpelling(path)}`
    const wanted = [...new Set(elements)].sort().join()
    if ((seen.get(key) ?? wanted) !== wanted) return invalid(`${key} is asked for twice with different dataElements.`)
    seen.set(key, wanted)
  }
  return undefined
}

const refusalOfRole = (resources: readonly Resource[], roles: Roles): Answer | undefined => {
  for (const { method, path } of resources) {
    if (path.startsWith('/reports/') && !isRestrictedDocument(method, path)) {
      return invalidInput('Invalid or unsupported document ID found')
    }
    const match = restrictedMatch(method, path)
    if (match !== undefined && roles.deniedOperations.has(match.id)) {
      return invalidInput('Application do not have access to some or all requested resource')
    }
  }
  return undefined
}

/** Elements the operation does not take, or the application may not have, are named; all of them at once. */
const refusalOfElements = (resources: readonly Resource[], roles: Roles): Answer | undefined => {
  const culprits = new Set<string>()
  for (const { method, path, elements } of resources) {
    const operation = restrictedMatch(method, path)
    if (operation === undefined || elements === undefined) continue
    if (operation.takes.length === 0 && elements.length === 0) return invalid(`${operation.id} takes no dataElements.`)
    for (const element of elements) {
      if (!operation.takes.includes(element) || roles.deniedElements.has(element)) culprits.add(element)
    }
  }
  if (culprits.size === 0) return undefined
  return invalidInput(
    `Application does not have access to one or more requested data elements: [${[...culprits].join(', ')}]`,
  )
}

/** The restricted operation a resource names, or undefined: then the RDT will be good for nothing. */
const restrictedMatch = (method: string, path: string) => {
  const operation = matchOperation(method, sameSpelling(path))?.operation
  return operation === undefined || operation.access === 'open' ? undefined : operation
}

/** Documents go one by one: the generic path is refused like any other wrong reports path. */
const isRestrictedDocument = (method: string, path: string): boolean => {
  const spelled = sameSpelling(path)
  const n = spelled.startsWith(DOCUMENTS) ? documentNumber(spelled.slice(DOCUMENTS.length)) : undefined
  return method === 'GET' && n !== undefined && isRestrictedReport(n)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const invalid = (details: string): Answer => invalidInput('Invalid Input', details)

const refuse = (details: string): Mint => ({ refusal: invalid(details) })
