/** Pure: an operation, its target and the policy in force → which RDT the call needs, if any, and the key it is cached under. */
import { type DataElement, type OnMintFailure, type Operation, overlap, type Scope } from '../sp-api/operations.ts'
import type { Recognition } from '../sp-api/recognise.ts'
import type { SafeTarget } from '../sp-api/target.ts'

/** One entry of `restrictedResources` (Tokens API model 2021-03-01). */
export type RestrictedResource = {
  readonly method: string
  readonly path: string
  readonly dataElements?: readonly DataElement[]
}

/** What an RDT must hold. A call needs one resource; a caller who mints for itself may name several. */
export type Need = {
  readonly resources: readonly RestrictedResource[]
  readonly targetApplication?: string | undefined
  /** Catalogue id of the one resource's operation: Amazon's roles judge all its resources alike. */
  readonly operation?: string | undefined
  /** The RDT may open nothing that was not asked for: it is for handing over, or for a sandbox. */
  readonly exact?: boolean
  /** A report document of which nobody has told the type: Amazon may say that it is not restricted. */
  readonly unsure?: boolean
}

export type Policy = {
  readonly scope: Scope
  readonly dataElements: readonly DataElement[]
  readonly onMintFailure: OnMintFailure
  /** `drop`: ask again without the data elements that Amazon refuses. */
  readonly onRefusedElements: 'reject' | 'drop'
  readonly sandbox: boolean
  /** Default delegatee. */
  readonly targetApplication: string | null
}

/** What the caller's x-rdt-* headers ask for this one call. */
export type Steering = {
  readonly mode?: 'auto' | 'skip' | 'force' | undefined
  readonly scope?: Scope | undefined
  readonly dataElements?: readonly DataElement[] | undefined
  readonly targetApplication?: string | undefined
  /** Type of the report whose document is asked for. */
  readonly reportType?: string | undefined
}

/** What is known of a report document. */
export type DocumentStanding = 'restricted' | 'unrestricted' | 'unknown'

export type Swap = {
  readonly kind: 'swap'
  readonly need: Need
  readonly onMintFailure: OnMintFailure
  readonly dropRefusedElements: boolean
  /** Of a report document: where it is believed to be unrestricted, the caller's own token goes first. */
  readonly document?: DocumentStanding
}
export type Plan =
  | { readonly kind: 'pass'; readonly verdict: 'not-restricted' | 'caller-rdt' | 'skipped'; readonly reason?: string }
  | Swap
  | { readonly kind: 'unsafe'; readonly why: string }

export type Situation = {
  readonly recognition: Exclude<Recognition, { kind: 'unsafe' }>
  readonly method: string
  readonly steering: Steering
  readonly callerHasRdt: boolean
  readonly sandboxEndpoint: boolean
  /** Only where the target is a report document. */
  readonly document?: DocumentStanding | undefined
}

/** Decides how a safe call is treated. The order of the lines is the order of precedence. */
export const planCall = (policy: Policy, situation: Situation): Plan => {
  const { recognition, steering, document } = situation
  if (situation.callerHasRdt) return { kind: 'pass', verdict: 'caller-rdt' }
  if (steering.mode === 'force') return forced(policy, situation)
  if (recognition.kind === 'open') return { kind: 'pass', verdict: 'not-restricted' }
  const { operation, target } = recognition
  if (steering.mode === 'skip') return { kind: 'pass', verdict: 'skipped', reason: 'header' }
  if (operation.mode === 'skip' && steering.mode !== 'auto')
    return { kind: 'pass', verdict: 'skipped', reason: 'operation' }
  if (situation.sandboxEndpoint && !policy.sandbox) return { kind: 'pass', verdict: 'skipped', reason: 'sandbox' }
  const plan = isUsual(policy, situation, operation)
    ? usualPlan(policy, situation, operation)
    : swap(policy, situation, resourceFor(policy, operation, target, steering), operation)
  return document ? { ...plan, document, need: { ...plan.need, unsure: document !== 'restricted' } } : plan
}

/** The call wishes nothing of its own, and its path is not in the plan: one that every such call has. */
const isUsual = (policy: Policy, { steering, sandboxEndpoint }: Situation, { generic, scope }: Operation): boolean => {
  for (const _ in steering) return false
  return generic && (scope ?? policy.scope) === 'generic' && !sandboxEndpoint
}

// Made once for each operation: they are most of all plans.
const usualPlans = new WeakMap<Policy, Map<Operation, Swap>>()
const usualPlan = (policy: Policy, situation: Situation, operation: Operation): Swap => {
  const plans = usualPlans.get(policy) ?? new Map<Operation, Swap>()
  const known = plans.get(operation)
  if (known) return known
  const { target } = situation.recognition
  const plan = swap(policy, situation, resourceFor(policy, operation, target, situation.steering), operation)
  usualPlans.set(policy, plans.set(operation, plan))
  keyEnds.set(plan.need, JSON.stringify(partsOf(plan.need)).slice(1))
  return plan
}
// Of needs that last. By the need itself: one that was made from it, with less or more in it, has another.
const keyEnds = new WeakMap<Need, string>()

