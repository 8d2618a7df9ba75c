/** Reads what came back on a connection as answers, as strictly as requests are read (strict-http.ts). */
import { type Framing, framingOf, readBody } from './strict-body.ts'
import { type Field, readFields, strangeIn, valuesIn } from './strict-fields.ts'

export type Answer = { readonly status: number; readonly fields: readonly Field[]; readonly body: string }
export type Answers = {
  /** Interim ones left out. */
  readonly answers: readonly Answer[]
  /** What follows them is no whole answer; undefined where nothing does. */
  readonly end: { readonly kind: 'open' | 'fault'; readonly why: string } | undefined
}

/** `methods`: of the requests in their order, as far as they could be read. */
export const readAnswers = (bytes: string, methods: readonly string[]): Answers => {
  const answers: Answer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) return { answers, end: { kind: 'open', why: 'a head that does not end' } }
    const head = readHead(bytes.slice(at, end))
    if (typeof head === 'string') return { answers, end: { kind: 'fault', why: head } }
    const from = end + 4
    const left = bytes.length - from
    const bodiless = isBodiless(head.status, methods[answers.length]) && !isLastWords(head, left)
    const framing = bodiless ? NO_BODY : answerFraming(head, left)
    if (typeof framing === 'string') return { answers, end: { kind: 'fault', why: framing } }
    const body = readBody(bytes, from, framing)
    if (body.kind !== 'whole') return { answers, end: body }
    if (head.status >= 200) answers.push({ ...head, body: body.text })
    at = body.rest
  }
  return { answers, end: undefined }
}

const NO_BODY: Framing = { kind: 'length', length: 0 }

/** `left`: bytes until the connection closed, all of them the body where nothing says how long it is. */
const answerFraming = ({ fields }: Omit<Answer, 'body'>, left: number): Framing | string => {
  const framed = ['content-length', 'transfer-encoding'].some((name) => valuesIn(fields, name).length > 0)
  return framed ? framingOf({ fields, version: '1.1' }) : { kind: 'length', length: left }
}

const isBodiless = (status: number, method: string | undefined): boolean =>
  method === 'HEAD' || status < 200 || status === 204 || status === 304

/** A refusal of what was not read as far as the method, and the end of the connection: it may have a body whatever that is. */
const isLastWords = ({ fields }: Omit<Answer, 'body'>, left: number): boolean =>
  valuesIn(fields, 'x-rdt-error').length > 0 &&
  valuesIn(fields, 'connection').includes('close') &&
  valuesIn(fields, 'content-length').includes(String(left))

const readHead = (text: string): Omit<Answer, 'body'> | string => {
  const strange = strangeIn(text)
  if (strange) return `${strange} in a head`
  const [first = '', ...lines] = text.split('\r\n')
  const [, status] = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/.exec(first) ?? []
  if (status === undefined) return `no status line: ${JSON.stringify(first.slice(0, 60))}`
  const fields = readFields(lines)
  return typeof fields === 'string' ? fields : { status: Number(status), fields }
}
