/** Pure: what is wrong, in plain words, each with its cure. For the people on call, who see neither the call nor the log here. */
import type { Kind, Trouble } from '../telemetry/troubles.ts'

/** What lasts for as long as it is so, besides what happened to calls. */
export type Condition = 'store-alone' | 'secrets-refused' | 'plan-used-up' | 'reload-failed' | 'plaintext'

type Words = {
  readonly what: string
  readonly cure: string
  /** The alert whose section in the runbook goes on from here. */
  readonly alert?: string
}

export type Problem = Words &
  (Trouble | { readonly kind: Condition; readonly wentWellSince: false }) & { readonly kind: Kind | Condition }

export const problemsOf = (conditions: readonly Condition[], troubles: readonly Trouble[]): readonly Problem[] => [
  ...conditions.map((kind) => ({ kind, wentWellSince: false as const, ...WORDS[kind] })),
  ...troubles.map((trouble) => ({ ...trouble, ...wordsOf(trouble) })),
]

/** A cause's own words stand in for those of its kind. */
const wordsOf = ({ kind, cause = '' }: Trouble): Words => ({ ...WORDS[kind], ...CAUSES[kind]?.[cause] })

const WORDS: Readonly<Record<Kind | Condition, Words>> = {
  'unsafe-path': {
    what: 'Calls were refused because their path is malformed, or can be read in two ways.',
    cure: 'Mend the service that sends them: a path as Amazon documents it, nothing encoded twice. Try the path in the box below. Answered 414: it is too long, raise limits.urlBytes if it must be.',
    alert: 'RdtSuspiciousCalls',
  },
  'invalid-header': {
    what: 'Requests were refused for a header: a bad x-rdt-* value, two access tokens, or no well-formed HTTP at all, or not all of it in time.',
    cure: 'Mend the service that sends them: the answer it got says what is wrong. Answered 431: raise limits.headerCount or limits.headerBytes, if it must have so many.',
    alert: 'RdtSuspiciousCalls',
  },
  'missing-token': {
    what: 'Calls that need an access token came without one, and named no managed seller.',
    cure: 'Have the service send its LWA access token in x-amz-access-token, or name a managed seller in x-rdt-seller.',
    alert: 'RdtSuspiciousCalls',
  },
  'untrusted-caller': {
    what: 'Calls in the name of a managed seller came from somebody who proved nothing.',
    cure: 'Let the service read the caller token and send it in x-rdt-caller-token. Where no service of yours does this, look for who does.',
    alert: 'RdtSuspiciousCalls',
  },
  'unknown-seller': {
    what: 'Calls named a managed seller that there is not, or that their caller may not use.',
    cure: 'Compare x-rdt-seller in the service with sellers[].id and auth.callers[].sellers.',
    alert: 'RdtSuspiciousCalls',
  },
  'operation-not-allowed': {
    what: 'A caller asked for an operation that it is not allowed.',
    cure: 'If the service needs it, add it to its auth.callers[].operations.',
    alert: 'RdtSuspiciousCalls',
  },
  'forwarded-call': {
    what: 'Calls in the name of a managed seller came by way of a proxy or a browser.',
    cure: 'Call the sidecar directly; behind a service mesh set auth.allowForwarded: true. From a browser such calls are never taken.',
    alert: 'RdtSuspiciousCalls',
  },
  'foreign-host': {
    what: 'Calls in the name of a managed seller were meant for another host.',
    cure: 'Have the service call the sidecar by its address, or add the name it uses to auth.hosts.',
    alert: 'RdtSuspiciousCalls',
  },
  'lwa-refused': {
    what: 'Login with Amazon refuses the credentials of a managed seller.',
    cure: 'The log’s “access token” lines name the seller, and the status.',
    alert: 'RdtLwaRefused',
  },
  'lwa-unavailable': {
    what: 'No access token of a managed seller could be had: Login with Amazon fails, or does not answer.',
    cure: 'Look at the way out of the pod (DNS, port 443 to api.amazon.com). It is tried again by itself; a restart would throw away the tokens that are there.',
    alert: 'RdtLwaFailing',
  },
  'body-too-large': {
    what: 'Restricted calls had bodies that are too large to be kept.',
    cure: 'Raise limits.bodyBytes, if such bodies are meant.',
  },
  'mint-refused': {
    what: 'Amazon refuses the RDT.',
    cure: 'Check in Seller Central that the application has the role, and that the seller has authorised it.',
    alert: 'RdtMintRefused',
  },
  'mint-throttled': {
    what: 'Calls were refused because their RDT would have come too late: more are needed than the usage plan has.',
    cure: 'Let callers heed Retry-After; use rdt.scope: generic where it is specific; find out who else mints for this seller.',
    alert: 'RdtCallersThrottled',
  },
  'mint-unavailable': {
    what: 'No RDT could be had: Amazon’s Tokens API fails or cannot be reached.',
    cure: 'Look at the way out of the pod, then at Amazon’s status page. It is tried again by itself; a restart would throw away the RDTs that are cached.',
    alert: 'RdtMintsFailing',
  },
  'upstream-unreachable': {
    what: 'Calls could not reach Amazon, or broke on the way.',
    cure: 'Look at the way out of the pod (DNS, port 443), and at the endpoint of the listener.',
    alert: 'RdtUpstreamErrors',
  },
  'upstream-timeout': {
    what: 'Amazon did not answer in time, or no connection was there in time.',
    cure: 'Look at the way out of the pod, then at Amazon’s status page. Raise upstream.responseTimeoutMs for operations that are slow by nature, upstream.maxConnections where calls wait for a connection.',
    alert: 'RdtUpstreamErrors',
  },
  'amazon-failing': {
    what: 'Amazon answers calls with 5xx; services got that as it came.',
    cure: 'Look at Amazon’s status page, and wait. Services may repeat what may be repeated.',
    alert: 'RdtUpstreamErrors',
  },
  draining: {
    what: 'Calls came while the sidecar was shutting down, and were told to call again.',
    cure: 'Nothing, at a deployment. Services should end before their sidecar does.',
  },
  overloaded: {
    what: 'Calls were refused because too many are in flight, or too many bodies are kept.',
    cure: 'Find out what piles up (is Amazon slow?), then raise limits.requestsInFlight or limits.keptBytes.',
    alert: 'RdtOverloaded',
  },
  internal: {
    what: 'The sidecar failed: a bug of ours.',
    cure: 'Report it with the log line that says “a bug”.',
    alert: 'RdtInternalErrors',
  },
  fallback: {
    what: 'Restricted calls went out with the caller’s own token, for want of an RDT: personal data may be missing.',
    cure: 'Find out why there is no RDT (the other entries), or set rdt.onMintFailure: reject.',
    alert: 'RdtFallbacks',
  },
  'replay-failed': {
    what: 'Amazon no longer took the token of a call, and a new one did not help.',
    cure: 'All operations of one seller: it has taken back its authorisation. One operation: compare its row (the box below) with Amazon’s guide. Everything: Amazon’s fault; open a case with a requestId of the log.',
    alert: 'RdtReplaysFailing',
  },
  'mint-failed': {
    what: 'Requests for RDTs fail.',
    cure: 'Look at the way out of the pod, then at Amazon’s status page. They are tried again by themselves.',
    alert: 'RdtMintsFailing',
  },
  'renewal-failed': {
    what: 'RDTs in use cannot be renewed. Nobody feels it yet: they serve on until they end.',
    cure: 'Look at the way out of the pod, then at Amazon’s status page. It is tried again by itself; do not restart: the RDTs that are there keep callers going.',
    alert: 'RdtRenewalsFailing',
  },
  'lwa-failed': {
    what: 'Requests to Login with Amazon fail. Access tokens that are there serve on until they end.',
    cure: 'Look at the way out of the pod (DNS, port 443 to api.amazon.com). The log’s “access token” lines name the seller, and what was answered.',
    alert: 'RdtLwaFailing',
  },
  'secrets-refused': {
    what: 'The configured secrets of a managed seller are refused; those before them still work, and are used.',
    cure: 'Check what was written last: client secret and refresh token of the seller that the log names. Until then do not restart: the secrets that work are in memory alone.',
    alert: 'RdtSecretsFellBack',
  },
  'store-unreadable': {
    what: 'A value in the store could not be read, and was taken for none.',
    cure: 'Find out who else writes to names that begin with rdt:, and give the sidecars a Redis user of their own. Where nothing explains it, it is a security incident; at a roll-out of another version it may be its format.',
    alert: 'RdtStoreUnreadable',
  },
  'connections-refused': {
    what: 'Connections of services were closed without an answer: too many are open.',
    cure: 'Find out who opens them and does not use them again, then raise limits.connections.',
    alert: 'RdtOverloaded',
  },
  'store-alone': {
    what: 'The store that replicas share is out of reach: this one goes on from memory, with its share of the usage plan.',
    cure: 'Look at the store and the way to it. Do not restart: a new pod knows neither the RDTs that are there nor how many share the plan.',
    alert: 'RdtStoreUnreachable',
  },
  'plan-used-up': {
    what: 'The usage plan of mints is used up: for minutes, mints have been waiting for their turn all the time.',
    cure: 'Find the job that asks for ever new resources, and slow it down; use rdt.scope: generic where it is specific.',
    alert: 'RdtMintQueueSaturated',
  },
  'reload-failed': {
    what: 'The changed configuration was not taken over: the one before it is still in force.',
    cure: 'The log names every problem in it. Where check-config finds none, a key has changed that needs a restart.',
    alert: 'RdtReloadFailed',
  },
  plaintext: {
    what: 'A data listener takes plaintext from other machines.',
    cure: 'Give it a certificate (tls.certFile), or keep it on loopback. Both need a restart.',
    alert: 'RdtInsecureListener',
  },
}

