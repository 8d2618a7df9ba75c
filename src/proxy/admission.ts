/**
 * Calls that bring no access token of their own: in whose name they go out, if in anybody's. With managed sellers the sidecar
 * adds authority, so that callers prove who they are, and what a browser or another proxy may have sent is refused.
 */
import type { IncomingMessage } from 'node:http'
import type { Credential } from '../rdt/credential.ts'
import type { Policy } from '../rdt/need.ts'
import type { Endpoint } from '../sp-api/endpoints.ts'
import type { OwnError } from '../sp-api/errors.ts'
import type { Caller, Callers } from './callers.ts'
import { FOREIGN_HOST, FORWARDED, NO_SELLER, UNKNOWN_SELLER, UNTRUSTED } from './own-errors.ts'

export type ManagedSeller = {
  readonly id: string
  readonly credential: Credential
  /** The listener's where undefined. */
  readonly endpoint: Endpoint | undefined
  /** Used where a call names none. */
  readonly isDefault: boolean
  readonly policy: Policy
}

export type AdmissionRules = {
  /** Empty: the sidecar has no authority of its own. */
  readonly sellers: readonly ManagedSeller[]
  /** Undefined: callers show no token; their certificate or their socket has proved them, or nobody must. */
  readonly callers: Callers | undefined
  readonly allowForwarded: boolean
  /** Names that callers know us by, in small letters; the address that they have connected to is one without being named. */
  readonly hosts: ReadonlySet<string>
}

export type Admitted = { readonly seller: ManagedSeller; readonly caller: Caller | undefined }
/** `caller`: who it was all the same, for the log. */
export type NotAdmitted = { readonly error: OwnError; readonly caller?: Caller | undefined }

/** Why a request must not be taken, whatever it asks for. `unix`: it came on a Unix socket, which no browser reaches. */
export const foreign = (
  { sellers, allowForwarded, hosts }: AdmissionRules,
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  unix: boolean,
): OwnError | undefined => {
  if (sellers.length === 0) return undefined
  if (!allowForwarded && PASSED_ON.some((name) => headers[name] !== undefined)) return FORWARDED
  if (unix) return undefined
  const host = hostIn(headers.host)
  return hosts.has(host) || host === addressText(socket.localAddress) ? undefined : FOREIGN_HOST
}

/** The last two are a browser's, which speaks for the page that it shows. */
const PASSED_ON = ['forwarded', 'x-forwarded-for', 'via', 'origin', 'sec-fetch-site']

/** `Shop:8080` → `shop`, `[::1]:8080` → `[::1]`. */
export const hostIn = (header = ''): string => header.toLowerCase().replace(/:\d*$/, '')

/** An address of Node's as it stands in a Host. */
const addressText = (address = ''): string => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  return plain.includes(':') ? `[${plain}]` : plain
}

/** In whose name; undefined where there are no managed sellers and none is named. */
export const admit = (
  { sellers, callers }: AdmissionRules,
  { callerToken, seller: named }: { readonly callerToken: string | undefined; readonly seller: string | undefined },
): Admitted | NotAdmitted | undefined => {
  if (sellers.length === 0) return named === undefined ? undefined : { error: UNKNOWN_SELLER }
  const caller = callers?.find(callerToken ?? '')
  if (callers && !caller) return { error: UNTRUSTED }
  const open = sellers.filter(({ id }) => caller?.sellers?.has(id) ?? true)
  if (named !== undefined) {
    const seller = open.find(({ id }) => id === named)
    return seller ? { seller, caller } : { error: UNKNOWN_SELLER, caller }
  }
  const seller = open.length === 1 ? open[0] : open.find(({ isDefault }) => isDefault)
  return seller ? { seller, caller } : { error: NO_SELLER, caller }
}
