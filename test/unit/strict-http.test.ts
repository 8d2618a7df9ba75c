/** The reader that judges the sidecar is itself held to RFC 9112: one that let something pass would find nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAnswers } from '../support/fuzz/strict-answers.ts'
import { readRequest, readRequests } from '../support/fuzz/strict-http.ts'

const head = (...lines: string[]): string => `${['POST /a HTTP/1.1', 'Host: b', ...lines].join('\r\n')}\r\n\r\n`
const kindOf = (bytes: string): string => readRequest(bytes, 0, 'exact').kind

test('a request is read with its method, target, headers and body, by its length or by its chunks', () => {
  const length = readRequest(`${head('Content-Length: 2', 'X-A:\t\xff b ')}{}rest`, 0, 'exact')
  assert.ok(length.kind === 'message')
  assert.deepEqual([length.message.method, length.message.target, length.message.body], ['POST', '/a', '{}'])
  assert.deepEqual(length.message.fields.at(-1), ['X-A', '\xff b'])
  assert.equal(length.rest, head('Content-Length: 2', 'X-A:\t\xff b ').length + 2)
  const chunks = readRequest(
    `${head('transfer-encoding: Chunked')}001;a="b"\r\n{\r\n1 ;c\r\n}\r\n0\r\nx: y\r\n\r\nrest`,
    0,
    'exact',
  )
  assert.ok(chunks.kind === 'message' && chunks.message.body === '{}')
})

test('several requests are read one behind the other, and what follows them is told apart', () => {
  const one = head('Content-Length: 1')
  const { messages, end } = readRequests(`${one}a\r\n${one}b${one}`)
  assert.deepEqual([messages.map(({ body }) => body), end?.kind, end?.head?.method], [['a', 'b'], 'open', 'POST'])
  assert.equal(readRequests(`${one}a`).end, undefined)
  assert.deepEqual(
    [readRequests(`${one}aGARBAGE\r\n\r\n`).end?.kind, readRequests(`${one}aGET`).end?.kind],
    ['fault', 'open'],
  )
})

const FAULTS: Readonly<Record<string, readonly string[]>> = {
  'a request line': [
    'POST /a\r\n\r\n',
    'POST  /a HTTP/1.1\r\nHost: b\r\n\r\n',
    'POST /a HTTP/2.0\r\nHost: b\r\n\r\n',
    'POST /\xe9 HTTP/1.1\r\nHost: b\r\n\r\n',
  ],
  'a Host': ['POST /a HTTP/1.1\r\n\r\n', head('host: b')],
  'a line end': [
    head('x: a\ny: b'),
    head('x: a\rb'),
    head('x: a').replaceAll('\r\n', '\n'),
    head('x: a').replaceAll('\r\n', '\r'),
  ],
  'a field line': [
    head('x : a'),
    head(' x: a'),
    head('x: a', '\tb'),
    head(': a'),
    head('x'),
    head('x: a\0'),
    head('x\xe9: a'),
    head('x: \x7f'),
  ],
  'a length': ['+1', '-1', '1,1', '1, 1', '0x1', '1e0', '', '1 1', '\xa01', '9999999999999999'].map(
    (n) => `${head(`Content-Length: ${n}`)}a`,
  ),
  'two framings': [
    head('Content-Length: 0', 'Content-Length: 0'),
    head('Content-Length: 0', 'Transfer-Encoding: chunked'),
    head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
  ],
  'a coding': ['xchunked', 'chunked, identity', 'identity', 'gzip, chunked', '"chunked"', ''].map(
    (coding) => `${head(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`,
  ),
  'a coding in HTTP/1.0': [`${head('Transfer-Encoding: chunked').replace('1.1', '1.0')}0\r\n\r\n`],
  'a chunk': ['+0', '-1', ' 0', '0x0', '', 'g', '0\n', '0;\n', '0\0', 'fffffffff'].map(
    (size) => `${head('Transfer-Encoding: chunked')}${size}\r\n\r\n`,
  ),
  'a chunk’s end': ['', '\n', '\r', 'XX', '\n\n'].map(
    (end) => `${head('Transfer-Encoding: chunked')}2\r\n{}${end}0\r\n\r\n`,
  ),
  'a trailer': ['x', ' x: y', 'x : y', 'x: y\n', '\0: x'].map(
    (trailer) => `${head('Transfer-Encoding: chunked')}0\r\n${trailer}\r\n\r\n`,
  ),
}
for (const [what, requests] of Object.entries(FAULTS)) {
  test(`what is not exactly ${what} is none`, () => {
    for (const bytes of requests) assert.equal(kindOf(bytes), 'fault', JSON.stringify(bytes))
  })
}

test('no request is whole before its last byte, and none that is whole in the end is faulty before', () => {
  for (const bytes of [
    `${head('Content-Length: 2')}{}`,
    `${head('Transfer-Encoding: chunked')}2;a=b\r\n{}\r\n0\r\nx: y\r\n\r\n`,
  ]) {
    for (let end = 0; end < bytes.length; end += 1) assert.equal(kindOf(bytes.slice(0, end)), 'open', `${end}`)
    assert.equal(kindOf(bytes), 'message')
  }
})

test('answers are read in their order, interim ones left out; what is no answer is told', () => {
  const answer = (status: number, ...lines: string[]): string =>
    `HTTP/1.1 ${status} R\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
  const all = `${answer(100)}${answer(200, 'content-length: 2')}{}${answer(204)}${answer(200, 'content-length: 9')}${answer(200)}rest`
  const { answers, end } = readAnswers(all, ['POST', 'GET', 'HEAD', 'GET'])
  assert.deepEqual(
    [answers.map(({ status, body }) => [status, body]), end],
    [
      [
        [200, '{}'],
        [204, ''],
        [200, ''],
        [200, 'rest'],
      ],
      undefined,
    ],
  )
  assert.equal(readAnswers(`${answer(200, 'content-length: 2')}{}}`, ['GET']).end?.kind, 'open')
  assert.equal(readAnswers(`${answer(200, 'content-length: 2', 'x : y')}{}`, ['GET']).end?.kind, 'fault')
  assert.equal(readAnswers(`HTTP/1.1 20 R\r\n\r\n`, ['GET']).end?.kind, 'fault')
})