const resourceFor = (policy: Policy, operation: Operation, target: SafeTarget, steering: Steering) => {
  const scope = steering.scope ?? operation.scope ?? policy.scope
  const path = scope === 'generic' && operation.generic ? operation.path : target.path
  if (operation.takes.length === 0) return { method: operation.method, path }
  const asked = steering.dataElements ?? operation.dataElements ?? policy.dataElements
  return { method: operation.method, path, dataElements: asked.filter((element) => operation.takes.includes(element)) }
}

// A path that can be read in two ways must not be named in a mint: the RDT could be for the other one.
const forced = (policy: Policy, situation: Situation): Plan => {
  const { recognition, method, steering } = situation
  const { target } = recognition
  if (target.odd) return { kind: 'unsafe', why: 'it can be read in more than one way, so no RDT can be asked for it' }
  if (recognition.kind === 'restricted') {
    const { operation } = recognition
    const resource = resourceFor(policy, operation, target, { ...steering, scope: 'specific' })
    return swap(policy, situation, resource, operation)
  }
  const { dataElements } = steering
  return swap(policy, situation, { method, path: target.path, ...(dataElements && { dataElements }) })
}

const swap = (
  policy: Policy,
  { steering, sandboxEndpoint }: Situation,
  resource: RestrictedResource,
  operation?: Operation,
): Swap => ({
  kind: 'swap',
  need: {
    resources: [resource],
    targetApplication: steering.targetApplication ?? policy.targetApplication ?? undefined,
    operation: operation?.id ?? `${resource.method} ${resource.path}`,
    ...(sandboxEndpoint && { exact: true }), // the sandbox knows certain mints, each as it stands
  },
  onMintFailure: operation?.onMintFailure ?? policy.onMintFailure,
  dropRefusedElements: policy.onRefusedElements === 'drop',
})

/**
 * Everything a token depends on, in one unambiguous string: endpoint, credential (its keyed hash), target application, and
 * method, path and data elements of the resources (in any order).
 */
export const keyOf = (origin: string, credentialId: string, need: Need): string => {
  const end = keyEnds.get(need)
  if (end === undefined) return JSON.stringify([origin, credentialId, ...partsOf(need)])
  return `${JSON.stringify([origin, credentialId]).slice(0, -1)},${end}`
}

const partsOf = ({ targetApplication, resources }: Need): readonly unknown[] => {
  const texts = resources.map(({ method, path, dataElements }) => [method, path, elementsText(dataElements)])
  const [only = []] = texts
  const end = texts.length === 1 ? only : [texts.map((text) => JSON.stringify(text)).sort()]
  return [targetApplication ?? null, ...end]
}

/** What a key was made from: the resources, less their data elements. */
export const resourcesIn = (key: string): readonly Pick<RestrictedResource, 'method' | 'path'>[] => {
  const [, , , ...resource] = JSON.parse(key)
  const several = Array.isArray(resource[0]) ? resource[0].map((text) => JSON.parse(text)) : [resource]
  return several.map(([method, path]) => ({ method, path }))
}

/** Whose key it is. */
export const credentialIn = (key: string): string => JSON.parse(key)[1]

/** What its RDT serves: each of several resources too, unless it would show a call more than was asked for. */
export const servedBy = (need: Need): readonly Need[] =>
  need.resources.length === 1 || addsUp(need.resources)
    ? [need]
    : [need, ...need.resources.map((resource) => ({ ...need, resources: [resource] }))]

/** Whether some call is covered by two of the resources that ask for different data elements: in one RDT these may add up. */
export const addsUp = (resources: readonly RestrictedResource[]): boolean =>
  resources.some((one, i) =>
    resources
      .slice(i + 1)
      .some(
        (other) =>
          one.method === other.method &&
          overlap(one.path, other.path) &&
          elementsText(one.dataElements) !== elementsText(other.dataElements),
      ),
  )

/** The elements in one order; null where the operation takes none. */
export const elementsText = (elements: RestrictedResource['dataElements']): string | null =>
  elements ? [...elements].sort().join() : null

/** Whether it asks for any of these data elements. */
export const asksFor = ({ resources }: Need, elements: readonly DataElement[]): boolean =>
  resources.some(({ dataElements = [] }) => dataElements.some((element) => elements.includes(element)))

/** The same need without these data elements. */
export const without = (need: Need, elements: readonly DataElement[]): Need => ({
  ...need,
  resources: need.resources.map((resource) =>
    resource.dataElements
      ? { ...resource, dataElements: resource.dataElements.filter((one) => !elements.includes(one)) }
      : resource,
  ),
})
