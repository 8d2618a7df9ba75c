import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreign, hostIn, hostOf } from '../../src/proxy/admission.ts'

test('a Host is read less its port and its root; an address as it stands in one', () => {
  const read = ['Shop:8080', 'shop.', 'shop.:80', '[::1]:8080', '[FD00::1]', '127.0.0.1:', 'a@b', 'a:b', '']
  assert.deepEqual(read.map(hostIn), ['shop', 'shop', 'shop', '[::1]', '[fd00::1]', '127.0.0.1', 'a@b', 'a:b', ''])
  const addresses = ['::1', 'FD00::1', '::ffff:10.0.0.7', '10.0.0.7', 'Shop', '::', undefined]
  assert.deepEqual(addresses.map(hostOf), ['[::1]', '[fd00::1]', '10.0.0.7', '10.0.0.7', 'shop', '[::]', ''])
  for (const host of ['[::1]', 'shop', '[::]', '10.0.0.7']) assert.equal(hostIn(host), host)
})

test('the address that was connected to is ours; on a Unix socket there is none to ask for, and browsers are refused all the same', () => {
  const rules = { sellers: [{}], allowForwarded: false, hosts: new Set(['localhost']), callers: undefined } as never
  const errorOf = (header: string, localAddress: string | undefined, unix: boolean, more: object = {}) => {
    const request = { headers: { host: header, ...more }, rawHeaders: ['hOSt', header], socket: { localAddress } }
    return foreign(rules, request as never, unix)?.name
  }
  assert.equal(errorOf('10.0.0.7:8080', '::ffff:10.0.0.7', false), undefined)
  assert.equal(errorOf('[fd00::7]:8080', 'fd00::7', false), undefined)
  assert.equal(errorOf('10.0.0.8:8080', '10.0.0.7', false), 'foreign-host')
  assert.equal(errorOf('', undefined, false), 'foreign-host')
  assert.equal(errorOf('anything', undefined, true), undefined)
  assert.equal(errorOf('localhost', undefined, true, { origin: 'null' }), 'forwarded-call')
  assert.equal(errorOf('localhost', undefined, true, { via: '1.1 x' }), 'forwarded-call')
})
