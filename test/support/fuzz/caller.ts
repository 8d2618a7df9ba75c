/** A caller on a bare socket, who may send in pieces, stop in the middle, or go away. */
import { connect } from 'node:net'
import { readAnswers } from './strict-answers.ts'
import type { Reading } from './strict-http.ts'

/** How the caller goes: when it has its answers, or with its last byte: shut for sending (FIN), closed, reset. */
export const ENDINGS = ['wait', 'shut', 'close', 'reset'] as const
export type Ending = (typeof ENDINGS)[number]

export type Outcome = {
  /** All that came back (latin1). */
  readonly received: string
  /** `broken`: reset under way, so that answers may be lost. `left`: the caller went. `hung`: neither side ended it. */
  readonly end: 'closed' | 'broken' | 'left' | 'hung'
}

const BOUND_MS = 30_000 // far beyond what a call takes, on a machine that does other things
const LOOK_MS = 40 // for what may come of bytes that are no request

/** `reading`: a strict one of all the pieces. */
export const deliver = (
  port: number,
  { messages, end }: Reading,
  pieces: readonly string[],
  ending: Ending = 'wait',
): Promise<Outcome> =>
  new Promise((resolve) => {
    const methods = messages.map(({ method }) => method)
    let received = ''
    let isSent = false
    const timers: NodeJS.Timeout[] = []
    const after = (ms: number, then: () => void): void => void timers.push(setTimeout(then, ms))
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const over = (how: Outcome['end']): void => {
      for (const timer of timers) clearTimeout(timer)
      timers.length = 0
      socket.destroy()
      resolve({ received, end: how })
    }
    const goOn = (): void => {
      if (socket.destroyed || !isSent) return
      if (ending === 'shut') socket.end()
      if (ending === 'close') over('left')
      if (ending === 'reset') {
        socket.resetAndDestroy()
        over('left')
      }
      if (ending === 'wait' && readAnswers(received, methods).answers.length >= messages.length)
        after(end?.kind === 'fault' ? LOOK_MS : 0, () => socket.end())
    }
    const send = ([piece, ...others]: readonly string[]): void => {
      isSent = piece === undefined
      if (isSent) goOn()
      else socket.write(Buffer.from(piece ?? '', 'latin1'), () => setImmediate(send, others))
    }
    after(BOUND_MS, () => over('hung'))
    socket.on('connect', () => send(pieces))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      goOn()
    })
    socket.on('error', () => over('broken'))
    socket.on('close', () => over('closed'))
  })
