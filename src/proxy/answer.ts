/** Writes the sidecar's own answers, in Amazon's error shape. */
import type { ServerResponse } from 'node:http'
import { answerOf, type OwnError } from '../sp-api/errors.ts'

/**
 * Ends the response whatever state it is in: a half-sent one can only be cut, and its head goes out all the same. Who gets nothing
 * at all may take the connection for a stale one, and some clients then send the call again, a POST too.
 */
export const sendError = (res: ServerResponse, error: OwnError): void => {
  if (res.writableEnded) return
  if (res.headersSent) {
    res.flushHeaders()
    res.socket?.uncork() // what was written in this very turn
    res.destroy()
    return
  }
  const { status, headers, body } = answerOf(error)
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify(body))
}
