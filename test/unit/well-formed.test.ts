import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flawIn } from '../../src/proxy/well-formed.ts'

type Head = Parameters<typeof flawIn>[0]
const flaw = (httpVersion: string, rawHeaders: string[], headers: Head['headers'] = {}) =>
  flawIn({ httpVersion, rawHeaders, headers })?.status ?? (flawIn({ httpVersion, rawHeaders, headers }) ? 400 : 'none')

test('HTTP/1.1 and HTTP/1.0 alone are spoken', () => {
  for (const version of ['0.9', '2.0', '3.0']) assert.equal(flaw(version, ['Host', 'a']), 505, version)
  for (const version of ['1.0', '1.1']) assert.equal(flaw(version, ['Host', 'a']), 'none', version)
})

test('a request has one Host, which HTTP/1.0 may leave out', () => {
  assert.equal(flaw('1.1', ['accept', 'host']), 400)
  assert.equal(flaw('1.0', []), 'none')
  for (const version of ['1.0', '1.1']) assert.equal(flaw(version, ['Host', 'a', 'x', 'y', 'hOST', 'a']), 400, version)
})

test('no transfer coding but chunked, and none at all in HTTP/1.0', () => {
  const coded = (version: string, coding: string) => flaw(version, ['Host', 'a'], { 'transfer-encoding': coding })
  assert.deepEqual([coded('1.1', 'chunked'), coded('1.1', 'Chunked'), coded('1.0', 'chunked')], ['none', 'none', 400])
  for (const coding of ['', 'gzip, chunked', 'identity', 'chunked, chunked', ',chunked', 'chunked;a'])
    assert.equal(coded('1.1', coding), 400, coding)
})
