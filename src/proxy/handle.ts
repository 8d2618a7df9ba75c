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
import type { Catalogue } from '../sp-api/operations.ts'
import { recognise } from '../sp-api/recognise.ts'
import type { Events } from '../telemetry/events.ts'
import { type AdmissionRules, admit } from './admission.ts'
import { mayCall } from './callers.ts'
import { createExchange, type ExchangeOptions } from './exchange.ts'
import { readHeaders, stripHeaders } from './headers.ts'
import { DRAINING, MISSING_TOKEN, NO_TRACE, NOT_ALLOWED, OVERLOADED, unsafe } from './own-errors.ts'
import { createOwnSender } from './own-token.ts'
import { createSwapper } from './swap.ts'
import { createTokensRoute } from './tokens-route.ts'
import { refuseUnreadable, unreadableError } from './unreadable.ts'

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
  /** Most bytes of a body that is kept. */
  readonly bodyBytes: number
  /** Most calls served at once. */
  readonly requestsInFlight: number
}

export const createHandler = (options: HandlerOptions) => {
  const { credentials, documents, events, userAgent } = options
  const bodyBytes = () => options.rules().bodyBytes
  const exchange = createExchange({ ...options, bodyBytes })
  const sendOwn = createOwnSender(exchange)
  const swapper = createSwapper({ ...options, exchange })
  const tokensRoute = createTokensRoute({ ...options, exchange })
  const { begin, pending, reject, tell, forward } = exchange
  let draining = false

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const call = begin(req, res)
    if (draining) {
      res.setHeader('connection', 'close')
      return reject(res, DRAINING)
    }
    const rules = options.rules()
    if (pending.size() > rules.requestsInFlight) return reject(res, OVERLOADED)

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

    stripHeaders(req.headers)
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
      return forward(req, res, origin, handling)
    }
    if (!credential) return reject(res, MISSING_TOKEN)
    return swapper.serve(req, res, plan, { origin, credential })
  }

  const answersMints = ({ serveTokensApi, policy }: Rules, { sandbox }: Endpoint, { mode }: Steering): boolean =>
    serveTokensApi && (policy.sandbox || !sandbox) && mode !== 'skip'

  return {
    handle,
    fail: exchange.fail,
    /** Bytes that are no request. */
    refuse: (socket: Socket, code: string | undefined): void => {
      const answering = pending.all().some((res) => res.socket === socket && (res.headersSent || res.req.complete))
      if (!socket.writable || answering) {
        socket.destroy()
        return
      }
      const error = unreadableError(code)
      events.unreadable(error.name)
      refuseUnreadable(socket, error)
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
