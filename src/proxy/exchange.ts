/**
 * A call from its arrival to its end, whatever is done with it in between: begun, told what was decided, refused or forwarded.
 * Promises: every call is counted once, when its response closes; a response of ours is always an end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { accessOf, type Credential } from '../rdt/credential.ts'
import type { OwnError } from '../sp-api/errors.ts'
import type { Call, Failure } from '../telemetry/call.ts'
import type { Events } from '../telemetry/events.ts'
import { sendError } from './answer.ts'
import { hasBody, keepBody } from './body.ts'
import { createForwarder, type Forwarder, type ForwarderOptions, type Handling } from './forward.ts'
import { createInFlight } from './in-flight.ts'
import { accessError, bodyTooLarge, INTERNAL, TOO_MUCH_KEPT, upstreamError } from './own-errors.ts'

export type ExchangeOptions = {
  readonly upstream: Omit<ForwarderOptions, 'origin' | 'onFailure' | 'onResponse' | 'ownHeaders'>
  readonly events: Events
  readonly bodyLimits: () => BodyLimits
  readonly now: () => number
}

/** Most bytes of bodies that are kept: of one, and of all at once. */
export type BodyLimits = { readonly bodyBytes: number; readonly keptBytes: number }

type Received = { readonly body: Buffer | undefined }
const NO_BODY: Received = { body: undefined }

const VERDICT = 'x-rdt-verdict'

// On the response itself: V8's scavenger takes what a WeakMap holds for alive, and with it all that a call ever touched.
const CALL = Symbol('call')
type Served = ServerResponse & { [CALL]?: Call }

export const createExchange = ({ upstream, events, bodyLimits, now }: ExchangeOptions) => {
  const pending = createInFlight<ServerResponse>()
  let kept = 0 // bytes of bodies

  const forwarders = new Map<string, Forwarder>() // by origin: the listener's endpoint, and those of managed sellers
  const told: Pick<ForwarderOptions, 'onResponse' | 'ownHeaders' | 'onFailure'> = {
    onResponse: (res, { headers }) => {
      const call = callOf(res)
      call.answeredAt = now()
      call.requestId = headers['x-amzn-requestid']?.toString()
    },
    ownHeaders: (res) => [VERDICT, verdictOf(res)],
    onFailure: (res, failure, code) => {
      events.upstreamFailed(failure, code)
      reject(res, upstreamError(code), false)
    },
  }
  const forwarderTo = (origin: string): Forwarder => {
    const known = forwarders.get(origin)
    if (known) return known
    const forwarder = createForwarder({ ...upstream, ...told, origin })
    forwarders.set(origin, forwarder)
    return forwarder
  }

  const begin = (req: IncomingMessage, res: Served): Call => {
    const call: Call = {
      startedAt: now(),
      method: req.method ?? '',
      route: 'other',
      verdict: 'rejected',
      waitedMs: 0,
      keptBytes: 0,
    }
    res[CALL] = call
    const ended = pending.add(res)
    res.once('close', () => {
      ended()
      kept -= call.keptBytes
      events.callEnded(call, res.statusCode, !res.writableFinished && !call.failed)
    })
    return call
  }
  const callOf = ({ [CALL]: call }: Served): Call => {
    if (!call) throw new Error('a response without its call')
    return call
  }

  const tell = (res: ServerResponse, verdict: string, reason?: string): void => {
    const call = callOf(res)
    call.verdict = verdict
    call.reason = reason
  }
  const verdictOf = (res: ServerResponse): string => {
    const { verdict, reason } = callOf(res)
    return reason ? `${verdict};${reason}` : verdict
  }
  /** Says the verdict on an answer of our own; one of Amazon's gets it with its head. */
  const showVerdict = (res: ServerResponse): void => {
    if (!res.headersSent) res.setHeader(VERDICT, verdictOf(res))
  }

  /** Counts the call as refused; what it is answered is the caller's. */
  const refused = (res: ServerResponse, failure: Failure, undecided = true): void => {
    callOf(res).failed = failure
    events.rejected(failure.name)
    if (undecided) tell(res, 'rejected', failure.name)
  }
  const reject = (res: ServerResponse, error: OwnError, undecided?: boolean): void => {
    refused(res, error, undecided)
    showVerdict(res)
    sendError(res, error)
  }

  /** The last resort: a bug, told as such and never with its message. */
  const fail = (res: ServerResponse, error: unknown): void => {
    events.failed(error)
    reject(res, INTERNAL)
  }

  /** Keeps the body of a call that may wait or be sent again; undefined where the call has come to its end. */
  const receive = (req: IncomingMessage, res: ServerResponse): Received | Promise<Received | undefined> =>
    hasBody(req) ? receiveBody(req, res) : NO_BODY

  const receiveBody = async (req: IncomingMessage, res: ServerResponse): Promise<Received | undefined> => {
    const arrivedAt = now()
    const limits = bodyLimits()
    const hasRoom = (bytes: number) => !res.destroyed && keep(res, bytes) <= limits.keptBytes
    const body = await keepBody(req, limits.bodyBytes, hasRoom)
    if (res.destroyed) return undefined
    callOf(res).waitedMs = now() - arrivedAt
    if (body === 'too large') reject(res, bodyTooLarge(limits.bodyBytes))
    if (body === 'no room') reject(res, TOO_MUCH_KEPT)
    return typeof body === 'string' ? undefined : { body }
  }
  /** Ends what is done for a call whose caller was refused on the connection itself, also where it sends the rest of it after all. */
  const abandon = (res: ServerResponse): void => {
    res.destroyed = true
    res.emit('close')
  }

  /** Counts what is kept until the call's end; returns what all calls keep. */
  const keep = (res: ServerResponse, bytes: number): number => {
    callOf(res).keptBytes += bytes
    kept += bytes
    return kept
  }

  /** The credential's own access token; undefined where there is none, and the call has come to its end. */
  const accessFor = async (res: ServerResponse, credential: Credential): Promise<string | undefined> => {
    const askedAt = now()
    const access = await accessOf(credential)
    callOf(res).waitedMs += now() - askedAt
    if (res.destroyed) return undefined
    if (access.kind === 'token') return access.token
    reject(res, accessError(access))
    return undefined
  }

  /** `origin`: where to. */
  const forward = (req: IncomingMessage, res: ServerResponse, origin: string, handling?: Handling): Promise<void> => {
    callOf(res).forwardedAt = now()
    return forwarderTo(origin).forward(req, res, handling)
  }

  const close = (): void => {
    for (const forwarder of forwarders.values()) forwarder.close()
  }

  return {
    begin,
    callOf,
    tell,
    showVerdict,
    refused,
    reject,
    fail,
    abandon,
    receive,
    accessFor,
    forward,
    pending,
    close,
  }
}
export type Exchange = ReturnType<typeof createExchange>
