import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSealer } from '../../src/store/sealer.ts'

const [a, b, c] = [randomBytes(32), randomBytes(32), randomBytes(32)]
const text = fc.string({ unit: 'grapheme', maxLength: 200 })

test('property: what was sealed opens under the same key and context, whatever it is', () => {
  const sealer = createSealer([a, b])
  fc.assert(
    fc.property(text, text, fc.nat(1), (context, value, i) => {
      assert.equal(sealer.open(i, context, sealer.seal(i, context, value)), value)
    }),
  )
})

test('property: under another name, at another moment, or by another key it does not open', () => {
  const sealer = createSealer([a, b])
  fc.assert(
    fc.property(text, text, text, (context, other, value) => {
      fc.pre(context !== other)
      const sealed = sealer.seal(0, context, value)
      assert.equal(sealer.open(0, other, sealed), undefined)
      assert.equal(sealer.open(1, context, sealed), undefined)
      assert.equal(createSealer([c]).open(0, context, sealed), undefined)
    }),
  )
})

test('property: of a sealed value every byte counts', () => {
  const sealer = createSealer([a])
  fc.assert(
    fc.property(text, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, where, change) => {
      const bytes = Buffer.from(sealer.seal(0, 'name 1', value), 'base64url')
      const at = where % bytes.length
      bytes.writeUInt8(bytes.readUInt8(at) ^ change, at)
      assert.equal(sealer.open(0, 'name 1', bytes.toString('base64url')), undefined)
    }),
  )
})

test('truncated anywhere, or with something behind it, it does not open', () => {
  const sealer = createSealer([a])
  for (const value of ['', 'x', 'Atz.sprdt|1']) {
    const bytes = Buffer.from(sealer.seal(0, 'name 1', value), 'base64url')
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(sealer.open(0, 'name 1', bytes.subarray(0, length).toString('base64url')), undefined)
    assert.equal(sealer.open(0, 'name 1', Buffer.concat([bytes, Buffer.from('x')]).toString('base64url')), undefined)
  }
})

test('property: garbage does not open, and harms nobody', () => {
  const sealer = createSealer([a])
  fc.assert(fc.property(fc.string(), (garbage) => assert.equal(sealer.open(0, 'name 1', garbage), undefined)))
})

test('the same text is sealed differently each time, and shows in none', () => {
  const sealer = createSealer([a])
  const sealed = Array.from({ length: 100 }, () => sealer.seal(0, 'name 1', 'Atz.sprdt|canary'))
  assert.equal(new Set(sealed).size, 100)
  assert.equal(new Set(sealed.map((one) => one.slice(0, 16))).size, 100, 'a nonce that comes twice gives the key away')
  for (const one of sealed) assert.ok(!Buffer.from(one, 'base64url').toString('latin1').includes('canary'))
})

test('a name a key; who has one key of two meets the other by it', () => {
  const both = createSealer([b, a]).names('rdt', 'x')
  assert.deepEqual(both, [...createSealer([b]).names('rdt', 'x'), ...createSealer([a]).names('rdt', 'x')])
  assert.equal(new Set(both).size, 2)
  const sealed = createSealer([b, a]).seal(1, 'name 1', 'x')
  assert.equal(createSealer([a]).open(0, 'name 1', sealed), 'x')
})

test('what a replica of any release must name and open alike', () => {
  const sealer = createSealer([Buffer.alloc(32, 7)])
  assert.deepEqual(sealer.names('rdt', 'x'), ['rdt:AzoLMO4Yaax_e6sOmvOayYCI2Ir2v2x37WkVjiM5DO8'])
  const sealed = 'ssDcePsZ2zlV3LnpQ3Uwe84R_ehJ9MfqQn-TBYZqOcLy-VKWErEm'
  assert.equal(sealer.open(0, 'name 1', sealed), 'Atz.sprdt|1')
})

test('property: names differ by kind, by what they name and by key; all begin with rdt: and are of one length', () => {
  const sealer = createSealer([a, b])
  const kind = fc.constantFrom('rdt', 'lock', 'refusal', 'plan', 'flush')
  fc.assert(
    fc.property(kind, text, kind, text, (kind1, what1, kind2, what2) => {
      const names = new Set([...sealer.names(kind1, what1), ...sealer.names(kind2, what2)])
      assert.equal(names.size, kind1 === kind2 && what1 === what2 ? 2 : 4)
      for (const name of names) assert.match(name, /^rdt:[\w-]{43}$/)
    }),
  )
  assert.deepEqual(sealer.names('flushes'), sealer.names('flushes', ''))
})

test('names do not hold what they name, nor can they be had without the key', () => {
  const [name = ''] = createSealer([a]).names('rdt', 'canary')
  assert.ok(!name.includes('canary') && !Buffer.from(name.slice(4), 'base64url').toString('latin1').includes('canary'))
  assert.notEqual(createSealer([c]).names('rdt', 'canary')[0], name)
})

test('there are as many keys as were given; one that was not is a bug', () => {
  assert.equal(createSealer([a]).keys, 1)
  assert.equal(createSealer([a, b]).keys, 2)
  assert.throws(() => createSealer([a]).seal(1, 'name 1', 'x'), /no such key/)
})
