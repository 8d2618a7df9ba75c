/**
 * Attacks by framing: bytes that one server on the way takes for one request, and the next for two. Each class by the name that it
 * has in the literature, which takes the first letters of what the server in front and the one behind go by: CL Content-Length, TE
 * Transfer-Encoding. The sidecar frames what it forwards anew, so that it is one request; what could be two, it refuses.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ACCOUNT, attack, HIDDEN, requestOf, TOKEN } from '../support/attack.ts'
import { bodyOf } from '../support/recording-upstream.ts'
import { startWorld } from '../support/wire.ts'

const LENGTH = `Content-Length: ${HIDDEN.length}`
const CHUNKED = 'Transfer-Encoding: chunked'
const REFUSED = '400 invalid-header rejected;invalid-header'

type Framing = readonly [what: string, headers: readonly string[], body: string]

/** The hidden request behind the end that chunks have. */
const behindChunks = `0\r\n\r\n${HIDDEN}`
const behind = (...headers: string[]): Framing => [headers.join(', '), headers, behindChunks]
const coded = (...codings: string[]): readonly Framing[] =>
  codings.flatMap((coding) => [behind(`Transfer-Encoding: ${coding}`), behind(`Transfer-Encoding: ${coding}`, LENGTH)])
const long = (...lengths: string[]): readonly Framing[] =>
  lengths.map((length) => [JSON.stringify(length), [`Content-Length: ${length}`], HIDDEN])
const sized = (...sizes: string[]): readonly Framing[] =>
  sizes.map((size) => [JSON.stringify(size), [CHUNKED], `2\r\n{}\r\n${size}\r\n\r\n${HIDDEN}`])
const ended = (...ends: string[]): readonly Framing[] =>
  ends.map((end) => [JSON.stringify(end), [CHUNKED], `2\r\n{}${end}${behindChunks}`])

const CLASSES: Readonly<Record<string, readonly Framing[]>> = {
  // The front goes by the length and passes all of it on; the back goes by the chunks, and finds a request behind them
  // (Linhart and others 2005; Kettle, "HTTP Desync Attacks", 2019). RFC 9112 §6.1.
  'CL.TE': [behind(LENGTH, CHUNKED), behind('Content-Length: 5', CHUNKED)],
  // The front reads chunks, one of which holds the request; the back stops where the length says, within it.
  'TE.CL': [
    [
      'a length that ends within a chunk',
      [CHUNKED, 'Content-Length: 4'],
      `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`,
    ],
    behind(CHUNKED, LENGTH),
  ],
  // One of the two does not know the coding in its disguise and goes by the length, or by none (Kettle 2019; Node.js
  // CVE-2020-8287, CVE-2022-32213).
  'TE.TE': [
    ...coded(
      'xchunked',
      'chunked, identity',
      'identity',
      'gzip, chunked',
      'chunked, chunked',
      '"chunked"',
      'chunked;q=1',
    ),
    ...coded(',chunked', 'chunked,', '\x0bchunked', 'chunked\x0b', 'chunked\0', ''),
    behind(CHUNKED, CHUNKED),
    behind(CHUNKED, 'Transfer-Encoding: identity', LENGTH),
    behind('Transfer-Encoding: identity', CHUNKED),
    behind('Transfer-Encoding : chunked', LENGTH),
    behind('x-a: b\r\n Transfer-Encoding: chunked', LENGTH),
  ],
  // Two lengths, or one that two readers make different numbers of (RFC 9112 §6.3; HAProxy CVE-2021-40346, CVE-2023-40225).
  'CL.CL': [
    ['two lengths', ['Content-Length: 0', LENGTH], HIDDEN],
    ['two lengths that agree', [LENGTH, LENGTH], HIDDEN],
    ...long(`0, ${HIDDEN.length}`, `+${HIDDEN.length}`, `-${HIDDEN.length}`, `0x${HIDDEN.length.toString(16)}`),
    ...long(`${HIDDEN.length}.0`, `${HIDDEN.length}e0`, '', '\xa00', '18446744073709551616', `${HIDDEN.length};a`),
  ],
  // A number that one reader takes for no size, or for a smaller one.
  'chunk size': sized('+0', '-1', ' 0', '0x0', 'g', '', 'fffffffffffffffff', '1_0', '0\0'),
  // What stands behind a size is passed over up to the end of the line, which one reader finds at a bare line feed (llhttp
  // CVE-2021-22960; Weikop, "Funky chunks", 2025).
  'chunk extension': [
    ...sized('0;\n', '0;a\rb', '0;a\n0'),
    ['one that hides a size', [CHUNKED], `1;\n\r\na\r\n${behindChunks}`],
  ],
  // Two bytes are passed over behind a chunk, whatever they are, or a bare line feed is taken for them.
  'chunk terminator': ended('', '\n', '\r', 'XX', '\n\n', '\r\r\n'),
  // A trailer that ends early, or frames the message after the fact.
  'chunk trailer': ['x: y\n', 'x', ' x: y', 'x : y', '\0: x'].map((trailer) => [
    JSON.stringify(trailer),
    [CHUNKED],
    `2\r\n{}\r\n0\r\n${trailer}\r\n\r\n${HIDDEN}`,
  ]),
}

