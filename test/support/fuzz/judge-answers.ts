/** Whether the caller of a connection got what it should, and nothing that it should not. */
import { type Amazon, CANARY, isMint, MARKER, markerOf } from './amazon.ts'
import type { Outcome } from './caller.ts'
import { isHandedOut, warrants } from './judge-token.ts'
import type { Complain, Connection, Sent } from './oracle.ts'
import { type Answer, readAnswers } from './strict-answers.ts'
import { valuesIn } from './strict-fields.ts'

/** `waited`: the caller stayed until it had its answers. Returns the verdicts. */
export const judgeAnswers = (
  amazon: Amazon,
  { bytes, reading, sent }: Connection,
  { received, end }: Outcome,
  waited: boolean,
  complain: Complain,
): readonly string[] => {
  if (end === 'hung') complain(`no end: ${JSON.stringify(sent)} got ${JSON.stringify(received)}`)
  const { answers, end: rest } = readAnswers(
    received,
    sent.map(({ head }) => head.method),
  )
  const isClean = waited && end === 'closed' && !reading.end
  if (rest && (isClean || rest.kind === 'fault'))
    complain(`not an answer: ${rest.why} in ${JSON.stringify(received.slice(-300))}`)
  const whole = sent.filter(({ whole }) => whole).length
  const isDone = answers.length >= whole || answers.some(mayBeLast) || /^CONNECT /m.test(bytes)
  if (waited && end === 'closed' && !isDone)
    complain(`${whole} requests, ${answers.length} answers: ${JSON.stringify([sent, received])}`)
  const verdicts = answers.map((answer, i) => judgeAnswer(amazon, answer, sent[i], complain))
  const handedOut = sent.some(({ head }) => isMint(head))
  if (!handedOut && received.includes(CANARY)) complain('a token came back')
  return verdicts
}

/** What comes behind a request that was refused need not be looked at, nor what comes behind the last. */
const mayBeLast = ({ fields }: Answer): boolean =>
  valuesIn(fields, 'connection').includes('close') || valuesIn(fields, 'x-rdt-error').length > 0

const judgeAnswer = (amazon: Amazon, answer: Answer, sent: Sent | undefined, complain: Complain): string => {
  const start = sent ? `${sent.head.method} ${sent.head.target}` : 'what could not be read'
  const [verdict = '', another] = valuesIn(answer.fields, 'x-rdt-verdict')
  if (verdict === '' || another !== undefined) complain(`${start} is answered ${answer.status} without a verdict`)
  const [marker] = valuesIn(answer.fields, MARKER)
  const [error] = valuesIn(answer.fields, 'x-rdt-error')
  if (marker === undefined) judgeOwn(amazon, answer, sent, complain)
  else if (!sent || marker !== (markerOf(sent.head.fields) ?? '')) complain(`${start} got the answer of ${marker}`)
  else if (error !== undefined) complain(`${start} got an answer of Amazon's as one of the sidecar's`)
  if (error === 'internal') complain(`${start} made the sidecar fail`)
  if (sent && wentUnswapped(sent) && !warrants(sent).some((told) => told.test(verdict)))
    complain(`${start} is ${sent.unswapped} and went out with the access token, told as ${verdict}`)
  if (
    /^(minted|hit|replayed)/.test(verdict) &&
    marker !== undefined &&
    sent &&
    !sent.arrivals.some((one) => isSwapped(amazon, one.head.fields))
  )
    complain(`${start} is told as ${verdict}, but went out without an RDT`)
  return verdict
}

/** Amazon was given all of it: a call whose body breaks off is none. */
const wentUnswapped = ({ unswapped, arrivals }: Sent): boolean =>
  unswapped.length > 0 && arrivals.some(({ complete }) => complete)

const isSwapped = (amazon: Amazon, fields: Sent['head']['fields']): boolean =>
  amazon.rdt(valuesIn(fields, 'x-amz-access-token')[0] ?? '') !== undefined

/** One of the sidecar's own: an error, or an RDT for a caller who asked for it. */
const judgeOwn = (
  amazon: Amazon,
  { status, fields, body }: Answer,
  sent: Sent | undefined,
  complain: Complain,
): void => {
  if (sent && status === 200 && isMint(sent.head)) {
    const token = String(JSON.parse(body).restrictedDataToken)
    if (!isHandedOut(amazon.rdt(token), sent)) complain(`an RDT was handed out that was not asked for: ${token}`)
    return
  }
  if (valuesIn(fields, 'x-rdt-error').length !== 1)
    complain(`an answer ${status} without x-rdt-error: ${body.slice(0, 200)}`)
}
