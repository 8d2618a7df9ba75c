/** Pure: the sidecar's own errors in words, each with what to do about it. Goes to the caller who sent the path, never to a log. */
import type { RdtResult } from '../rdt/broker.ts'
import type { NoAccess } from '../rdt/credential.ts'
import type { Need } from '../rdt/need.ts'
import { causeOf, type Refused } from '../rdt/refusal.ts'
import type { OwnError } from '../sp-api/errors.ts'
import { ACCESS_TOKEN } from './headers.ts'
import { NO_CONNECTION_FREE, NOT_ANSWERED, NOT_CONNECTED } from './upstream-agent.ts'

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
/** What is kept of calls' bodies takes all the memory that it may. */
export const TOO_MUCH_KEPT: OwnError = {
  ...OVERLOADED,
  message: 'Too many bodies at once.',
  details: 'Nothing was sent to Amazon. Call again later, or raise limits.keptBytes.',
}
export const INTERNAL: OwnError = { name: 'internal', message: 'The sidecar failed.', details: 'See its log.' }
export const MISSING_TOKEN: OwnError = {
  name: 'missing-token',
  message: 'Access to requested resource is denied.',
  details: `This is a restricted operation: send your LWA access token in ${ACCESS_TOKEN}.`,
}
const DENIED = MISSING_TOKEN.message
export const NO_SELLER: OwnError = {
  name: 'missing-token',
  message: DENIED,
  details: `Name a managed seller in x-rdt-seller, or send your LWA access token in ${ACCESS_TOKEN}.`,
}
export const UNTRUSTED: OwnError = {
  name: 'untrusted-caller',
  message: DENIED,
  details:
    'Send your caller token in x-rdt-caller-token (the file that auth.callerTokenFile names), or your own LWA access token.',
}
/** The same for one that there is not and one that this caller may not use: it tells nobody which there are. */
export const UNKNOWN_SELLER: OwnError = {
  name: 'unknown-seller',
  message: DENIED,
  details: 'x-rdt-seller names no managed seller that you may call for.',
}
export const NOT_ALLOWED: OwnError = {
  name: 'operation-not-allowed',
  message: DENIED,
  details: 'This operation is not among those that auth.callers allows you.',
}
/** RFC 9110 §9.3.8: what a TRACE holds comes back in its answer. */
export const NO_TRACE: OwnError = {
  ...NOT_ALLOWED,
  details: "The answer to a TRACE would show the seller's access token.",
}
export const FORWARDED: OwnError = {
  name: 'forwarded-call',
  message: 'The call was passed on by something else.',
  details:
    'A sidecar with managed sellers takes calls from services alone, none with Forwarded, X-Forwarded-For or Via. Call it directly, or set auth.allowForwarded: true for a service mesh.',
}
export const BROWSER: OwnError = {
  ...FORWARDED,
  message: 'The call comes from a browser.',
  details: 'A sidecar with managed sellers takes calls from services alone, none with Origin or Sec-Fetch-Site.',
}
export const FOREIGN_HOST: OwnError = {
  name: 'foreign-host',
  message: 'The call is meant for another host.',
  details: 'The Host is no name of this sidecar: call it by its address, or add the name to auth.hosts.',
}
/** Why there is no access token of a managed seller. */
export const accessError = (failure: NoAccess): OwnError =>
  failure.kind === 'access-refused'
    ? {
        name: 'lwa-refused',
        cause: failure.error in LWA_ADVICE ? failure.error : 'refused',
        message: DENIED,
        details: `Login with Amazon refused the credentials of this seller: ${failure.error}. ${LWA_ADVICE[failure.error] ?? LWA_ADVICE['refused']}`,
      }
    : {
        name: 'lwa-unavailable',
        message: 'The access token could not be obtained.',
        details: `${failure.why}. Nothing was sent to SP-API. Call again.`,
        retryAfterS: failure.retryAfterS,
      }
const LWA_ADVICE: Readonly<Record<string, string>> = {
  invalid_client: 'Its operator must check client id and client secret (client secrets end after 180 days).',
  invalid_grant:
    'Its operator must check the refresh token: it is not of this application, or the seller has taken it back.',
  unauthorized_client: 'Its operator must check the application: it may not use refresh tokens.',
  refused: 'The log says with which status.',
}
export const unsafe = (why: string): OwnError => ({
  name: 'unsafe-path',
  message: 'The request target cannot be forwarded safely.',
  details: `It is refused because ${why}.`,
})
export const urlTooLong = (limit: number): OwnError => ({
  name: 'unsafe-path',
  status: 414,
  message: `The request target may hold ${limit} bytes at most.`,
  details: 'Raise limits.urlBytes if it must be longer.',
})
export const tooManyHeaders = (limit: number): OwnError => ({
  name: 'invalid-header',
  status: 431,
  message: `A request may have ${limit} headers at most.`,
  details: 'Raise limits.headerCount if it must have more.',
})
export const bodyTooLarge = (limit: number): OwnError => ({
  name: 'body-too-large',
  message: `The body of a restricted operation may hold ${limit} bytes at most.`,
  details: 'It is kept until the RDT is there. Raise limits.bodyBytes if it must be larger.',
})
export const upstreamError = (code: string): OwnError => {
  const inTime = { name: 'upstream-timeout', message: 'Amazon did not answer in time.' } as const
  if (code === NOT_ANSWERED) return { ...inTime, details: 'The call may have been carried out. It was not repeated.' }
  if (code === NOT_CONNECTED || code === NO_CONNECTION_FREE)
    return { ...inTime, details: 'There was no connection: nothing was sent to SP-API. Call again.' }
  return {
    name: 'upstream-unreachable',
    message: 'Amazon could not be reached.',
    details: `The connection failed (${code}). The call was not repeated.`,
  }
}

/** A caller's own mint that waited too long for its turn. */
export const MINTS_AT_PLAN: OwnError = {
  name: 'mint-throttled',
  message: 'You exceeded your quota for the requested resource.',
  details: 'createRestrictedDataToken is at its usage plan. Call again after Retry-After seconds.',
  retryAfterS: 1,
}

type Failure = Exclude<RdtResult, { kind: 'token' | 'abandoned' }>

/** Then there is none for the call itself either. */
export const isNoAccess = (failure: Failure): failure is NoAccess =>
  failure.kind === 'access-refused' || failure.kind === 'access-unavailable'

/** Why there is no RDT → what the caller gets. */
export const mintError = (failure: Failure, need: Need): OwnError => {
  if (isNoAccess(failure)) return accessError(failure)
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
    cause: causeOf(failure),
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
  const cause = causeOf(refusal)
  if (cause === 'elements') {
    return 'The application lacks the role for these elements, or the operation does not take them: ask for fewer (rdt.dataElements, x-rdt-data-elements), set rdt.onRefusedElements: drop, or get the role.'
  }
  if (cause === 'document') {
    return 'The report document is not restricted, or not known: fetch it with x-rdt-mode: skip.'
  }
  if (cause === 'token')
    return 'Amazon does not take the LWA access token: send a fresh one, or call again where it is a managed seller’s.'
  if (cause === 'denied') {
    return 'Check that the access token is valid, of this region, and of an application with the role.'
  }
  return resource.includes(' /vendor/')
    ? 'It is a vendor path: check that a vendor (not a seller) authorised the application, and its roles.'
    : 'The application lacks the role for this operation, or the seller has not authorised it: check both in Seller Central.'
}
