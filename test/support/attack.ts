/** One attack on one connection: what the sidecar made of the bytes, and what our own strict reading makes of them (fuzz/). */
import { deliver } from './fuzz/caller.ts'
import { type Answer, readAnswers } from './fuzz/strict-answers.ts'
import { valuesIn } from './fuzz/strict-fields.ts'
import { type Message, readRequests } from './fuzz/strict-http.ts'
import { bodyOf, LWA, type ReceivedCall, type Upstream } from './recording-upstream.ts'

export const TOKEN = `x-amz-access-token: ${LWA}`
export const ADDRESS = '/orders/v0/orders/902-1/address'
export const ACCOUNT = '/sellers/v1/account'

/** What a smuggler wants Amazon to find behind the request that the sidecar saw. */
export const HIDDEN = `GET ${ADDRESS} HTTP/1.1\r\nHost: a\r\n${TOKEN}\r\n\r\n`

/** A request's bytes with the headers given and a Host. The connection stays, as an attacker wants it. */
export const requestOf = (start: string, headers: readonly string[] = [], body = ''): string =>
  `${[`${start} HTTP/1.1`, 'Host: sidecar.local', ...headers].join('\r\n')}\r\n\r\n${body}`

export type Outcome = {
  /** `status error verdict` of each answer, less what is not there. */
  readonly answers: readonly string[]
  /** Requests that reached Amazon but are in no strict reading of the bytes, or not with this body (or its beginning, where it breaks off). */
  readonly smuggled: readonly string[]
  /** All that have reached Amazon since the last attack. */
  readonly arrived: readonly ReceivedCall[]
  /** Every byte that came back. */
  readonly received: string
  /** `closed` by the sidecar, or by the caller once it was answered; else how it ended. */
  readonly end: string
}

/** `pieces`: each in a packet of its own. */
export const attack = async (
  { port, upstream }: { readonly port: number; readonly upstream: Upstream },
  ...pieces: readonly string[]
): Promise<Outcome> => {
  const reading = readRequests(pieces.join(''))
  const { received, end } = await deliver(port, reading, pieces)
  const { answers, end: rest } = readAnswers(
    received,
    reading.messages.map(({ method }) => method),
  )
  const arrived = upstream.calls.splice(0)
  return {
    arrived,
    received,
    answers: [...answers.map(told), ...(rest ? [rest.why] : [])],
    smuggled: arrived
      .map((call) => `${call.method} ${call.target} ${bodyOf(call)}`)
      .filter((call) => !reading.messages.some((message) => call === textOf(message)))
      .filter(
        (call) => !(reading.end?.head && textOf({ ...reading.end.head, body: reading.end.body }).startsWith(call)),
      ),
    end,
  }
}

const textOf = ({ method, target, body }: Message): string => `${method} ${target} ${body}`

const told = ({ status, fields }: Answer): string =>
  [status, ...valuesIn(fields, 'x-rdt-error'), ...valuesIn(fields, 'x-rdt-verdict')].join(' ')
