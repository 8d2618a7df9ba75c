/**
 * The straight pass of one call: recognise, read the caller's headers, plan, get the RDT, swap, forward.
 * Promises: a restricted call leaves with an RDT for its resource, or with the caller's own token and a verdict that says so,
 * or not at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Broker, RdtResult } from '../rdt/broker.ts'
import { type Credentials, isRdt } from '../rdt/credential.ts'
import { type Need, type Plan, type Policy, planCall } from '../rdt/need.ts'
import type { Endpoint } from '../sp-api/endpoints.ts'
import type { OwnError } from '../sp-api/errors.ts'
import type { Catalogue } from '../sp-api/operations.ts'
import { recognise } from '../sp-api/recognise.ts'
import type { Call, Events } from '../telemetry/events.ts'
import { sendError } from './answer.ts'
import { keepBody } from './body.ts'
import { createForwarder, type ForwarderOptions } from './forward.ts'
import { ACCESS_TOKEN, readHeaders, stripHeaders } from './headers.ts'
import {
  bodyTooLarge,
  DRAINING,
  INTERNAL,
  MISSING_TOKEN,
  mintError,
  OVERLOADED,
  unsafe,
  upstreamError,
} from './own-errors.ts'
import { refuseUnreadable, unreadableError } from './unreadable.ts'

export type HandlerOptions = {
  readonly endpoint: Endpoint
  readonly catalogue: Catalogue
  readonly policy: Policy
  readonly credentials: Credentials
  readonly broker: Broker
  readonly events: Events
  readonly upstream: Pick<ForwarderOptions, 'connectTimeoutMs' | 'responseTimeoutMs' | 'maxConnections' | 'headerBytes'>
  readonly bodyBytes: number
  readonly requestsInFlight: number
  readonly userAgent: string
  readonly now: () => number
}

type Swap = Extract<Plan, { kind: 'swap' }>

export const createHandler = (options: HandlerOptions) => {
  const { endpoint, catalogue, policy, credentials, broker, events, userAgent, now } = options
  const calls = new WeakMap<ServerResponse, Call>()
  const pending = new Set<ServerResponse>()
  let draining = false

  const forwarder = createForwarder({
    ...options.upstream,
    origin: endpoint.origin,
    onFailure: (res, failure, code) => {
      events.upstreamFailed(failure, code)
      reject(res, upstreamError(code), false)
    },
  })

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const call = begin(req, res)
    if (draining) {
      res.setHeader('connection', 'close')
      return reject(res, DRAINING)
    }
    if (pending.size > options.requestsInFlight) return reject(res, OVERLOADED)

    const method = req.method ?? ''
    const recognition = recognise(catalogue, method, req.url ?? '')
    if (recognition.kind === 'unsafe') return reject(res, unsafe(recognition.why))
    if (recognition.kind === 'restricted') call.route = recognition.operation.id

    const headers = readHeaders(req.headers)
    if (!headers.ok) return reject(res, { name: 'invalid-header', message: headers.why })
    const { accessToken, steering } = headers
    const callerHasRdt = accessToken !== undefined && isRdt(accessToken)
    const plan = planCall(policy, { recognition, method, steering, callerHasRdt, sandboxEndpoint: endpoint.sandbox })
    if (plan.kind === 'unsafe') return reject(res, unsafe(plan.why))

    stripHeaders(req.headers)
    req.headers['user-agent'] ??= userAgent // Amazon's edge refuses calls without one
    const { target } = recognition
    if (plan.kind === 'swap' || recognition.kind === 'restricted') req.url = target.path + target.query
    if (plan.kind === 'pass') {
      tell(res, plan.verdict, plan.reason)
      return forward(req, res)
    }
    if (accessToken === undefined) return reject(res, MISSING_TOKEN)
    return swapAndForward(req, res, plan, accessToken)
  }

  const swapAndForward = async (req: IncomingMessage, res: ServerResponse, plan: Swap, accessToken: string) => {
    const call = callOf(res)
    const credential = credentials.identify(accessToken)
    call.credential = credential.id.slice(0, 8)
    const arrivedAt = now()
    const kept = await keepBody(req, options.bodyBytes)
    const askedAt = now()
    if (kept === 'gone') return
    if (kept === 'too large') return reject(res, bodyTooLarge(options.bodyBytes))
    const whenGone = (listener: () => void) => void res.once('close', listener)
    const result = await broker.get({ origin: endpoint.origin, credential, need: plan.need, whenGone })
    const hit = result.kind === 'token' && result.from === 'hit'
    call.waitedMs = (hit ? askedAt : now()) - arrivedAt
    if (res.destroyed || result.kind === 'abandoned') return

    if (result.kind !== 'token' && plan.onMintFailure === 'reject') return reject(res, mintError(result, plan.need))
    if (result.kind === 'token') req.headers[ACCESS_TOKEN] = result.rdt
    tell(res, ...verdictOf(result, plan.need))
    return forward(req, res, kept)
  }

  const begin = (req: IncomingMessage, res: ServerResponse): Call => {
    const call: Call = { startedAt: now(), method: req.method ?? '', route: 'other', verdict: 'rejected', waitedMs: 0 }
    calls.set(res, call)
    pending.add(res)
    events.callBegan()
    res.once('close', () => {
      pending.delete(res)
      events.callEnded(call, res.statusCode, !res.writableFinished && !call.failed)
    })
    return call
  }
  const callOf = (res: ServerResponse): Call => {
    const call = calls.get(res)
    if (!call) throw new Error('a response without its call')
    return call
  }

  const tell = (res: ServerResponse, verdict: string, reason?: string): void => {
    Object.assign(callOf(res), { verdict, reason })
    if (!res.headersSent) res.setHeader('x-rdt-verdict', reason ? `${verdict};${reason}` : verdict)
  }

  const reject = (res: ServerResponse, error: OwnError, undecided = true): void => {
    callOf(res).failed = true
    events.rejected(error.name)
    if (undecided) tell(res, 'rejected', error.name)
    sendError(res, error)
  }

  const forward = (req: IncomingMessage, res: ServerResponse, body?: Buffer): Promise<void> => {
    callOf(res).forwardedAt = now()
    return forwarder.forward(req, res, body)
  }

  return {
    handle,
    /** The last resort of the listener: a bug, told as such and never with its message. */
    fail: (res: ServerResponse, error: unknown): void => {
      events.failed(error)
      reject(res, INTERNAL)
    },
    /** Bytes that are no request. */
    refuse: (socket: Socket, code: string | undefined): void => {
      const answering = [...pending].some((res) => res.socket === socket && (res.headersSent || res.req.complete))
      if (!socket.writable || answering) {
        socket.destroy()
        return
      }
      const error = unreadableError(code)
      events.rejected(error.name)
      refuseUnreadable(socket, error)
    },
    /** From now on new calls are refused; those in flight go on. */
    drain: (): void => {
      draining = true
    },
    inFlight: (): number => pending.size,
    close: (): void => forwarder.close(),
  }
}
export type Handler = ReturnType<typeof createHandler>

const verdictOf = (result: Exclude<RdtResult, { kind: 'abandoned' }>, need: Need): [string, string?] =>
  result.kind === 'token' ? [result.from] : ['fallback', mintError(result, need).name]
