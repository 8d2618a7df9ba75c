/**
 * One spelling per resource: what is refused, what passes byte for byte, what arrives in its one spelling. Path confusion is the attack:
 * the proxy judges one path, and the server behind it serves another (Tsai, "Breaking Parser Logic", 2018).
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LWA, RDT, type Upstream, valuesOf } from '../support/recording-upstream.ts'
import { startWorld, type World } from '../support/wire.ts'

const TOKEN = `x-amz-access-token: ${LWA}`

/** Target and token of everything that arrived since the last look. */
const arrivals = ({ calls }: Upstream): readonly [string, string | undefined][] =>
  calls.splice(0).map((call) => [call.target, valuesOf(call, 'x-amz-access-token')[0]])

const refusedUnsafe = async ({ send }: World, start: string): Promise<void> => {
  const answer = await send(start, [TOKEN])
  assert.equal(answer.status, 400)
  assert.deepEqual(answer.values('x-rdt-error'), ['unsafe-path'])
  assert.deepEqual(answer.values('x-rdt-verdict'), ['rejected;unsafe-path'])
  assert.equal(JSON.parse(answer.body).errors[0].code, 'InvalidInput')
}

/** One test for each target. */
const refuses = (what: string, targets: readonly string[]): void => {
  it(`path confusion by ${what}: refused, and nothing goes out`, async (t) => {
    const world = await startWorld(t)
    for (const target of targets) {
      await t.test(JSON.stringify(target), async () => {
        await refusedUnsafe(world, `GET ${target}`)
        assert.deepEqual([arrivals(world.upstream), world.upstream.mints], [[], []])
      })
    }
  })
}

