/** Pure: what a refused mint says. Amazon's words and what is known of them: sp-api guides and issue threads, see docs/simulator.md. */
import { DATA_ELEMENTS, type DataElement } from '../sp-api/operations.ts'

/** Amazon's own answer to a createRestrictedDataToken that it refused. */
export type Refused = {
  readonly kind: 'refused'
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details: string
  readonly requestId?: string | undefined
  /** As it came, to be passed on to callers who mint for themselves. */
  readonly answer: { readonly headers: Readonly<Record<string, string>>; readonly body: string }
}

/** One that is not in Amazon's shape: it need not be Amazon who refuses. */
export const UNEXPLAINED = { code: 'Unknown', message: 'Amazon gave no reason', details: '' } as const

/**
 * Whom a refusal concerns: everything of the credential, all resources of the operation (a matter of roles, or of the
 * region), or the one resource it names.
 */
export const REACHES = ['credential', 'operation', 'resource'] as const
export type Reach = (typeof REACHES)[number]

export const reachOf = ({ status, message, details }: Refused): Reach => {
  if (status === 401 || (status === 403 && blamesToken(details))) return 'credential'
  return status === 403 || namesElements(message) || ROLE_MISSING.test(message) ? 'operation' : 'resource'
}
const ROLE_MISSING = /not have access to some or all requested resource/i

/** The details of a 403 that the token itself is to blame for: expired, revoked or malformed. Empty: role or scope. */
export const blamesToken = (details: string): boolean => /expired|revoked|malformed/i.test(details)

/** The data elements a 400 names as those the application may not have. */
export const refusedElements = ({ status, message }: Refused): readonly DataElement[] => {
  if (status !== 400 || !namesElements(message)) return []
  const named =
    /\[([^\]]*)\]/
      .exec(message)?.[1]
      ?.split(',')
      .map((name) => name.trim()) ?? []
  return DATA_ELEMENTS.filter((element) => named.includes(element))
}

const namesElements = (message: string): boolean => /data elements?/i.test(message)

/** What a refusal is about: these data elements, a report document, the access token, or the role and whose authorisation it is. */
export type Cause = 'elements' | 'document' | 'token' | 'denied' | 'role'

export const causeOf = (refusal: Refused): Cause => {
  if (refusedElements(refusal).length > 0) return 'elements'
  if (isNoRestrictedDocument(refusal)) return 'document'
  if (blamesToken(refusal.details)) return 'token'
  return refusal.status === 401 || refusal.status === 403 ? 'denied' : 'role'
}

/** A report document that needs no RDT, or is none of this seller's. */
export const isNoRestrictedDocument = ({ status, message }: Refused): boolean =>
  status === 400 && /invalid or unsupported document id/i.test(message)
