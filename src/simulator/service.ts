/**
 * One request from arrival to answer: which of the three services it is for, its log entry, whether it was meant to
 * fail, and the wait. A token is judged on arrival, whatever the latency.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { type AnswerParts, type Asked, createAnswers } from './answers.ts'
import { readBody } from './body.ts'
import { readJson } from './calls.ts'
import { type Answer, tooLarge } from './errors.ts'
import { type Log, type OpenEntry, safeCopy } from './log.ts'
import { sellerOf } from './lwa.ts'
import { matchOperation } from './operations.ts'
import { failureAnswer, reset, send, sendCut } from './send.ts'
import { readTarget, type Target } from './target.ts'
import type { Inspection } from './tokens.ts'
import type { FailureKind, LogEntry } from './types.ts'

export type ServiceParts = AnswerParts & { readonly now: () => number; readonly log: Log }

const LWA_PATH = '/auth/o2/token'
const MINT_PATH = '/tokens/2021-03-01/restrictedDataToken'

export const createService = (parts: ServiceParts): RequestListener => {
  const { now, settings, tokens, log, tools } = parts
  const answers = createAnswers(parts)

  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const at = now()
    if (req.url?.startsWith('/_simulator/')) return tools.serve(req, res, at)
    const target = readTarget(req.url ?? '')
    const kind = kindOf(req.method, target)
    const token = kind === 'lwa' ? NO_TOKEN : tokens.inspect(presented(req), at)
    const match = target.kind === 'read' ? matchOperation(req.method ?? '', target.path) : undefined
    const entry = log.open(req, at, kind)
    note(entry, token, match?.operation.id)
    const body = await readBody(req)
    entry.bodyBytes = body.bytes
    if (kind === 'mint') entry.mint = safeCopy(readJson(body.content))
    if (kind === 'lwa') noteSeller(entry, sellerOf(req.headers['content-type'], body.content.toString('utf8')))
    if (body.outcome === 'aborted') return
    const failure = settings.nextFailure(kind)
    const asked = { req, at, target, match, token, body: body.content, entry }
    const answer = body.outcome === 'too-large' ? tooLarge() : answerTo(asked, failure)
    const latency = settings.current().latencyMs[kind]
    if (latency > 0) await wait(latency, undefined, { ref: false })
    finish(res, entry, answer, failure)
  }

  /** Undefined: no answer at all. What was told to fail mints no token and takes no quota, a cut answer apart. */
  const answerTo = (asked: Asked, failure: FailureKind | undefined): Answer | undefined => {
    const { kind } = asked.entry
    return failure === undefined || failure === 'cut' ? answers[kind](asked) : failureAnswer(failure, kind)
  }

  return (req, res) => {
    res.on('error', () => res.destroy())
    serve(req, res).catch(() => res.destroy())
  }
}

const NO_TOKEN: Inspection = { kind: 'none', resources: [] }

const kindOf = (method: string | undefined, target: Target): LogEntry['kind'] => {
  if (target.kind !== 'read') return 'call'
  if (target.path === LWA_PATH) return 'lwa'
  return target.path === MINT_PATH && method === 'POST' ? 'mint' : 'call'
}

const presented = (req: IncomingMessage): string | undefined => {
  const header = req.headers['x-amz-access-token']
  return Array.isArray(header) ? header.join(', ') : header
}

const note = (entry: OpenEntry, token: Inspection, operation: string | undefined): void => {
  entry.token = token.kind
  noteSeller(entry, token.seller)
  if (operation !== undefined) entry.operation = operation
}

const noteSeller = (entry: OpenEntry, seller: string | undefined): void => {
  if (seller !== undefined) entry.seller = seller
}

/** Completes the log entry before the first byte leaves: who has the answer finds it in the log. */
const finish = (
  res: ServerResponse,
  entry: OpenEntry,
  answer: Answer | undefined,
  failure: FailureKind | undefined,
): void => {
  if (failure === 'reset') reset(res)
  if (answer === undefined || res.destroyed) return
  entry.status = answer.status
  entry.pii = answer.pii
  if (answer.error !== undefined) entry.error = answer.error
  if (failure === 'cut') sendCut(res, answer)
  else send(res, answer)
}
