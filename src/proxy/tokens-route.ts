/**
 * Callers' own createRestrictedDataToken calls: the same throttle, flights and cache as the sidecar's own mints, bound to the same
 * credential. The RDT that is handed out opens what was asked for and nothing else. Amazon's errors pass on as they came.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Broker, RdtResult } from '../rdt/broker.ts'
import { readMintBody } from '../rdt/mint-body.ts'
import type { Minter, Seller } from '../rdt/minter.ts'
import type { Need, Policy, Steering } from '../rdt/need.ts'
import { causeOf, type Refused } from '../rdt/refusal.ts'
import type { Catalogue } from '../sp-api/operations.ts'
import { operationOf } from '../sp-api/recognise.ts'
import type { Exchange } from './exchange.ts'
import { MINTS_AT_PLAN, mintError } from './own-errors.ts'
import { createOwnSender } from './own-token.ts'

export type TokensRouteOptions = {
  readonly exchange: Exchange
  readonly broker: Broker
  readonly minter: Minter
  /** The catalogue and the policy in force. */
  readonly rules: () => { readonly catalogue: Catalogue; readonly policy: Pick<Policy, 'targetApplication'> }
  readonly maxWaitMs: number
  readonly now: () => number
}

export const createTokensRoute = (options: TokensRouteOptions) => {
  const { exchange, broker, minter, now } = options
  const { callOf, tell, receive, reject, accessFor } = exchange
  const sendOwn = createOwnSender(exchange)

  const serve = async (
    req: IncomingMessage,
    res: ServerResponse,
    seller: Seller,
    steering: Steering,
  ): Promise<void> => {
    const received = await receive(req, res)
    if (!received) return
    const { body } = received
    const target = steering.targetApplication ?? options.rules().policy.targetApplication ?? undefined
    const need = body ? withOperation(readMintBody(body, target)) : undefined
    if (!need) return forwardInTurn(req, res, seller, body)
    callOf(res).asked = need.resources
    const whenGone = (listener: () => void) => void res.once('close', listener)
    answer(res, need, await broker.get({ ...seller, need, trigger: 'caller', whenGone }))
  }

  /** Names the operation of a single resource: what Amazon refuses for one path of it need not be asked for the next. */
  const withOperation = (need: Need | undefined): Need | undefined => {
    const [resource, ...others] = need?.resources ?? []
    if (!need || !resource || others.length > 0) return need
    return { ...need, operation: operationOf(options.rules().catalogue, resource)?.id }
  }

  const answer = (res: ServerResponse, need: Need, result: RdtResult): void => {
    if (res.destroyed || result.kind === 'abandoned') return
    if (result.kind === 'token') handOut(res, result)
    else if (result.kind === 'refused') passOn(res, result)
    else reject(res, mintError(result, need))
  }

  const handOut = (res: ServerResponse, result: Extract<RdtResult, { kind: 'token' }>): void => {
    const { token, expiresAt } = result.rdt
    callOf(res).handsOut = true
    const expiresIn = expiresAt === undefined ? undefined : Math.floor((expiresAt - now()) / 1000)
    tell(res, result.from)
    exchange.showVerdict(res)
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ expiresIn, restrictedDataToken: token }))
  }

  const passOn = (res: ServerResponse, refusal: Refused): void => {
    const { status, code, answer } = refusal
    exchange.refused(res, { name: 'mint-refused', cause: causeOf(refusal), code })
    res.statusCode = status
    for (const [name, value] of Object.entries(answer.headers)) res.setHeader(name, value)
    res.setHeader('x-rdt-error', 'mint-refused')
    exchange.showVerdict(res)
    res.end(answer.body)
  }

  /** A body that is not read goes to Amazon as it came, when the usage plan allows it. */
  const forwardInTurn = async (
    req: IncomingMessage,
    res: ServerResponse,
    seller: Seller,
    body: Buffer | undefined,
  ): Promise<void> => {
    const askedAt = now()
    if ((await accessFor(res, seller.credential)) === undefined) return
    const inLineSince = now()
    let waiting = true
    const timer = setTimeout(
      () => {
        waiting = false
        reject(res, MINTS_AT_PLAN)
      },
      options.maxWaitMs - (inLineSince - askedAt),
    )
    res.once('close', () => clearTimeout(timer))
    const mint = async () => {
      clearTimeout(timer)
      callOf(res).waitedMs += now() - inLineSince
      tell(res, 'not-restricted')
      await sendOwn(req, res, seller, { body })
      return { kind: res.statusCode === 429 ? 'throttled' : 'passed' }
    }
    await minter.pass(seller, mint, () => waiting && !res.destroyed)
  }

  return { serve }
}
