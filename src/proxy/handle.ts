/**
 * The straight pass of one call: recognise, read the caller's headers, plan, get the RDT, swap, forward.
 * Promises: a restricted call leaves with an RDT for its resource, or with the caller's own token and a verdict that says so,
 * or not at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Broker } from '../rdt/broker.ts'
import { type Credentials, isRdt } from '../rdt/credential.ts'
import type { Minter } from '../rdt/minter.ts'
import { type Policy, planCall, type Steering } from '../rdt/need.ts'
import type { Documents } from '../reports/documents.ts'
import { type Endpoint, TOKENS_PATH } from '../sp-api/endpoints.ts'
import type { OwnError } from '../sp-api/errors.ts'
import type { Catalogue } from '../sp-api/operations.ts'
import { recognise } from '../sp-api/recognise.ts'
import type { Events } from '../telemetry/events.ts'
import { type AdmissionRules, admit } from './admission.ts'
import { mayCall, saysAnother } from './callers.ts'
import { type BodyLimits, createExchange, type ExchangeOptions } from './exchange.ts'
import { readHeaders, strippedHeaders } from './headers.ts'
import { endWith, isLastOne, isOver, refuseAfter } from './last-answer.ts'
import {
  DRAINING,
  MISSING_TOKEN,
  NO_TRACE,
  NOT_ALLOWED,
  OVERLOADED,
  tooManyHeaders,
  unsafe,
  urlTooLong,
} from './own-errors.ts'
import { createOwnSender } from './own-token.ts'
import { createSwapper } from './swap.ts'
import { createTokensRoute } from './tokens-route.ts'
import { refuseUnreadable, unreadableError } from './unreadable.ts'
import { flawIn } from './well-formed.ts'

export type HandlerOptions = {
  /** Of calls that name no managed seller with one of its own. */
  readonly endpoint: Endpoint
  /** It listens on a Unix socket. */
  readonly unix: boolean
  /** Those in force; a call is decided by those it finds when it comes. */
  readonly rules: () => Rules
  readonly credentials: Credentials
  readonly broker: Broker
  readonly minter: Minter
  readonly documents: Documents
  readonly maxWaitMs: number
  readonly events: Events
  readonly upstream: ExchangeOptions['upstream']
  readonly userAgent: string
  readonly now: () => number
}

/** What can change while the sidecar serves. */
export type Rules = AdmissionRules & {
  readonly catalogue: Catalogue
  readonly policy: Policy
  /** Callers' own createRestrictedDataToken calls are answered here. */
  readonly serveTokensApi: boolean
  readonly limits: CallLimits
}

/** Of a listener. */
export type CallLimits = BodyLimits & {
  /** Most calls served at once. */
  readonly requestsInFlight: number
  /** Most header lines of a request. */
  readonly headerCount: number
  /** Most bytes of a request target. */
  readonly urlBytes: number
}

