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
import { segmentsOf } from '../sp-api/target.ts'
import type { Events } from '../telemetry/events.ts'
import { createExchange, type ExchangeOptions } from './exchange.ts'
import { readHeaders, stripHeaders } from './headers.ts'
import { DRAINING, MISSING_TOKEN, OVERLOADED, unsafe } from './own-errors.ts'
import { createSwapper } from './swap.ts'
import { createTokensRoute } from './tokens-route.ts'
import { refuseUnreadable, unreadableError } from './unreadable.ts'

export type HandlerOptions = {
  readonly endpoint: Endpoint
  readonly catalogue: Catalogue
  readonly policy: Policy
  readonly credentials: Credentials
  readonly broker: Broker
  readonly minter: Minter
  readonly documents: Documents
  /** Callers' own createRestrictedDataToken calls are answered here. */
  readonly serveTokensApi: boolean
  readonly maxWaitMs: number
  readonly events: Events
  readonly upstream: Omit<ExchangeOptions['upstream'], 'origin'>
  readonly bodyBytes: number
  readonly requestsInFlight: number
  readonly userAgent: string
  readonly now: () => number
}

export const createHandler = (options: HandlerOptions) => {
  const { endpoint, catalogue, policy, credentials, documents, events, userAgent } = options
  const { origin } = endpoint
  const exchange = createExchange({ ...options, upstream: { ...options.upstream, origin } })
  const swapper = createSwapper({ ...options, exchange, origin })
  const tokensRoute = createTokensRoute({
    ...options,
    exchange,
    origin,
    operationOf: ({ method, path }) => catalogue.match(method, segmentsOf(path))?.id,
    targetApplication: policy.targetApplication,
  })
  const { begin, pending, reject, tell, forward } = exchange
  let draining = false

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
    const { target } = recognition
    const callerHasRdt = accessToken !== undefined && isRdt(accessToken)
    const mints = recognition.kind === 'open' && isMint(method, target.path, steering)
    const concerned = recognition.kind === 'restricted' || steering.mode === 'force' || mints
    const credential = concerned && accessToken && !callerHasRdt ? credentials.identify(accessToken) : undefined
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
      if (mints && credential) return tokensRoute.serve(req, res, credential, steering)
      tell(res, plan.verdict, plan.reason)
      const tells = documents.tells(method, target.path)
      return forward(req, res, tells ? { onAnswer: (text) => documents.learn(origin, text) } : {})
    }
    if (!credential) return reject(res, MISSING_TOKEN)
    return swapper.serve(req, res, plan, credential)
  }

  const answersMints = options.serveTokensApi && (policy.sandbox || !endpoint.sandbox)
  const isMint = (method: string, path: string, { mode }: Steering): boolean =>
    answersMints && method === 'POST' && path === TOKENS_PATH && mode !== 'skip'

  return {
    handle,
    fail: exchange.fail,
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
    close: (): void => exchange.close(),
  }
}
export type Handler = ReturnType<typeof createHandler>
