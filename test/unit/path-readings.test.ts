/** The reading that judges the sidecar's paths finds what is hidden in them, and nothing in honest ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restrictedIn, restrictedOnes, spelled } from '../support/fuzz/path-readings.ts'
import { modelOperations } from '../support/models.ts'

const found = (target: string, method = 'GET'): readonly string[] =>
  restrictedIn(method, target).map(({ path }) => path)
const ADDRESS = '/orders/v0/orders/{orderId}/address'

test('a restricted path is found in whatever way it is written', () => {
  for (const target of [
    '/orders/v0/orders/1/address',
    '/orders/v0/orders/1/address/?a=/..',
    '//orders/v0//orders/1/address',
    '/x/../orders/v0/orders/1/./address',
    '/%6frders%2fv0%2forders%2F1%2faddress',
    '/%256frders%252fv0/orders/1/address',
    '\\orders\\v0/orders/1\\address',
    '/orders;a=b/v0/orders/1;c/address',
    '/a/..;/orders/v0/orders/1/address',
    '/orders%c0%afv0%e0%80%aforders/1/address',
    '/x/%c0%ae%c0%ae/orders/v0/orders/1/address',
    'http://a/orders/v0/orders/1/address',
    '//a/orders/v0/orders/1/address',
    '/orders/v0/orders/1/address#x',
    '/orders/v0/orders/1/address%3fx',
    '/orders/v0/orders/1/address%00.png',
    '/orders/v0/ord\ters/1/address',
  ])
    assert.ok(found(target).includes(ADDRESS), target)
})

test('every restricted operation of Amazon’s list is found by itself, and no other operation', () => {
  for (const { method, path } of restrictedOnes)
    assert.deepEqual(found(path.replace(/\{\w+\}/g, 'A-1'), method), [path])
  const others = modelOperations.filter(({ restricted }) => !restricted)
  for (const { method, path } of others) assert.deepEqual(found(path.replace(/\{\w+\}/g, 'A-1'), method), [], path)
  assert.deepEqual(found('/listings/2021-08-01/items/S/a%2Fb%5Cc%3Bd%25e', 'GET'), [])
})

test('one spelling: unreserved characters written out, no slash at the end, the query as it is', () => {
  assert.deepEqual(spelled('/%6frders/%2D/a%2fb/?c=%41/'), { path: '/orders/-/a%2fb', query: '?c=%41/' })
})