export const createHandler = (options: HandlerOptions) => {
  const { credentials, documents, events, userAgent } = options
  const exchange = createExchange({ ...options, bodyLimits: () => options.rules().limits })
  const sendOwn = createOwnSender(exchange)
  const swapper = createSwapper({ ...options, exchange })
  const tokensRoute = createTokensRoute({ ...options, exchange })
  const { begin, pending, reject, tell, forward } = exchange
  let draining = false

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (isOver(req.socket)) return
    const call = begin(req, res)
    const flaw = flawIn(req)
    if (flaw || isLastOne(req)) endWith(res)
    if (draining) {
      res.setHeader('connection', 'close')
      return reject(res, DRAINING)
    }
    const rules = options.rules()
    const tooMuch = beyond(rules.limits, req)
    if (tooMuch) return reject(res, tooMuch)

    if (flaw) return reject(res, flaw)
    const method = req.method ?? ''
    const headers = readHeaders(req.headers)
    const bearer = headers.ok && headers.accessToken ? credentials.identify(headers.accessToken) : undefined
    if (bearer) call.credential = bearer.id.slice(0, 8)
    const recognition = recognise(rules.catalogue, method, req.url ?? '')
    if (recognition.kind === 'unsafe') return reject(res, unsafe(recognition.why))
    if (recognition.kind === 'restricted') call.route = recognition.operation.id
    if (!headers.ok) return reject(res, { name: 'invalid-header', message: headers.why })
    const { steering } = headers
    const { target } = recognition
    const mint = method === 'POST' && target.path === TOKENS_PATH
    const admitted = bearer ? undefined : admit(rules, req, headers, options.unix)
    call.caller = admitted?.caller?.name
    if (admitted && 'refusal' in admitted) return reject(res, admitted.refusal)
    const { seller, caller } = admitted ?? {}
    if (caller && !mayCall(caller, method, recognition)) return reject(res, NOT_ALLOWED)
    if (caller?.operations && saysAnother(req.headers)) return reject(res, NOT_ALLOWED)
    if (seller && method === 'TRACE') return reject(res, NO_TRACE)
    if (seller) call.credential = seller.credential.id.slice(0, 8)

    const endpoint = seller?.endpoint ?? options.endpoint
    const { origin } = endpoint
    const policy = seller?.policy ?? rules.policy
    const callerHasRdt = bearer !== undefined && isRdt(bearer.token)
    const credential = callerHasRdt ? undefined : (bearer ?? seller?.credential)
    const plan = planCall(policy, {
      recognition,
      method,
      steering,
      callerHasRdt,
      sandboxEndpoint: endpoint.sandbox,
      document: credential && documents.standing({ origin, credential }, target.path, steering.reportType),
    })
    if (plan.kind === 'unsafe') return reject(res, unsafe(plan.why))

    req.headers = strippedHeaders(req.headers)
    req.headers['user-agent'] ??= userAgent // Amazon's edge refuses calls without one
    if (plan.kind === 'swap' || recognition.kind === 'restricted') req.url = target.path + target.query
    if (plan.kind === 'pass') {
      call.streamsMint = mint
      const ours = mint && recognition.kind === 'open' && answersMints(rules, endpoint, steering)
      if (ours && credential) return tokensRoute.serve(req, res, { origin, credential }, steering)
      tell(res, plan.verdict, plan.reason)
      const tells = documents.tells(method, target.path)
      const handling = tells ? { onAnswer: (text: string) => documents.learn(origin, text) } : {}
      if (seller) return sendOwn(req, res, { origin, credential: seller.credential }, handling)
      void forward(req, res, origin, handling) // ends by itself
      return
    }
    if (!credential) return reject(res, MISSING_TOKEN)
    return swapper.serve(req, res, plan, { origin, credential })
  }

  const beyond = (limits: CallLimits, { url = '', rawHeaders }: IncomingMessage): OwnError | undefined => {
    if (pending.size() > limits.requestsInFlight) return OVERLOADED
    if (url.length > limits.urlBytes) return urlTooLong(limits.urlBytes)
    return rawHeaders.length > 2 * limits.headerCount ? tooManyHeaders(limits.headerCount) : undefined
  }

  const answersMints = ({ serveTokensApi, policy }: Rules, { sandbox }: Endpoint, { mode }: Steering): boolean =>
    serveTokensApi && (policy.sandbox || !sandbox) && mode !== 'skip'

  /** Bytes that are no request, or do not become one. Calls that came whole before them on the connection get their answers first. */
  const refuse = (socket: Socket, code: string | undefined): void => {
    const served = pending.all().filter((res) => res.req.socket === socket)
    const broken = served.filter((res) => !res.req.complete)
    const whole = served.filter((res) => res.req.complete)
    for (const res of broken) exchange.abandon(res)
    refuseAfter(socket, whole, () => {
      if (!socket.writable || broken.some((res) => res.headersSent)) {
        socket.destroy()
        return
      }
      const error = unreadableError(code)
      events.unreadable(error.name)
      refuseUnreadable(socket, error, broken[0]?.req.method)
    })
  }

  return {
    handle,
    fail: exchange.fail,
    refuse,
    /**
     * Nothing has passed on a connection for as long as a caller may be silent. Where it is not for the caller to go on, it waits as
     * long again.
     */
    silent: (socket: Socket): void => {
      const res = pending.all().find((one) => one.socket === socket)
      if (!res)
        socket.destroy() // kept alive, and not used
      else if (!res.req.complete) refuse(socket, 'ERR_HTTP_REQUEST_TIMEOUT')
      else if (res.writableLength > 0) socket.destroy()
      else socket.setTimeout(socket.timeout ?? 0)
    },
    /** From now on new calls are refused; those in flight go on, and their connections end with them. */
    drain: (): void => {
      draining = true
      const lastOnes = new Map(pending.all().map((res) => [res.req.socket, res])) // of each connection: calls may be pipelined
      for (const res of lastOnes.values()) res.shouldKeepAlive = false
    },
    inFlight: pending.size,
    close: (): void => exchange.close(),
  }
}
export type Handler = ReturnType<typeof createHandler>
