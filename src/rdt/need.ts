/** Pure: an operation, its target and the policy in force → which RDT the call needs, if any, and the key it is cached under. */
import type { DataElement, OnMintFailure, Operation, Scope } from '../sp-api/operations.ts'
import type { Recognition } from '../sp-api/recognise.ts'
import type { SafeTarget } from '../sp-api/target.ts'

/** One entry of `restrictedResources` (Tokens API model 2021-03-01). */
export type RestrictedResource = {
  readonly method: string
  readonly path: string
  readonly dataElements?: readonly DataElement[]
}

export type Need = { readonly resource: RestrictedResource; readonly targetApplication?: string | undefined }

export type Policy = {
  readonly scope: Scope
  readonly dataElements: readonly DataElement[]
  readonly onMintFailure: OnMintFailure
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
}

export type Plan =
  | { readonly kind: 'pass'; readonly verdict: 'not-restricted' | 'caller-rdt' | 'skipped'; readonly reason?: string }
  | { readonly kind: 'swap'; readonly need: Need; readonly onMintFailure: OnMintFailure }
  | { readonly kind: 'unsafe'; readonly why: string }

export type Situation = {
  readonly recognition: Exclude<Recognition, { kind: 'unsafe' }>
  readonly method: string
  readonly steering: Steering
  readonly callerHasRdt: boolean
  readonly sandboxEndpoint: boolean
}

/** Decides how a safe call is treated. The order of the lines is the order of precedence. */
export const planCall = (policy: Policy, situation: Situation): Plan => {
  const { recognition, steering } = situation
  if (situation.callerHasRdt) return { kind: 'pass', verdict: 'caller-rdt' }
  if (steering.mode === 'force') return forced(policy, situation)
  if (recognition.kind === 'open') return { kind: 'pass', verdict: 'not-restricted' }
  const { operation, target } = recognition
  if (steering.mode === 'skip') return { kind: 'pass', verdict: 'skipped', reason: 'header' }
  if (operation.mode === 'skip' && steering.mode !== 'auto')
    return { kind: 'pass', verdict: 'skipped', reason: 'operation' }
  if (situation.sandboxEndpoint && !policy.sandbox) return { kind: 'pass', verdict: 'skipped', reason: 'sandbox' }
  const resource = resourceFor(policy, operation, target, steering)
  return swap(policy, resource, steering, operation.onMintFailure)
}

const resourceFor = (policy: Policy, operation: Operation, target: SafeTarget, steering: Steering) => {
  const scope = steering.scope ?? operation.scope ?? policy.scope
  const path = scope === 'generic' && operation.generic ? operation.path : target.path
  if (operation.takes.length === 0) return { method: operation.method, path }
  const asked = steering.dataElements ?? operation.dataElements ?? policy.dataElements
  return { method: operation.method, path, dataElements: asked.filter((element) => operation.takes.includes(element)) }
}

// A path that can be read in two ways must not be named in a mint: the RDT could be for the other one.
const forced = (policy: Policy, { recognition, method, steering }: Situation): Plan => {
  const { target } = recognition
  if (target.odd) return { kind: 'unsafe', why: 'it can be read in more than one way, so no RDT can be asked for it' }
  if (recognition.kind === 'restricted') {
    const resource = resourceFor(policy, recognition.operation, target, { ...steering, scope: 'specific' })
    return swap(policy, resource, steering, recognition.operation.onMintFailure)
  }
  const { dataElements } = steering
  return swap(policy, { method, path: target.path, ...(dataElements && { dataElements }) }, steering)
}

const swap = (
  policy: Policy,
  resource: RestrictedResource,
  steering: Steering,
  onMintFailure?: OnMintFailure,
): Plan => ({
  kind: 'swap',
  need: { resource, targetApplication: steering.targetApplication ?? policy.targetApplication ?? undefined },
  onMintFailure: onMintFailure ?? policy.onMintFailure,
})

/**
 * Everything a token depends on, in one unambiguous string: endpoint, credential (its keyed hash), method, resource path,
 * data elements (in any order), target application.
 */
export const keyOf = (origin: string, credentialId: string, { resource, targetApplication }: Need): string => {
  const elements = resource.dataElements ? [...resource.dataElements].sort() : null
  return JSON.stringify([origin, credentialId, resource.method, resource.path, elements, targetApplication ?? null])
}
