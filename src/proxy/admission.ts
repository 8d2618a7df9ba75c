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
import { BROWSER, FOREIGN_HOST, FORWARDED, NO_SELLER, UNKNOWN_SELLER, UNTRUSTED } from './own-errors.ts'
import { hostsIn } from './well-formed.ts'

export type ManagedSeller = {
  readonly id: string
  readonly credential: Credential
  /** The listener's where undefined. */
  readonly endpoint: Endpoint | undefined
  /** Used where a call names none, though there are others. */
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

/** `caller`: who it is, where that was proved. */
export type Admission = { readonly caller: Caller | undefined } & (
  | { readonly seller: ManagedSeller }
  | { readonly refusal: OwnError }
)

/** Why a request in a seller's name must not be taken, whatever it asks for. `unix`: it came on a Unix socket, which no browser reaches. */
export const foreign = (
  { allowForwarded, hosts }: AdmissionRules,
  { headers, rawHeaders, socket }: Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'socket'>,
  unix: boolean,
): OwnError | undefined => {
  if (A_BROWSERS.some((name) => headers[name] !== undefined)) return BROWSER
  if (!allowForwarded && PASSED_ON.some((name) => headers[name] !== undefined)) return FORWARDED
  if (unix) return undefined
  const [host, another] = hostsIn(rawHeaders).map(hostIn)
  if (!host || another !== undefined) return FOREIGN_HOST
  return hosts.has(host) || host === hostOf(socket.localAddress) ? undefined : FOREIGN_HOST
}

const PASSED_ON = ['forwarded', 'x-forwarded-for', 'via']
/** It speaks for the page that it shows: no mesh makes that a service. */
const A_BROWSERS = ['origin', 'sec-fetch-site']

/** `Shop.:8080` → `shop`, `[::1]:8080` → `[::1]`. */
export const hostIn = (header: string): string => header.toLowerCase().replace(/\.?(:\d*)?$/, '')

/** A name, or an address as Node or the configuration has it, as {@link hostIn} gives it. */
export const hostOf = (address = ''): string => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').toLowerCase()
  return plain.includes(':') ? `[${plain}]` : plain
}

/** In whose name a request without a token of its own goes out; undefined where there are no managed sellers and none is named. */
export const admit = (
  rules: AdmissionRules,
  req: Parameters<typeof foreign>[1],
  { callerToken, seller: named }: { readonly callerToken: string | undefined; readonly seller: string | undefined },
  unix: boolean,
): Admission | undefined => {
  const { sellers, callers } = rules
  const refuse = (refusal: OwnError, caller?: Caller): Admission => ({ refusal, caller })
  if (sellers.length === 0) return named === undefined ? undefined : refuse(UNKNOWN_SELLER)
  const stranger = foreign(rules, req, unix)
  if (stranger) return refuse(stranger)
  const caller = callers?.find(callerToken ?? '')
  if (callers && !caller) return refuse(UNTRUSTED)
  const open = sellers.filter(({ id }) => caller?.sellers?.has(id) ?? true)
  if (named !== undefined) {
    const seller = open.find(({ id }) => id === named)
    return seller ? { seller, caller } : refuse(UNKNOWN_SELLER, caller)
  }
  const seller = open.length === 1 ? open[0] : open.find(({ isDefault }) => isDefault)
  return seller ? { seller, caller } : refuse(NO_SELLER, caller)
}
