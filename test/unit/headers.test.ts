import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { readHeaders, strippedHeaders as stripped } from '../../src/proxy/headers.ts'

const steeringOf = (headers: IncomingHttpHeaders) => {
  const result = readHeaders(headers)
  assert.ok(result.ok, JSON.stringify(result))
  return result.steering
}

test('the steering headers are read', () => {
  assert.deepEqual(
    steeringOf({
      'x-rdt-mode': 'force',
      'x-rdt-scope': ' specific ',
      'x-rdt-data-elements': 'buyerInfo, shippingAddress,buyerInfo',
      'x-rdt-target-application': 'amzn1.sp.solution.1234-abcd',
    }),
    {
      mode: 'force',
      scope: 'specific',
      dataElements: ['buyerInfo', 'shippingAddress'],
      targetApplication: 'amzn1.sp.solution.1234-abcd',
    },
  )
  assert.deepEqual(steeringOf({ 'x-rdt-data-elements': 'none' }), { dataElements: [] })
  assert.deepEqual(steeringOf({}), {})
})

const BAD: readonly (readonly [string, string])[] = [
  ['x-rdt-mode', 'Skip'],
  ['x-rdt-mode', ''],
  ['x-rdt-mode', 'skip, force'],
  ['x-rdt-scope', 'broad'],
  ['x-rdt-data-elements', 'buyerinfo'],
  ['x-rdt-data-elements', ''],
  ['x-rdt-data-elements', 'none,buyerInfo'],
  ['x-rdt-target-application', 'my-app'],
  ['x-rdt-target-application', `amzn1.${'a'.repeat(300)}`],
]
for (const [name, value] of BAD) {
  test(`${name}: ${value.slice(0, 20) || '(empty)'} is refused, and told what would do`, () => {
    const result = readHeaders({ [name]: value })
    assert.ok(!result.ok)
    assert.ok(result.why.startsWith(`${name} must be `))
    assert.ok(value.length < 5 || !result.why.includes(value))
  })
}

test('one access token, or none', () => {
  const tokenOf = (value?: string) => {
    const result = readHeaders(value === undefined ? {} : { 'x-amz-access-token': value })
    return result.ok ? result.accessToken : 'refused'
  }
  assert.equal(tokenOf(), undefined)
  assert.equal(tokenOf(''), undefined)
  assert.equal(tokenOf('Atza|a'), 'Atza|a')
  for (const pair of ['A, B', 'A, A', 'A, ', ', A', 'A B', 'A,B']) assert.equal(tokenOf(pair), 'refused', pair)
})

test('hop-by-hop headers go, those the Connection header names too, framing and the token stay', () => {
  const left = stripped({
    connection: 'close, X-Custom, content-length, transfer-encoding, host, x-amz-access-token',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    trailer: 'x',
    upgrade: 'h2c',
    'proxy-authorization': 'Basic x',
    'proxy-connection': 'keep-alive',
    expect: '100-continue',
    'x-custom': '1',
    'content-length': '3',
    'transfer-encoding': 'chunked',
    host: 'h',
    'x-amz-access-token': 'A',
    accept: '*/*',
  })
  assert.deepEqual(Object.keys(left).sort(), [
    'accept',
    'content-length',
    'host',
    'transfer-encoding',
    'x-amz-access-token',
  ])
})

test('x-rdt-* and look-alikes of it and of the token header go; names that only resemble them stay', () => {
  const left = stripped({
    'x-rdt-mode': 'auto',
    'x-rdt-anything': '1',
    x_rdt_mode: 'skip',
    'x.rdt.scope': 'generic',
    x_amz_access_token: 'B',
    'x-amz_access-token': 'B',
    'x~amz!access#token': 'B',
    'x-amz-access-token': 'A',
    'x-amz-access-token-2': 'C',
    'x-amz-date': 'D',
    'x-rdtx': '1',
  })
  assert.deepEqual(Object.keys(left).sort(), ['x-amz-access-token', 'x-amz-access-token-2', 'x-amz-date', 'x-rdtx'])
})

test('property: after stripping, no header reads as ours or as a second token, whatever was sent', () => {
  const name = fc
    .tuple(
      fc.constantFrom('x-rdt-mode', 'x-amz-access-token', 'connection', 'te', 'accept', 'x-other'),
      fc.infiniteStream(fc.constantFrom('-', '_', '.', '~')),
    )
    .map(([base, marks]) => base.replace(/-/g, () => marks.next().value ?? '-'))
  fc.assert(
    fc.property(fc.dictionary(name, fc.constantFrom('a', 'close', 'accept, x-other')), (headers) => {
      const left = Object.keys(stripped({ ...headers }))
      const plain = left.map((one) => one.replace(/[^a-z0-9]/g, '-'))
      assert.ok(!plain.some((one) => one.startsWith('x-rdt-') || one === 'te' || one === 'connection'))
      assert.ok(
        left.every((one) => one === 'x-amz-access-token' || one.replace(/[^a-z0-9]/g, '-') !== 'x-amz-access-token'),
      )
    }),
  )
})
