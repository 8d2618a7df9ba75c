/**
 * The last answer of a connection. What a caller has sent behind the request that gets it is nobody's request (RFC 9112 §9.6): Node
 * reads it all the same, and Amazon would carry out what nobody is told of.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

// On the socket itself, as a call is on its response (exchange.ts).
const LAST = Symbol('last')
/** `begun`: the last request has come. `refused`: what came behind it cannot be read. */
type Served = Socket & { [LAST]?: 'begun' | 'refused' }

/** The connection closes with this answer. What comes after its request is not looked at. */
export const endWith = (res: ServerResponse): void => {
  res.shouldKeepAlive = false
  const socket: Served = res.req.socket
  socket[LAST] = 'begun'
}

/** HTTP/1.0 ends with an answer. Behind a wish for an upgrade, Node passes over the bytes that came with it, and goes on with the next. */
export const isLastOne = ({ httpVersion, headers }: IncomingMessage): boolean =>
  httpVersion === '1.0' || headers.upgrade !== undefined

/** The last request of the connection was there before this one. */
export const isOver = ({ [LAST]: last }: Served): boolean => last !== undefined

/** Reads no more requests; `then` is to close the connection, when all of these are answered. */
export const refuseAfter = (socket: Served, answers: readonly ServerResponse[], then: () => void): void => {
  if (socket[LAST] === 'refused') return
  socket[LAST] = 'refused'
  let left = answers.length
  if (left === 0) then()
  for (const res of answers) {
    res.once('finish', () => {
      left -= 1
      if (left === 0) then()
    })
  }
}
