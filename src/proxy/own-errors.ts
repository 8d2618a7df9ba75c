/** Pure: the sidecar's own errors in words, each with what to do about it. Goes to the caller who sent the path, never to a log. */
import type { RdtResult } from '../rdt/broker.ts'
import type { Need } from '../rdt/need.ts'
import { blamesToken, isNoRestrictedDocument, type Refused, refusedElements } from '../rdt/refusal.ts'
import type { OwnError } from '../sp-api/errors.ts'
import { isDeadline } from './forward.ts'
import { ACCESS_TOKEN } from './headers.ts'

export const DRAINING: OwnError = {
  name: 'draining',
  message: 'The sidecar is shutting down.',
  details: 'Nothing was sent to Amazon. Call again.',
  retryAfterS: 1,
}
export const OVERLOADED: OwnError = {
  name: 'overloaded',
  message: 'Too many calls at once.',
  details: 'Nothing was sent to Amazon. Call again later, or raise limits.requestsInFlight.',
  retryAfterS: 1,
}
export const INTERNAL: OwnError = { name: 'internal', message: 'The sidecar failed.', details: 'See its log.' }
export const MISSING_TOKEN: OwnError = {
  name: 'missing-token',
  message: 'Access to requested resource is denied.',
  details: `This is a restricted operation: send your LWA access token in ${ACCESS_TOKEN}.`,
}
export const unsafe = (why: string): OwnError => ({
  name: 'unsafe-path',
  message: 'The request target cannot be forwarded safely.',
  details: `It is refused because ${why}.`,
})
export const bodyTooLarge = (limit: number): OwnError => ({
  name: 'body-too-large',
  message: `The body of a restricted operation may hold ${limit} bytes at most.`,
  details: 'It is kept until the RDT is there. Raise limits.bodyBytes if it must be larger.',
})
export const upstreamError = (code: string): OwnError =>
  isDeadline(code)
    ? {
        name: 'upstream-timeout',
        message: 'Amazon did not answer in time.',
        details: 'The call may have been carried out. It was not repeated.',
      }
    : {
        name: 'upstream-unreachable',
        message: 'Amazon could not be reached.',
        details: `The connection failed (${code}). The call was not repeated.`,
      }

/** A caller's own mint that waited too long for its turn. */
export const MINTS_AT_PLAN: OwnError = {
  name: 'mint-throttled',
  message: 'You exceeded your quota for the requested resource.',
  details: 'createRestrictedDataToken is at its usage plan. Call again after Retry-After seconds.',
  retryAfterS: 1,
}

type Failure = Exclude<RdtResult, { kind: 'token' | 'abandoned' }>

/** Why there is no RDT → what the caller gets. */
export const mintError = (failure: Failure, need: Need): OwnError => {
  const resource = need.resources.map(({ method, path }) => `${method} ${path}`).join(', ')
  if (failure.kind === 'throttled') {
    return {
      ...MINTS_AT_PLAN,
      details: `The RDT for ${resource} would come too late: createRestrictedDataToken is at its usage plan. Call again after Retry-After seconds.`,
      retryAfterS: failure.retryAfterS,
    }
  }
  if (failure.kind === 'unavailable') {
    return {
      name: 'mint-unavailable',
      message: 'The RDT could not be obtained.',
      details: `For ${resource}: ${failure.why}. Nothing was sent to the operation itself. Call again.`,
      retryAfterS: failure.retryAfterS,
    }
  }
  const { status, code, message, details, requestId } = failure
  // Amazon's own details first: clients find "expired" in them, and renew their access token.
  const amazons = details === '' ? '' : `${details} `
  return {
    name: 'mint-refused',
    message,
    details: `${amazons}Amazon refused the RDT for ${resource}${elementsOf(need)}. ${adviceOn(failure, resource)}`,
    status,
    code,
    requestId,
  }
}

const elementsOf = ({ resources }: Need): string => {
  const elements = resources.flatMap(({ dataElements }) => dataElements ?? [])
  return elements.length > 0 ? ` with data elements [${[...new Set(elements)].join(', ')}]` : ''
}

const adviceOn = (refusal: Refused, resource: string): string => {
  const { status, details } = refusal
  if (refusedElements(refusal).length > 0) {
    return 'The application lacks the role for these elements, or the operation does not take them: ask for fewer (rdt.dataElements, x-rdt-data-elements), set rdt.onRefusedElements: drop, or get the role.'
  }
  if (isNoRestrictedDocument(refusal)) {
    return 'The report document is not restricted, or not known: fetch it with x-rdt-mode: skip.'
  }
  if (blamesToken(details)) return 'Amazon no longer takes your LWA access token: send a fresh one.'
  if (status === 401 || status === 403) {
    return 'Check that the access token is valid, of this region, and of an application with the role.'
  }
  return resource.includes(' /vendor/')
    ? 'It is a vendor path: check that a vendor (not a seller) authorised the application, and its roles.'
    : 'The application lacks the role for this operation, or the seller has not authorised it: check both in Seller Central.'
}
