/**
 * A restricted call: its RDT in the place of the caller's token, and what becomes of it where there is none or Amazon no longer
 * takes it. A call is sent a second time only after Amazon's edge refused its token, which is before the operation runs; never
 * twice over, and never after a failure that leaves open whether it ran.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Broker, RdtRequest, RdtResult } from '../rdt/broker.ts'
import type { Seller } from '../rdt/minter.ts'
import type { Need, Swap } from '../rdt/need.ts'
import { isNoRestrictedDocument } from '../rdt/refusal.ts'
import type { Documents } from '../reports/documents.ts'
import type { Exchange } from './exchange.ts'
import { ACCESS_TOKEN } from './headers.ts'
import { isNoAccess, mintError } from './own-errors.ts'
import { createOwnSender } from './own-token.ts'
import { type Forbidden, isTokensFault } from './read-answer.ts'

export type SwapperOptions = {
  readonly exchange: Exchange
  readonly broker: Broker
  readonly documents: Documents
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

export const createSwapper = ({ exchange, broker, documents, now }: SwapperOptions) => {
  const { callOf, tell, receive, reject, forward } = exchange
  const sendOwn = createOwnSender(exchange)

  const serve = async (req: IncomingMessage, res: ServerResponse, plan: Swap, seller: Seller): Promise<void> => {
    callOf(res).asked = plan.need.resources
    const received = await receive(req, res)
    if (!received) return
    const whenGone = (listener: () => void) => void res.once('close', listener)
    const { need, dropRefusedElements } = plan
    const request: RdtRequest = { ...seller, need, dropRefusedElements, trigger: 'miss', whenGone }
    const errand = { req, res, plan, request, ...received }
    if (plan.document === 'unrestricted') return sendUnrestricted(errand)
    const askedAt = now()
    const result = await broker.get(request)
    if (result.kind !== 'token' || result.from === 'minted') callOf(res).waitedMs += now() - askedAt
    return deliver(errand, result)
  }

  const deliver = async (errand: Errand, result: RdtResult): Promise<void> => {
    const { req, res, plan, request, body, again } = errand
    if (res.destroyed || result.kind === 'abandoned') return
    if (result.kind === 'token') {
      callOf(res).asked = result.need.resources
      tell(res, again ? 'replayed' : result.from, droppedFrom(plan.need, result.need))
      send(errand, result.rdt.token, (forbidden) => refreshed(errand, result, forbidden))
      return
    }
    if (plan.document && result.kind === 'refused' && isNoRestrictedDocument(result)) {
      documents.found(request, pathOf(plan), 'unrestricted')
      return sendUnrestricted(errand)
    }
    if (plan.onMintFailure === 'reject' || isNoAccess(result)) return reject(res, mintError(result, plan.need))
    tell(res, 'fallback', mintError(result, plan.need).name)
    return sendOwn(req, res, request, { body, again })
  }

  /** A 403 to an RDT: where the token is to blame, a new one and the call once more. */
  const refreshed = async (errand: Errand, used: Token, forbidden: Forbidden): Promise<void> => {
    if (!isTokensFault(forbidden)) return forbidden.passOn()
    const { request, res } = errand
    callOf(res).replay = true
    const replace = () => broker.replace({ ...request, need: used.need, trigger: 'replay' }, used.rdt.token)
    return deliver({ ...errand, again: true }, await waited(res, replace))
  }

  /** A report document that needs no RDT, as far as is known. */
  const sendUnrestricted = (errand: Errand): Promise<void> => {
    const { req, res, request, body, again } = errand
    tell(res, 'unrestricted-report')
    return sendOwn(req, res, request, { body, again }, (forbidden) => reconsidered(errand, forbidden))
  }

  /** A 403 to the caller's own token: the report's type may be one that the list lacks. */
  const reconsidered = async (errand: Errand, forbidden: Forbidden): Promise<void> => {
    const { request, plan, res } = errand
    if (isTokensFault(forbidden)) return forbidden.passOn()
    const result = await waited(res, () => broker.get(request))
    if (result.kind !== 'token') return forbidden.passOn()
    callOf(res).replay = true
    documents.found(request, pathOf(plan), 'restricted')
    return deliver({ ...errand, again: true }, result)
  }

  /** Sends the call with this token; it then ends by itself. What Amazon says to a first one may be mended. */
  const send = (errand: Errand, token: string, mend: (forbidden: Forbidden) => Promise<void>): void => {
    const { req, res, request, body, again } = errand
    const { origin } = request
    req.headers[ACCESS_TOKEN] = token
    const onForbidden = (forbidden: Forbidden): void => {
      mend(forbidden).catch((bug) => exchange.fail(res, bug))
    }
    void forward(req, res, origin, again ? { body } : { body, onForbidden })
  }

  /** Counts what passes from the call's going out until the RDT is there as waiting, not as ours. */
  const waited = async (res: ServerResponse, rdt: () => RdtResult | Promise<RdtResult>): Promise<RdtResult> => {
    const call = callOf(res)
    const result = await rdt()
    call.waitedMs += now() - (call.forwardedAt ?? now())
    return result
  }

  return { serve }
}

const pathOf = ({ need }: Swap): string => need.resources[0]?.path ?? ''

/** The verdict's word for data elements that Amazon refused and that were left out. */
const droppedFrom = (asked: Need, got: Need): string | undefined => {
  if (asked === got) return undefined
  const elements = ({ resources }: Need) => resources.flatMap(({ dataElements }) => dataElements ?? [])
  const left = elements(asked).filter((element) => !elements(got).includes(element))
  return left.length > 0 ? `dropped-${left.join(',')}` : undefined
}
