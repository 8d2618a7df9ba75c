/** Writes the sidecar's own answers, in Amazon's error shape. */
import type { ServerResponse } from 'node:http'
import { answerOf, type OwnError } from '../sp-api/errors.ts'

/** Ends the response whatever state it is in: a half-sent one can only be cut. */
export const sendError = (res: ServerResponse, error: OwnError): void => {
  if (res.writableEnded) return
  if (res.headersSent) {
    res.destroy()
    return
  }
  const { status, headers, body } = answerOf(error)
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify(body))
}