const STARTS = [`POST ${ACCOUNT}`, `GET ${ACCOUNT}`, `DELETE ${ACCOUNT}`, 'POST /mfn/v0/shipments']

for (const [name, framings] of Object.entries(CLASSES)) {
  describe(`${name}: a request with no one end is refused, and what comes behind it is no request`, () => {
    for (const start of STARTS) {
      it(start, async (t) => {
        const whole: unknown[] = []
        const world = await startWorld(t, { answer: ({ url }, res) => void whole.push(url, res.end('{}')) })
        for (const [what, headers, body] of framings) {
          const { answers, smuggled, end } = await attack(world, requestOf(start, [TOKEN, ...headers], body))
          assert.deepEqual([answers, smuggled, whole, end], [[REFUSED], [], [], 'closed'], what)
        }
      })
    }
  })
}

// The back end takes no body for a method, or for a refusal, and reads it as the next request (Kettle, "Browser-Powered Desync
// Attacks", 2022; Apache httpd CVE-2022-22720; with chunks: TE.0).
describe('CL.0: a body is never the next request', () => {
  const framings: readonly Framing[] = [
    ['a length', [LENGTH], HIDDEN],
    ['chunks (TE.0)', [CHUNKED], `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`],
  ]
  for (const [what, headers, body] of framings) {
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT']) {
      it(`of a ${method} with ${what}`, async (t) => {
        const world = await startWorld(t)
        const next = requestOf(`GET ${ACCOUNT}?next`)
        const { answers, smuggled, arrived } = await attack(
          world,
          requestOf(`${method} ${ACCOUNT}`, headers, body),
          next,
        )
        assert.deepEqual([answers, smuggled], [['200 not-restricted', '200 not-restricted'], []])
        assert.equal(arrived.length, 2)
      })

      it(`of a ${method} with ${what} that is refused for its path`, async (t) => {
        const world = await startWorld(t)
        const next = requestOf(`GET ${ACCOUNT}?next`)
        const { answers, smuggled, arrived } = await attack(world, requestOf(`${method} /a/../b`, headers, body), next)
        assert.deepEqual([answers, smuggled], [['400 unsafe-path rejected;unsafe-path', '200 not-restricted'], []])
        assert.equal(arrived.length, 1)
      })
    }
  }
})

// A server that keeps so many headers and drops the rest loses the length among them, and with it the end of the message.
describe('a length behind more headers than anybody counts', () => {
  for (const method of ['GET', 'DELETE', 'POST']) {
    it(`is not lost with a ${method}`, async (t) => {
      const world = await startWorld(t)
      const many = Array.from({ length: 2100 }, (_, i) => `a${i}: b`)
      const { smuggled } = await attack(world, requestOf(`${method} ${ACCOUNT}`, [...many, LENGTH], HIDDEN))
      assert.deepEqual(smuggled, [])
    })
  }
})

// What a Connection header names is dropped by the next hop: the framing must not be.
describe('a Connection header that names the framing', () => {
  for (const [named, headers, body] of [
    ['Content-Length', [LENGTH], HIDDEN],
    ['Transfer-Encoding', [CHUNKED], `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`],
  ] as const) {
    it(`does not take ${named} away`, async (t) => {
      const world = await startWorld(t)
      const start = `POST ${ACCOUNT}`
      const { smuggled, arrived } = await attack(
        world,
        requestOf(start, [`Connection: keep-alive, ${named}`, ...headers], body),
      )
      assert.deepEqual([smuggled, arrived.map(bodyOf)], [[], [HIDDEN]])
    })
  }
})
