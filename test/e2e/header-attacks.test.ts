/** Attacks by header lines that one reader takes for a header and the next for none, or for another. Each by its name. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ACCOUNT, ADDRESS, attack, HIDDEN, requestOf, TOKEN } from '../support/attack.ts'
import { startPair } from '../support/pair.ts'
import { rawUpstream } from '../support/raw.ts'
import { LWA, namesOf, RDT, valuesOf } from '../support/recording-upstream.ts'
import { startWorld } from '../support/wire.ts'

const REFUSED = '400 invalid-header rejected;invalid-header'
const OWN_RDT = 'Atz.sprdt|mine'

/** One test for each: refused on a restricted path and on an open one, and nothing reaches Amazon, nor what comes `behind`. */
const refuses = (name: string, requests: Readonly<Record<string, readonly string[]>>, behind = HIDDEN): void => {
  describe(`${name}: refused, and nothing goes out`, () => {
    for (const [what, headers] of Object.entries(requests)) {
      it(what, async (t) => {
        const world = await startWorld(t)
        for (const path of [ADDRESS, ACCOUNT]) {
          const { answers, arrived, end } = await attack(world, requestOf(`GET ${path}`, headers) + behind)
          assert.deepEqual([answers, arrived, end], [[REFUSED], [], 'closed'], path)
        }
        assert.deepEqual(world.upstream.mints, [])
      })
    }
  })
}

// A line that begins with a space once went on with the header above it. A reader that no longer knows that takes it for a header of
// its own, or drops it (RFC 9112 §5.2; Node.js CVE-2022-32215).
refuses('obs-fold', {
  'a folded header': ['x-note: a', ' b', TOKEN],
  'a token folded into another': [`x-amz-access-token: ${OWN_RDT}`, `\t${LWA}`],
  'a framing folded away': ['x-note: a', ' Transfer-Encoding: chunked', TOKEN],
  'a first line that is folded': [` ${TOKEN}`],
})

// `Name : value` is a header to some and to others none (RFC 9112 §5.1; Go CVE-2019-16276, Envoy CVE-2019-18802, llhttp CVE-2021-22959).
refuses('space before the colon', {
  'in the token': [`x-amz-access-token : ${LWA}`],
  'a tab': [`x-amz-access-token\t: ${LWA}`],
  'in what steers': [TOKEN, 'x-rdt-mode : skip'],
  'in the length': [TOKEN, `Content-Length : ${HIDDEN.length}`],
})

// A line feed or a carriage return by itself ends a line to some (RFC 9112 §2.2; Node.js CVE-2022-32214, CVE-2023-30589).
refuses('bare LF and bare CR', {
  'a line feed within a header': [`x-note: a\n${TOKEN}`],
  'a carriage return within a header': [`x-note: a\r${TOKEN}`],
  'a line feed that hides what steers': [`${TOKEN}\nx-rdt-mode: skip`],
  'a carriage return that hides what steers': [`${TOKEN}\rx-rdt-mode: skip`],
  'an end of the head of line feeds': [`${TOKEN}\n\nx: y`],
})

// C code ends a string where the rest goes on (Envoy CVE-2019-9900).
refuses('NUL and control characters', {
  'in a value': ['x-note: a\0b', TOKEN],
  'in a name': [`x-amz-access-token\0: ${LWA}`],
  'in the token': [`${TOKEN}\0more`],
  'an escape for somebody’s terminal': ['x-note: \x1b[31m', TOKEN],
  'no name at all': [`: ${LWA}`],
  'no header at all': ['nothing', TOKEN],
})

// Servers differ in which of two they take, or join them.
refuses(
  'two access tokens',
  {
    'in two headers': [TOKEN, TOKEN],
    'in two headers of different case': [TOKEN, `X-AMZ-Access-Token: ${OWN_RDT}`],
    'in two headers, one of them empty': ['X-Amz-Access-Token:', TOKEN],
    'joined by a comma': [`x-amz-access-token: ${OWN_RDT},${LWA}`],
    'joined by a space': [`x-amz-access-token: ${OWN_RDT} ${LWA}`],
    'joined by a tab': [`x-amz-access-token: ${OWN_RDT}\t${LWA}`],
  },
  '', // where it ends is in no doubt
)

// One server routes by the first, the next by the second (Chen and others, "Host of Troubles", 2016; RFC 9112 §3.2).
describe('duplicate Host: refused, and nothing goes out', () => {
  for (const [what, headers] of Object.entries({
    'two that differ': ['Host: sellingpartnerapi-na.amazon.com'],
    'two that agree': ['Host: sidecar.local'],
    'two of different case': ['HOST: b'],
    'one of them empty': ['Host:'],
  })) {
    it(what, async (t) => {
      const world = await startWorld(t)
      const { answers, arrived, end } = await attack(world, requestOf(`GET ${ADDRESS}`, [TOKEN, ...headers]) + HIDDEN)
      assert.deepEqual([answers, arrived, end], [[REFUSED], [], 'closed'])
    })
  }

  it('and none at all, in HTTP/1.1', async (t) => {
    const world = await startWorld(t)
    const { answers, arrived, end } = await attack(world, `GET ${ADDRESS} HTTP/1.1\r\n${TOKEN}\r\n\r\n${HIDDEN}`)
    assert.deepEqual([answers, arrived, end], [[REFUSED], [], 'closed'])
  })
})

