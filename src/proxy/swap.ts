/**
 * A restricted call: its RDT in the place of the caller's token, and what becomes of it where there is none or Amazon no longer
 * takes it. A call is sent a second time only after Amazon's edge refused its token, which is before the operation runs; never
 * twice over, and never after a failure that leaves open whether it ran.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Broker, RdtRequest, RdtResult } from '../rdt/broker.ts'
import type { Credential } from '../rdt/credential.ts'
import type { Need, Swap } from '../rdt/need.ts'
import { blamesToken, isNoRestrictedDocument } from '../rdt/refusal.ts'
import type { Documents } from '../reports/documents.ts'
import { firstError } from '../sp-api/errors.ts'
import { keepBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import { ACCESS_TOKEN } from './headers.ts'
import { bodyTooLarge, mintError } from './own-errors.ts'
import type { Forbidden } from './read-answer.ts'

export type SwapperOptions = {
  readonly exchange: Exchange
  readonly origin: string
  readonly broker: Broker
  readonly documents: Documents
  readonly bodyBytes: number
  readonly now: () => number
}

type Errand = {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly plan: Swap
  readonly request: RdtRequest
  readonly body: Buffer | undefined
  /** It has been to Amazon once. */
  readonly again?: boolean
}
type Token = Extract<RdtResult, { kind: 'token' }>

const NO_BODY = Buffer.alloc(0)

export const createSwapper = ({ exchange, origin, broker, documents, bodyBytes, now }: SwapperOptions) => {
  const { callOf, tell, reject, forward } = exchange

  const serve = async (
    req: IncomingMessage,
    res: ServerResponse,
    plan: Swap,
    credential: Credential,
  ): Promise<void> => {
    const call = callOf(res)
    call.credential = credential.id.slice(0, 8)
    const arrivedAt = now()
    const body = await keepBody(req, bodyBytes)
    call.waitedMs = now() - arrivedAt
    if (body === 'gone') return
    if (body === 'too large') return reject(res, bodyTooLarge(bodyBytes))
    const whenGone = (listener: () => void) => void res.once('close', listener)
    const request: RdtRequest = { origin, credential, need: plan.need, trigger: 'miss', whenGone }
    const errand = { req, res, plan, request, body }
    if (plan.document === 'unrestricted') return sendOwn(errand)
    const result = await broker.get(request)
    if (result.kind !== 'token' || result.from === 'minted') call.waitedMs = now() - arrivedAt
    return deliver(errand, result)
  }

  const deliver = async (errand: Errand, result: RdtResult): Promise<void> => {
    const { req, res, plan, request, body, again } = errand
    if (res.destroyed || result.kind === 'abandoned') return
    if (result.kind === 'token') {
      req.headers[ACCESS_TOKEN] = result.rdt.token
      tell(res, again ? 'replayed' : result.from, droppedFrom(plan.need, result.need))
      if (again) return forward(req, res, { body: body ?? NO_BODY })
      return forward(req, res, { body, onForbidden: (forbidden) => caught(res, refreshed(errand, result, forbidden)) })
    }
    if (plan.document && result.kind === 'refused' && isNoRestrictedDocument(result)) {
      documents.found(request, pathOf(plan), 'unrestricted')
      return sendOwn(errand)
    }
    if (plan.onMintFailure === 'reject') return reject(res, mintError(result, plan.need))
    tell(res, 'fallback', mintError(result, plan.need).name)
    req.headers[ACCESS_TOKEN] = request.credential.token
    return forward(req, res, { body: again ? (body ?? NO_BODY) : body })
  }

  /** A 403 to an RDT: where the token is to blame, a new one and the call once more. */
  const refreshed = async (errand: Errand, used: Token, forbidden: Forbidden): Promise<void> => {
    if (!isTokensFault(forbidden)) return forbidden.passOn()
    const { request } = errand
    const replace = () => broker.replace({ ...request, need: used.need, trigger: 'replay' }, used.rdt.token)
    return deliver({ ...errand, again: true }, await waited(errand, replace))
  }

  /** A report document that needs no RDT, as far as is known. */
  const sendOwn = (errand: Errand): Promise<void> => {
    const { req, res, body } = errand
    tell(res, 'unrestricted-report')
    return forward(req, res, { body, onForbidden: (forbidden) => caught(res, reconsidered(errand, forbidden)) })
  }

  /** A 403 to the caller's own token: the report's type may be one that the list lacks. */
  const reconsidered = async (errand: Errand, forbidden: Forbidden): Promise<void> => {
    const { request, plan } = errand
    if (isTokensFault(forbidden)) return forbidden.passOn()
    const result = await waited(errand, () => broker.get(request))
    if (result.kind !== 'token') return forbidden.passOn()
    documents.found(request, pathOf(plan), 'restricted')
    return deliver({ ...errand, again: true }, result)
  }

  /** Counts what passes from the call's going out until `rdt` is there as waiting, not as ours. */
  const waited = async (errand: Errand, rdt: () => Promise<RdtResult>): Promise<RdtResult> => {
    const call = callOf(errand.res)
    call.replay = true
    const result = await rdt()
    call.waitedMs += now() - (call.forwardedAt ?? now())
    return result
  }

  const caught = (res: ServerResponse, done: Promise<void>): void => {
    done.catch((error: unknown) => exchange.fail(res, error))
  }

  return { serve }
}

const isTokensFault = ({ text }: Forbidden): boolean => blamesToken(firstError(text)?.details ?? '')

const pathOf = ({ need }: Swap): string => need.resources[0]?.path ?? ''

/** The verdict's word for data elements that Amazon refused and that were left out. */
const droppedFrom = (asked: Need, got: Need): string | undefined => {
  const elements = ({ resources }: Need) => resources.flatMap(({ dataElements }) => dataElements ?? [])
  const left = elements(asked).filter((element) => !elements(got).includes(element))
  return left.length > 0 ? `dropped-${left.join(',')}` : undefined
}
