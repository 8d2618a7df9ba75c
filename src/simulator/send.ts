/**
 * Puts an answer on the wire, whole or broken as the controls ask. Every answer carries an x-amzn-RequestId. A caller
 * that has left is nobody's error.
 */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { type Answer, accessDenied, errorList, invalidInput, notFound, oauthError, quotaExceeded } from './errors.ts'
import type { FailureKind, LogEntry } from './types.ts'

/** Sends an answer and ends the response. */
export const send = (res: ServerResponse, answer: Answer): void => {
  if (res.destroyed) return
  writeHead(res, answer)
  res.end(answer.body)
}

/** The headers every answer of the simulator has. */
export const commonHeaders = (): Record<string, string> => ({ 'x-amzn-RequestId': randomUUID() })

/** Sends the headers and half the body, then breaks the connection. */
export const sendCut = (res: ServerResponse, answer: Answer): void => {
  if (res.destroyed) return
  writeHead(res, answer)
  res.write(answer.body.slice(0, Math.ceil(answer.body.length / 2)) || ' ', () => res.socket?.destroy())
}

/** Resets the connection (TCP RST), as a crashing peer or a middlebox would. */
export const reset = (res: ServerResponse): void => {
  if (res.socket instanceof Socket) res.socket.resetAndDestroy()
}

/** What a failing request is answered instead of the truth; undefined for those that answer nothing, or the half of it. */
export const failureAnswer = (kind: FailureKind, on: LogEntry['kind']): Answer | undefined => {
  if (typeof kind === 'number') return on === 'lwa' ? oauthFailure(kind) : apiFailure(kind)
  return falseAnswers[kind]?.(on)
}

const writeHead = (res: ServerResponse, { status, headers, body }: Answer): void => {
  const length = status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  res.writeHead(status, { ...commonHeaders(), ...headers, ...length })
}

const text = (contentType: string, body: string): Answer => ({
  status: 200,
  headers: { 'content-type': contentType },
  body,
  pii: false,
})

const falseAnswers: Partial<Record<FailureKind, (on: LogEntry['kind']) => Answer>> = {
  garbage: (on) => text('application/json', on === 'lwa' ? '{"access_tok' : '{"restrictedDataTok'),
  html: () => text('text/html', '<html><body>Simulated maintenance page</body></html>'),
  empty: () => text('application/json', '{}'),
}

type Status = Extract<FailureKind, number>

const apiFailure = (status: Status): Answer => {
  switch (status) {
    case 400:
      return invalidInput('Invalid Input', 'A failure the simulator was told to make.')
    case 401:
      return errorList(401, 'Unauthorized', 'Access to requested resource is denied.')
    case 403:
      return accessDenied()
    case 404:
      return notFound()
    case 415:
      return unsupportedMediaType()
    case 429:
      return quotaExceeded()
    case 500:
      return errorList(500, 'InternalFailure', 'We encountered an internal error. Please try again.')
    case 503:
      return errorList(503, 'ServiceUnavailable', 'Service is temporarily unavailable. Please try again.')
  }
}

/** The request body is in a format the operation does not read. */
export const unsupportedMediaType = (): Answer =>
  errorList(415, 'UnsupportedMediaType', "The request's Content-Type header is invalid.")

const oauthFailure = (status: Status): Answer => {
  if (status === 401) return oauthError(401, 'invalid_client', 'Client authentication failed')
  if (status === 400)
    return oauthError(400, 'invalid_grant', 'The request has an invalid grant parameter : refresh_token')
  if (status === 429) return oauthError(429, 'slow_down', 'Too many requests')
  return oauthError(
    status,
    status >= 500 ? 'server_error' : 'invalid_request',
    'A failure the simulator was told to make',
  )
}