describe('the sidecar', () => {
  // Envoy CVE-2019-9901, fastify-http-proxy CVE-2021-21322, fastify-reply-from CVE-2021-21321.
  refuses('dot segments', [
    '/.',
    '/..',
    '/sellers/./v1',
    '/sellers/../orders/v0/orders',
    '/sellers/v1/..',
    '/sellers/v1/../',
    '/sellers/v1/%2e%2e/x',
    '/sellers/v1/.%2E/x',
    '/sellers/v1/%2e/x',
    '/orders/v0/orders/%2e',
  ])
  refuses('empty segments', [
    '//',
    '//orders/v0/orders',
    '/orders//v0/orders',
    '/orders/v0/orders//',
    '/sellers/v1//?a=1',
  ])
  refuses('backslashes', ['/orders\\v0\\orders', '/sellers/v1\\..\\x', '/\\', '/listings/a\\b'])
  refuses('broken percent-encoding', ['/sellers/%', '/sellers/%4', '/sellers/%zz', '/sellers/%u002f', '/sellers/%%32f'])
  // %00 ends the path for C code; %0d%0a begins a header where the path is decoded into a head.
  refuses('encoded NUL and control characters', [
    '/sellers/%00',
    '/sellers/a%0d%0ab',
    '/sellers/%09',
    '/sellers/%1f',
    '/sellers/%7F',
  ])
  // Envoy CVE-2021-32779.
  refuses('fragments', ['/sellers#', '/orders/v0/orders#x', '/sellers?a=1#b', '/#/orders/v0/orders'])
  refuses('targets that are not a path, absolute form among them', [
    '*',
    'http://sellingpartnerapi-na.amazon.com/orders/v0/orders',
    'https://sellingpartnerapi-na.amazon.com/sellers/v1/account',
    'HTTP://a',
    'http://a:b/',
    'http://[',
    'foo://bar',
    'foo://bar/orders/v0/orders',
  ])
  refuses('raw control characters and bytes outside ASCII', [
    '/sellers/a\0b',
    '/sellers/\x01',
    '/sellers/\x7f',
    '/sellers/caf\xe9',
    '/sellers/caf\xc3\xa9',
  ])
  // Envoy CVE-2021-29492.
  refuses('encoded slashes and backslashes', [
    '/orders%2Fv0%2Forders',
    '/orders/v0/orders%2f902-1%2faddress',
    '/%2forders/v0/orders',
    '/%2fa/orders/v0/orders',
    '/orders/v0/orders%2f',
    '/orders%5cv0%5Corders',
    '/orders/v0/orders/902-1%2F..%2F902-2/address',
    '/listings/2021-08-01/items/S/..%2f..%2f..%2f..%2forders%2fv0%2forders',
  ])
  // Apache httpd CVE-2021-42013.
  refuses('double encoding', [
    '/orders%252Fv0/orders',
    '/orders%25252Fv0/orders',
    '/orders/v0/%256frders',
    '/listings/x%252f%252e%252e%252f..%252forders/v0/orders',
  ])
  // Servlet containers drop `;…` before they match, or before they resolve dots (Envoy CVE-2026-73511, CVE-2026-73551).
  refuses('`;` parameters', [
    '/orders/v0/orders;v=1',
    '/orders;v=1/v0/orders',
    '/orders/v0/orders/902-1;a=b/address',
    '/orders/v0/orders%3bv=1',
    '/a/..;/orders/v0/orders',
    '/orders/v0/orders/902-1/shipment%5c..;%5c..;%5cx',
  ])
  refuses('characters that a URL must not hold', [
    '/orders/v0/orders/{orderId}',
    '/orders/v0/orders/%7BorderId%7D/address',
    '/orders/v0/orders/caf%C3%A9/address',
    '/orders/v0/orders%20',
  ])
  // A reader that decodes before it splits would find the query or the fragment here.
  refuses('an encoded question or number sign behind a restricted path', [
    '/orders/v0/orders%3FMarketplaceIds=1',
    '/orders/v0/orders/902-1/address%3f',
    '/orders/v0/orders%23',
    '/orders/v0/orders%253F',
  ])
  // A slash or a dot in more bytes than it needs, which lenient decoders take for one (IIS CVE-2000-0884, Tomcat CVE-2008-2938).
  refuses('overlong UTF-8', [
    '/orders%c0%afv0%C0%AForders',
    '/orders/v0%c0%af/orders',
    '/orders%e0%80%afv0/orders',
    '/orders%f0%80%80%afv0/orders',
    '/%c1%afrders/v0/orders',
    '/x/%c0%ae%c0%ae/orders/v0/orders',
    '/x%c1%9c..%e0%81%9corders/v0/orders',
    '/x%c0%a52f../orders/v0/orders',
  ])

  it('refuses a path percent-encoded over and over', async (t) => {
    await refusedUnsafe(await startWorld(t), `GET /sellers/%${'25'.repeat(20)}2f`)
  })

  it('refuses to ask for an RDT for a path that can be read in two ways', async (t) => {
    const { send, upstream } = await startWorld(t)
    const answer = await send('GET /listings/2021-08-01/items/S/a%2Fb', [TOKEN, 'x-rdt-mode: force'])
    assert.deepEqual([answer.status, answer.values('x-rdt-error')], [400, ['unsafe-path']])
    assert.deepEqual([arrivals(upstream), upstream.mints], [[], []])
  })

  it('refuses on whatever connection and with whatever method and token', async (t) => {
    const world = await startWorld(t)
    for (const method of ['HEAD', 'OPTIONS', 'PATCH', 'DELETE', 'PURGE']) {
      const answer = await world.send(`${method} /sellers/../x HTTP/1.0`, ['x-amz-access-token: Atz.sprdt|own'])
      assert.deepEqual([answer.status, answer.values('x-rdt-error')], [400, ['unsafe-path']])
    }
    assert.deepEqual(arrivals(world.upstream), [])
  })

  it('forwards an unrestricted target byte for byte', async (t) => {
    const { send, upstream } = await startWorld(t)
    for (const target of [
      '/',
      '/?',
      '/sellers/v1/account?',
      '/listings/2021-08-01/items/S/a%2Fb',
      '/listings/2021-08-01/items/S/a%2fb%5Cc%3Bd%25e%7bf%7d?marketplaceIds=A1,B2',
      '/listings/2021-08-01/items/S/caf%C3%A9%20%E9',
      '/listings/2021-08-01/items/S/...a',
      "/catalog/items/a!$&'()*+,=:@b;c",
      '/catalog/{x}|^`"<>[]',
      '/sellers/v1/account?a=/../..//b\\c&d=%zz%2F%&e={f}|"<>&&=?g',
      '/sellers/v1/account?next=a+b%2Bc==',
      `/sellers/v1/account?long=${'x'.repeat(30_000)}`,
      '/orders/v0/orders/902-1/shipmentConfirmation?x=%2F',
      '/ORDERS/v0/orders',
    ]) {
      assert.deepEqual((await send(`GET ${target}`, [TOKEN])).values('x-rdt-verdict'), ['not-restricted'], target)
      assert.deepEqual(arrivals(upstream), [[target, LWA]])
    }
  })

  it('forwards a restricted path in its one spelling and its query byte for byte', async (t) => {
    const { send, upstream } = await startWorld(t)
    for (const [sent, arrives] of [
      ['/orders/v0/orders/', '/orders/v0/orders'],
      ['/orders/v0/orders/?CreatedAfter=a%3Ab/&c=%7e', '/orders/v0/orders?CreatedAfter=a%3Ab/&c=%7e'],
      ['/orders/v0/orders?', '/orders/v0/orders?'],
      ['/%6frders/v0/%6Frders/902%2D1/address', '/orders/v0/orders/902-1/address'],
      ['/orders/v0/orders/%7Ea%5f%2Eb', '/orders/v0/orders/~a_.b'],
      ['/orders/v0/orders/a%20b%2bc/address/', '/orders/v0/orders/a%20b%2bc/address'],
      ["/orders/v0/orders/!$&'()*+,=:@/buyerInfo", "/orders/v0/orders/!$&'()*+,=:@/buyerInfo"],
      ['/orders/v0/orders/.902', '/orders/v0/orders/.902'],
    ] as const) {
      await send(`GET ${sent}`, [TOKEN])
      assert.deepEqual(arrivals(upstream), [[arrives, RDT]], sent)
    }
  })

  it('uses one RDT for all spellings of a resource', async (t) => {
    const { send, upstream } = await startWorld(t, { env: { SIDECAR_RDT_SCOPE: 'specific' } })
    for (const id of ['902-1', '902%2d1', '%3902-1', '902-%31'])
      await send(`GET /orders/v0/orders/${id}/address`, [TOKEN])
    await send('GET /orders/v0/orders/902-1/address/', [TOKEN])
    assert.deepEqual(
      upstream.mints.map((body) => JSON.parse(body).restrictedResources),
      [[{ method: 'GET', path: '/orders/v0/orders/902-1/address' }]],
    )
  })

  it('never lets a disguised restricted path out with the caller’s token', async (t) => {
    const { send, upstream } = await startWorld(t)
    const hex = (c: string) => `%${c.charCodeAt(0).toString(16)}`
    const slash = fc.constantFrom(
      '/',
      '//',
      '/./',
      '%2f',
      '%2F',
      '\\',
      '%5C',
      '/%2e/',
      '%252f',
      ';a/',
      '%3b/',
      '/x/../',
    )
    const letter = fc.constantFrom(
      (c: string) => c,
      hex,
      (c: string) => hex(c).toUpperCase(),
      (c: string) => hex(c).replace('%', '%25'),
    )
    const end = fc.constantFrom('', '/', '//', '/.', ';', '%2f', '?a', '/?a', '#a')
    const plain = '/orders/v0/orders/902-1/address'
    const disguised = fc
      .tuple(fc.array(fc.tuple(fc.nat(plain.length - 1), slash, letter), { maxLength: 4 }), end)
      .map(([changes, tail]) => {
        const characters = [...plain]
        for (const [at, other, spell] of changes) characters[at] = plain[at] === '/' ? other : spell(plain[at] ?? '')
        return characters.join('') + tail
      })
    await fc.assert(
      fc.asyncProperty(disguised, async (target) => {
        const { status } = await send(`GET ${target}`, [TOKEN])
        const seen = arrivals(upstream)
        if (status === 200)
          assert.deepEqual(
            seen.map(([path, token]) => [path.split('?')[0], token]),
            [[plain, RDT]],
          )
        else assert.deepEqual([status, seen], [400, []])
      }),
      { numRuns: 200 },
    )
  })
})
