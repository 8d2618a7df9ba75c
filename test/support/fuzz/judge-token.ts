/** Whether a request that arrived carries a token that it may carry. */
import type { Amazon, Rdt, Resource } from './amazon.ts'
import type { Complain, Sent } from './oracle.ts'
import { isOf, restrictedIn, restrictedOnes, spelled } from './path-readings.ts'
import { type Field, valuesIn } from './strict-fields.ts'
import type { Head } from './strict-http.ts'

const TOKEN = 'x-amz-access-token'
/** Operations that the fuzzed sidecar is told to forward where no RDT is to be had. */
export const FORWARDED_ANYWAY = '/mfn/v0/shipments/{shipmentId}'

export const judgeToken = (amazon: Amazon, sent: Sent, arrived: Head, complain: Complain): void => {
  const { method, target } = arrived
  const start = `${method} ${target}`
  const [token] = valuesIn(arrived.fields, TOKEN)
  const [own, another] = valuesIn(sent.head.fields, TOKEN)
  if (another !== undefined) complain(`${start} went out though it was sent with two tokens`)
  if (token === undefined) {
    if (own) complain(`${start} went out without its token`)
    return
  }
  const restricted = new Set([...restrictedIn(method, target), ...restrictedIn(method, sent.head.target)])
  const rdt = amazon.rdt(token)
  if (rdt) {
    const opens = rdt.resources.some((resource) => isFor(resource, sent.head, arrived))
    if (!opens) complain(`${start} with an RDT for ${JSON.stringify(rdt.resources)}`)
    if (rdt.access !== own) complain(`${start} with the RDT of another access token`)
    if (rdt.targetApplication !== targetIn(sent.head.fields)) complain(`${start} with an RDT for another application`)
    for (const one of restricted) if (!isOf(one.path, spelled(target).path)) complain(`${start} could be ${one.path}`)
    return
  }
  if (token !== own) complain(`${start} with a token from nowhere: ${token}`)
  if (token !== own || token.startsWith('Atz.sprdt|') || restricted.size === 0) return
  sent.unswapped = [...restricted].map(({ method, path }) => `${method} ${path}`)
  if (warrants(sent).length === 0) complain(`${start} is ${sent.unswapped} and went out with the access token`)
}

/** The resource is that of the request and no other, with the data elements that the caller is to get. */
const isFor = (resource: Resource, sent: Head, { method, target }: Head): boolean => {
  const { path } = spelled(target)
  const operation = restrictedOnes.find((one) => one.method === method && isOf(one.path, path))
  const isTemplate = operation !== undefined && resource.path === operation.path
  if (resource.method !== method || !(resource.path === path || isTemplate)) return false
  if (isTemplate && resource.path !== path && !mayBeGeneric(sent, operation.restricted?.path)) return false
  return sameElements(resource.dataElements, elementsFor(sent.fields, operation?.restricted?.takes))
}

const mayBeGeneric = ({ fields }: Head, kind: string | undefined): boolean =>
  kind === 'generic-ok' &&
  !/^(specific)$/.test(only(fields, 'x-rdt-scope') ?? '') &&
  only(fields, 'x-rdt-mode') !== 'force'

const DEFAULT_ELEMENTS = ['buyerInfo', 'shippingAddress']

/** `takes` undefined: no restricted operation, so that an RDT was forced. */
const elementsFor = (fields: readonly Field[], takes: readonly string[] | undefined): readonly string[] | undefined => {
  const lines = valuesIn(fields, 'x-rdt-data-elements')
  const named = [...new Set(lines.flatMap((line) => line.split(',')).map((one) => one.trim()))] // a list, however many lines it has
  const asked = lines.length === 0 ? undefined : named.filter((one) => one !== 'none')
  if (!takes) return asked
  return takes.length === 0 ? undefined : (asked ?? DEFAULT_ELEMENTS).filter((one) => takes.includes(one))
}

const sameElements = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean =>
  a === undefined || b === undefined ? a === b : [...a].sort().join() === [...b].sort().join()

const targetIn = (fields: readonly Field[]): string | undefined => only(fields, 'x-rdt-target-application')

/** The one value under a name; where there are two, none. */
const only = (fields: readonly Field[], name: string): string | undefined => {
  const [value, ...others] = valuesIn(fields, name)
  return others.length > 0 ? undefined : value?.trim()
}

/** The verdicts with which the caller may be told that the restricted call went out with its own token. */
export const warrants = ({ head, unswapped }: Pick<Sent, 'head' | 'unswapped'>): readonly RegExp[] => {
  const [token = ''] = valuesIn(head.fields, TOKEN)
  const found: RegExp[] = []
  if (only(head.fields, 'x-rdt-mode') === 'skip') found.push(/^skipped;header$/)
  if (unswapped.every((one) => one.includes('/documents/'))) found.push(/^unrestricted-report$/)
  if (token.includes('no-role') && unswapped.every((one) => one === `GET ${FORWARDED_ANYWAY}`))
    found.push(/^fallback;mint-refused$/)
  return found
}

/** Whether an RDT that was handed out is the one that was asked for. */
export const isHandedOut = (rdt: Rdt | undefined, { head, body }: Pick<Sent, 'head' | 'body'>): boolean => {
  const [token] = valuesIn(head.fields, TOKEN)
  if (!rdt || rdt.access !== token) return false
  const asked: { restrictedResources: Resource[] } = JSON.parse(body)
  return JSON.stringify(rdt.resources) === JSON.stringify(asked.restrictedResources)
}