// The target names another host than the Host header does.
describe('host mismatch', () => {
  it('by an absolute-form target is refused', async (t) => {
    const world = await startWorld(t)
    for (const host of ['http://evil.example', 'https://sellingpartnerapi-na.amazon.com', 'http://sidecar.local']) {
      const { answers, arrived } = await attack(world, requestOf(`GET ${host}${ADDRESS}`, [TOKEN]))
      assert.deepEqual([answers, arrived], [['400 unsafe-path rejected;unsafe-path'], []])
    }
  })

  it('by X-Forwarded-Host and its like does not change whom the call is sent to', async (t) => {
    const world = await startWorld(t)
    const others = ['X-Forwarded-Host: evil.example', 'X-Host: evil.example', 'Forwarded: host=evil.example']
    const { answers, arrived } = await attack(world, requestOf(`GET ${ADDRESS}`, [TOKEN, ...others]))
    assert.deepEqual(answers, ['200 minted'])
    assert.deepEqual(
      arrived.map((call) => valuesOf(call, 'host')),
      [[new URL(world.upstream.url).host]],
    )
  })
})

// CGI and its heirs turn dashes into underscores, so that `x_rdt_mode` and `x-rdt-mode` are one (oauth2-proxy CVE-2025-64484).
describe('header look-alikes', () => {
  const tokens = ['x_amz_access_token', 'x.amz.access.token', 'X-Amz_Access-Token', 'x~amz-access|token']
  const steering = ['x_rdt_mode', 'x.rdt.mode', 'X-RDT_mode', 'x!rdt!mode']
  for (const name of [...tokens, ...steering]) {
    it(`${name} neither counts nor goes out`, async (t) => {
      const world = await startWorld(t)
      const value = tokens.includes(name) ? LWA : 'skip'
      for (const headers of [
        [`${name}: ${value}`, TOKEN],
        [TOKEN, `${name}: ${value}`],
      ]) {
        const { answers, arrived } = await attack(world, requestOf(`GET ${ADDRESS}`, headers))
        assert.match(answers.join(), /^200 (minted|hit)$/)
        const [call] = arrived
        assert.ok(call && arrived.length === 1)
        assert.deepEqual(valuesOf(call, 'x-amz-access-token'), [RDT])
        assert.ok(!namesOf(call).includes(name.toLowerCase()) && !call.rawHeaders.includes(LWA))
      }
    })
  }
})

// What a Connection header names is meant for one hop, and dropped: so the caller drops what the proxy adds, or needs (Davison 2019;
// Apache httpd CVE-2022-31813, Traefik CVE-2024-45410).
describe('hop-by-hop abuse: a Connection header that names', () => {
  const abuses: Readonly<Record<string, readonly string[]>> = {
    'the token does not take the RDT away': ['Connection: close, x-amz-access-token'],
    'the token in a second line does not either': ['Connection: close', 'connection: X-Amz-Access-Token'],
    'Host and the framing leaves them': ['Connection: close, Host, Content-Length, Transfer-Encoding'],
    'nonsense does no harm': ['Connection: close,,__proto__, ,constructor'],
    'what steers does not keep it from counting': ['Connection: close, x-rdt-scope', 'x-rdt-scope: specific'],
  }
  for (const [what, headers] of Object.entries(abuses)) {
    it(what, async (t) => {
      const world = await startWorld(t)
      const { answers, arrived } = await attack(world, requestOf(`GET ${ADDRESS}`, [TOKEN, ...headers]))
      assert.deepEqual(
        [answers, arrived.flatMap((call) => valuesOf(call, 'x-amz-access-token'))],
        [['200 minted'], [RDT]],
      )
      assert.deepEqual(
        world.upstream.mints.map((body) => JSON.parse(body).restrictedResources[0].path),
        [what.includes('steers') ? ADDRESS : ADDRESS.replace('902-1', '{orderId}')],
      )
    })
  }
})

// What comes from one side is written into a head for the other, line breaks and all (CWE-113; Node.js CVE-2016-2216).
describe('response splitting', () => {
  it('by what a caller sends: nothing of a refused request comes back in a head', async (t) => {
    const world = await startWorld(t)
    for (const bytes of [
      requestOf('GET /a%0d%0aset-cookie:%20b=c', [TOKEN]),
      requestOf(`GET ${ADDRESS}`, [TOKEN, 'x-rdt-mode: a%0d%0ab']),
      requestOf(`GET ${ADDRESS}`, [TOKEN, 'x-rdt-scope: a\xc4\x8d\xc4\x8aset-cookie: b=c']),
      requestOf(`GET ${ADDRESS}`, [TOKEN, 'x-rdt-report-type: a\rset-cookie: b=c']),
    ]) {
      const { answers, received } = await attack(world, bytes)
      assert.match(answers.join(), /^400 [\w-]+ rejected;[\w-]+$/)
      assert.doesNotMatch(received.split('\r\n\r\n')[0] ?? '', /set-cookie|b=c/)
    }
  })

  it('by what Amazon’s side answers: a head that holds a bare CR or LF is no answer, and the caller is told so', async (t) => {
    for (const line of ['x-note: a\rset-cookie: b=c', 'x-note: a\0b', 'x-note : a', ' x-note: a']) {
      const upstream = await rawUpstream(t, (_request, socket) =>
        socket.end(`HTTP/1.1 200 OK\r\n${line}\r\ncontent-length: 2\r\n\r\n{}`),
      )
      const pair = await startPair(t, { endpoint: upstream.url })
      const response = await pair.call(ACCOUNT, LWA)
      assert.deepEqual([response.status, response.headers.get('x-rdt-error')], [502, 'upstream-unreachable'], line)
    }
  })
})