const LWA_CAUSES: Readonly<Record<string, Partial<Words>>> = {
  refused: {
    cure: 'Look at the status in the log’s “access token” lines, which name the seller too: a proxy may have answered in Amazon’s place.',
    alert: 'RdtLwaRefused',
  },
  invalid_client: {
    cure: 'Check client id and client secret: client secrets end after 180 days. The log’s “access token” lines name the seller.',
    alert: 'RdtLwaRefused',
  },
  invalid_grant: {
    cure: 'Check the refresh token: it is not of this application, or the seller has taken it back. The log’s “access token” lines name the seller.',
    alert: 'RdtLwaRefused',
  },
  unauthorized_client: {
    cure: 'Check the application: it may not use refresh tokens. The log’s “access token” lines name the seller.',
    alert: 'RdtLwaRefused',
  },
}

const CAUSES: Partial<Record<Kind, Readonly<Record<string, Partial<Words>>>>> = {
  'mint-refused': {
    elements: {
      what: 'Amazon refuses the RDT because of its data elements.',
      cure: 'Ask for fewer (rdt.dataElements, or on the operation’s row), set rdt.onRefusedElements: drop, or get the role for them.',
    },
    document: {
      what: 'Amazon knows no restricted report document of that id.',
      cure: 'Have the service fetch it with x-rdt-mode: skip, if the report needs no RDT; else check the document’s id.',
    },
    token: {
      what: 'Amazon does not take the access token: it has expired, was revoked, or is none.',
      cure: 'Have the service renew its LWA access token when it has expired, not when a call fails. That of a managed seller is renewed by the sidecar.',
    },
    denied: {
      what: 'Amazon denies access: the access token is of another region, or its application lacks the role.',
      cure: 'Check that the seller’s region is that of the listener’s endpoint, and the application’s roles in Seller Central.',
    },
    role: {
      what: 'Amazon refuses the RDT: the application lacks the role for this operation, the seller has not authorised it, or what it was asked for is nothing that it knows.',
      cure: 'Check role and authorisation in Seller Central (vendor paths want a vendor’s). When that is done, POST /flush (from the pod, or by port-forward) forgets the refusal at once. A service that mints for itself: check what it asks for.',
    },
  },
  'mint-failed': {
    throttled: {
      what: 'Amazon answers 429 to requests for RDTs: somebody else draws on the same usage plan.',
      cure: 'Let replicas share a store, or give each a share of mint.ratePerSecond. Find what mints without the sidecar.',
      alert: 'RdtMintsThrottled',
    },
    network: { what: 'Requests for RDTs do not reach Amazon, or are not answered in time.' },
    server_error: { what: 'Amazon answers 5xx to requests for RDTs.' },
    bad_response: {
      what: 'The answers to requests for RDTs hold no token.',
      cure: 'Something in between answers in Amazon’s place: look for a proxy, and at the endpoint.',
    },
  },
  'renewal-failed': {
    throttled: {
      cure: 'Somebody else draws on the same usage plan: let replicas share a store, or give each a share of mint.ratePerSecond. Find what mints without the sidecar.',
    },
    refused: {
      what: 'Amazon refuses to renew an RDT. It serves on until it ends, unless it is the access token that is refused.',
      cure: 'Check in Seller Central that the application still has the role, and the seller’s authorisation. The log’s “mint” lines with trigger refresh have status and code.',
      alert: 'RdtMintRefused',
    },
  },
  'lwa-refused': LWA_CAUSES,
  'lwa-failed': {
    ...LWA_CAUSES,
    throttled: {
      cure: 'Find what else asks Login with Amazon all the time: a sidecar asks once an hour for each seller. It is tried again by itself.',
    },
    bad_response: {
      cure: 'Something in between answers in Amazon’s place: look for a proxy, and at lwa.endpoint.',
    },
  },
}
