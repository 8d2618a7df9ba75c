/** How a call would be treated, and why: the same for the command and for the admin's page. Sends nothing. */
import { type Plan, type Policy, planCall } from './rdt/need.ts'
import { DOCUMENTS } from './reports/documents.ts'
import type { Catalogue } from './sp-api/operations.ts'
import { recognise } from './sp-api/recognise.ts'

export type Rules = { readonly catalogue: Catalogue; readonly policy: Policy; readonly sandboxEndpoint: boolean }

/** In the order in which they are read; each a short text or a truth. */
export type Facts = Readonly<Record<string, string | boolean>>

export const explainCall = (
  { catalogue, policy, sandboxEndpoint }: Rules,
  givenMethod: string,
  path: string,
): Facts => {
  const method = givenMethod.toUpperCase()
  const recognition = recognise(catalogue, method, path)
  if (recognition.kind === 'unsafe') return { treated: 'refused with 400 unsafe-path', why: recognition.why }
  const plan = planCall(policy, {
    recognition,
    method,
    steering: {},
    callerHasRdt: false,
    sandboxEndpoint,
    document: recognition.target.path.startsWith(DOCUMENTS) ? 'unknown' : undefined,
  })
  const operation = recognition.kind === 'restricted' ? recognition.operation : undefined
  return {
    operation: operation?.id ?? 'none of the restricted operations',
    restricted: operation !== undefined,
    ...treatment(plan),
    ...(operation && { 'without an RDT': WITHOUT[operation.rdt] }),
    ...(operation?.sunset && { 'removed by Amazon on': operation.sunset }),
  }
}

const WITHOUT = {
  optional: 'Amazon answers 200, less the personal data',
  required: 'Amazon refuses (403), or is not known to answer',
}

const treatment = (plan: Plan): Facts => {
  if (plan.kind === 'unsafe') return { treated: 'refused with 400 unsafe-path', why: plan.why }
  if (plan.kind === 'pass') {
    const why = plan.reason
      ? `verdict ${plan.verdict};${plan.reason}`
      : 'no row of the catalogue matches its method and path'
    return { treated: "streamed through with the caller's own token", why }
  }
  const { resources, targetApplication, unsure } = plan.need
  const [resource = NOTHING] = resources
  return {
    treated: 'an RDT takes the place of the access token',
    ...(unsure && { 'unless the report is of an unrestricted type': "then the caller's own token goes out" }),
    resource: `${resource.method} ${resource.path}`,
    scope: resource.path.includes('{') ? 'generic: one RDT for all resources of the operation' : 'this resource',
    'data elements': resource.dataElements?.join(', ') ?? 'the operation takes none',
    ...(targetApplication && { 'target application': targetApplication }),
    'if no RDT can be had':
      plan.onMintFailure === 'reject' ? 'the call is refused' : "the call goes out with the caller's own token",
  }
}

const NOTHING = { method: '', path: '', dataElements: undefined }
