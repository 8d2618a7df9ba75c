/**
 * The three services behind the simulator's one address: Login with Amazon, createRestrictedDataToken, and the SP-API
 * operations. Each turns a request that was read whole into its true answer; failing on purpose is service.ts.
 */
import type { IncomingMessage } from 'node:http'
import type { Buckets } from './bucket.ts'
import { answerCall, readJson, refusalOfToken, withRate } from './calls.ts'
import { originOf, refusalAtEdge, refusalOfAgent } from './edge.ts'
import { type Answer, accessDenied, edgeRefusal, json, notFound, quotaExceeded } from './errors.ts'
import type { OpenEntry } from './log.ts'
import { grantAnswer, readGrant } from './lwa.ts'
import type { Match } from './operations.ts'
import { unsupportedMediaType } from './send.ts'
import type { Settings } from './settings.ts'
import type { Target } from './target.ts'
import type { Inspection, Tokens } from './tokens.ts'
import { readMint } from './tokens-api.ts'
import type { Tools } from './tools.ts'
import type { LogEntry } from './types.ts'

export type AnswerParts = {
  readonly settings: Settings
  readonly tokens: Tokens
  readonly buckets: Buckets
  readonly tools: Tools
}

/** A request that was read whole; `at` is its arrival in ms, and the moment its token is judged at. */
export type Asked = {
  readonly req: IncomingMessage
  readonly at: number
  readonly target: Target
  readonly match: Match | undefined
  readonly token: Inspection
  readonly body: Buffer
  readonly entry: OpenEntry
}

export const createAnswers = (parts: AnswerParts): Record<LogEntry['kind'], (asked: Asked) => Answer> => ({
  lwa: (asked) => answerLwa(parts, asked),
  mint: (asked) => answerMint(parts, asked),
  call: (asked) => answerOperation(parts, asked),
})

const answerLwa = ({ settings, tokens }: AnswerParts, { req, at, body }: Asked): Answer => {
  const { accessTokenSeconds: seconds, credentials } = settings.current()
  const grant = readGrant(req.method ?? '', req.headers['content-type'], body.toString('utf8'), credentials)
  if ('refusal' in grant) return grant.refusal
  return grantAnswer(tokens.issueAccessToken(grant.holder, at, seconds * 1000), seconds, grant.refreshToken)
}

/** A 403 or 415 takes nothing from the usage plan; everything after it does, refusals included. */
const answerMint = (parts: AnswerParts, { req, at, target, token, body }: Asked): Answer => {
  const { plan } = parts.settings.current()
  const refusal = refusalAtEdge(req, target) ?? refusalOfToken(token)
  if (refusal !== undefined) return refusal
  const { app, seller } = token
  if (token.kind !== 'lwa' || app === undefined || seller === undefined) return accessDenied()
  if (body.length > 0 && !isJson(req.headers['content-type'])) return unsupportedMediaType()
  if (!parts.buckets.take(`${app}\n${seller}`, at, plan)) return quotaExceeded()
  return withRate(mint(parts, { app, seller }, at, readJson(body)), plan.ratePerSecond)
}

/** A body without a Content-Type is taken for JSON. */
const isJson = (contentType: string | undefined): boolean =>
  contentType === undefined || /^application\/json\s*(;|$)/i.test(contentType)

const mint = (
  { settings, tokens }: AnswerParts,
  holder: { readonly app: string; readonly seller: string },
  at: number,
  body: unknown,
): Answer => {
  const { deniedElements, deniedOperations, rdtSeconds, expiresIn } = settings.current()
  const read = readMint(body, { app: holder.app, deniedElements, deniedOperations })
  if ('refusal' in read) return read.refusal
  const restrictedDataToken = tokens.issueRdt(holder, read.resources, at, rdtSeconds * 1000)
  if (expiresIn === 'missing') return json(200, { restrictedDataToken })
  return json(200, { expiresIn: { normal: rdtSeconds, absurd: -5, string: 'soon' }[expiresIn], restrictedDataToken })
}

const answerOperation = ({ settings, tools }: AnswerParts, asked: Asked): Answer => {
  const { req, target, match, token, body } = asked
  if (target.kind === 'nowhere') return notFound()
  const refusal = refusalAtEdge(req, target) ?? refusalOfAgent(req)
  if (refusal !== undefined || target.kind !== 'read') return refusal ?? edgeRefusal()
  return answerCall({
    method: req.method ?? '',
    path: target.path,
    query: target.query,
    body,
    token,
    match,
    deniedOperations: settings.current().deniedOperations,
    documentUrl: (name) => tools.documentUrl(originOf(req), name),
  })
}
