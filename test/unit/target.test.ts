import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { recognise } from '../../src/sp-api/recognise.ts'
import { readings } from '../../src/sp-api/target.ts'
import { fill, shippedCatalogue, shippedOperations } from '../support/catalogue.ts'

const kindOf = (target: string, method = 'GET'): string => {
  const found = recognise(shippedCatalogue, method, target)
  return found.kind === 'restricted' ? found.operation.id : found.kind
}
const ORDER = '/orders/v0/orders/1'

const UNSAFE: Readonly<Record<string, readonly string[]>> = {
  'absolute form, authority form, asterisk form': ['http://evil.example/orders/v0/orders', 'evil.example:443', '*', ''],
  'dot segments': ['/orders/v0/orders/.', '/orders/v0/x/../orders', '/..', '/./orders/v0/orders'],
  'encoded dot segments': ['/orders/v0/%2e%2E/orders', '/orders/v0/.%2e/x', '/%2e/orders/v0/orders', '/a/%2e'],
  'empty segments': ['//orders/v0/orders', '/orders//v0/orders', '/orders/v0/orders//', '//', '/x//y'],
  backslashes: ['/orders\\v0\\orders', '/listings/a\\b'],
  'control characters': ['/orders/v0/or\tders', '/a\u0000b', '/a\u007fb', '/a\u0085b'],
  'encoded control characters': ['/orders/v0/orders/%00', '/a%0d%0ab', '/a%1F', '/a%7f'],
  fragments: ['/orders/v0/orders#x', '/sellers/v1/x?y#z'],
  'broken percent-encoding': ['/a%', '/a%4', '/a%zz', '/orders/v0/orders/%g1'],
  'an encoded slash that could make it restricted': [
    `/orders/v0/orders%2F1`,
    '/orders%2fv0%2Forders',
    `${ORDER}%2Faddress`,
  ],
  'an encoded backslash that could make it restricted': ['/orders/v0/orders%5C1', `${ORDER}%5caddress`],
  'encoded slashes that climb into a restricted path': [
    '/a/b%2F..%2F..%2Forders/v0/orders',
    '/a%2F..%2F%2Forders/v0/orders',
  ],
  'double encoding that could make it restricted': [
    '/orders/v0/orders%252F1',
    '/%256Frders/v0/orders',
    '/x%252f%252e%252e%252forders/v0/orders',
  ],
  'path parameters that some readers drop': [
    '/orders;a=b/v0/orders',
    `${ORDER};v=1`,
    '/orders/v0/orders%3Bx',
    '/a/..;/orders/v0/orders',
  ],
  'one kind of slash read and not the other': ['/orders/v0%2Forders/1%5C2', '/orders/v0%5Corders/1%2F2'],
  'characters that a URL must not hold, in a restricted path': [
    '/orders/v0/orders/{orderId}',
    '/orders/v0/orders/a|b',
    '/orders/v0/orders/%7BorderId%7D',
    '/orders/v0/orders/%C0%AF',
    '/orders/v0/orders/\u00e9',
  ],
  'overlong UTF-8 of any length': [
    '/orders%e0%80%afv0/orders',
    '/orders/v0%f0%80%80%aforders',
    '/orders/v0%f8%80%80%80%aforders',
    '/orders/v0%fc%80%80%80%80%aforders',
    '/o%c1%b2ders;/v0/orders%c0%af1',
    '/x/%c0%ae%e0%80%ae/orders/v0/orders',
    '/orders%c0%a52fv0/orders',
  ],
  'one reader behind another': [
    '/x%5c..;%5corders/v0/orders',
    '/;a%2f%2fb/orders/v0/orders',
    '/%5C%2fa/orders/v0/orders',
    '/x/..;%c0%af%2fa/orders/v0/orders',
  ],
  'a space at the end': [`${ORDER}%20`, '/orders/v0/orders%20%20/'],
  'encoding over and over': [`/a%${'25'.repeat(5)}2Fb`],
}
for (const [what, targets] of Object.entries(UNSAFE)) {
  test(`refused: ${what}`, () => {
    for (const target of targets) assert.equal(kindOf(target), 'unsafe', JSON.stringify(target))
  })
}

test('what is plainly unrestricted passes', () => {
  const targets = [
    '/',
    '/sellers/v1/marketplaceParticipations',
    '/listings/2021-08-01/items/SELLER/a%2Fb',
    '/listings/2021-08-01/items/SELLER/a%5Cb;c|d%25%C3%A9',
    '/listings/2021-08-01/items/SELLER/100%25%20cotton',
    '/listings/2021-08-01/items/SELLER/.hidden/...',
    '/catalog/2022-04-01/items?keywords=%2F..%2F&x=%',
    '/Orders/v0/orders',
    '/orders/v0/orders/1/shipment',
  ]
  for (const target of targets) assert.equal(kindOf(target), 'open', target)
})

test('an encoded slash under another method of the same path is harmless', () => {
  assert.equal(kindOf(`${ORDER}%2Faddress`, 'PUT'), 'open')
})

test('one spelling per resource: trailing slash dropped, unreserved characters written out, the query left alone', () => {
  const spelled = (target: string) => {
    const found = recognise(shippedCatalogue, 'GET', target)
    return found.kind === 'restricted' ? found.target.path + found.target.query : found.kind
  }
  assert.equal(spelled('/orders/v0/orders/?a=%41/'), '/orders/v0/orders?a=%41/')
  assert.equal(spelled('/orders/v0/%6f%72ders/%31%2D2/address/'), '/orders/v0/orders/1-2/address')
  assert.equal(spelled('/orders/v0/orders/a%20b'), '/orders/v0/orders/a%20b')
  assert.equal(spelled('/orders/v0/orders/1?'), '/orders/v0/orders/1?')
})

test('a hostile path has a bounded number of readings, or is refused', () => {
  assert.equal(kindOf(`/${'%2f%2fa'.repeat(60)}`), 'unsafe')
  for (const tail of [
    '%25'.repeat(20_000),
    '%252F'.repeat(12_000),
    '%2f;'.repeat(8000),
    '%25252525'.repeat(9),
    '%c0%af;%5C%25%20'.repeat(900),
  ]) {
    assert.ok((readings(`/orders/v0/orders/${tail}`) ?? []).length <= 200)
  }
})

test('nor does reading it take long, even where limits.urlBytes lets it be as long as it may', () => {
  for (const tail of ['%20', '%2525%252f;%3b%5c%c0%af%3f', '%c0%af%e0%80%af%252e%3b']) {
    const path = `/x${tail.repeat(16_384 / tail.length)}`
    const times = Array.from({ length: 5 }, () => {
      const from = process.cpuUsage()
      recognise(shippedCatalogue, 'GET', path)
      return process.cpuUsage(from).user / 1000
    })
    assert.ok(Math.min(...times) < 75, `${Math.min(...times)} ms for ${tail}`)
  }
})

// What an independent reader makes of a path: decoded any number of times, split at anything like a slash, dots resolved.
const lenientReading = (path: string): string => {
  let text = path
  for (let i = 0; i < 6; i += 1) {
    text = text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  const out: string[] = []
  for (const part of text.split(/[/\\]/).map((part) => part.replace(/;.*/, ''))) {
    if (part === '..') out.pop()
    else if (part !== '' && part !== '.') out.push(part)
  }
  return `/${out.join('/')}`
}
const hidden = fc
  .tuple(fc.constantFrom(...shippedOperations), fc.infiniteStream(fc.nat(11)))
  .map(([operation, choices]) => {
    const next = () => choices.next().value ?? 0
    const disguise = (character: string): string => {
      const hex = character.charCodeAt(0).toString(16).padStart(2, '0')
      if (character === '/')
        return ['/', '/', '/', '/', '%2F', '%5C', '\\', '//', '/./', '/x/../', '%252f', '/'][next()] ?? '/'
      return [`%${hex}`, `%25${hex}`, ...Array(10).fill(character)][next()]
    }
    return { operation, target: [...fill(operation.path, 'A-1')].map(disguise).join('') }
  })

test('property: however a restricted path is disguised, it is restricted or refused, never open', () => {
  fc.assert(
    fc.property(hidden, ({ operation, target }) => {
      if (lenientReading(target) !== fill(operation.path, 'A-1') || !target.startsWith('/')) return
      assert.notEqual(kindOf(target, operation.method), 'open', target)
    }),
    { numRuns: 5000 },
  )
})

test('property: what is recognised as restricted has exactly one spelling, which reads as itself', () => {
  fc.assert(
    fc.property(hidden, ({ operation, target }) => {
      const found = recognise(shippedCatalogue, operation.method, target)
      if (found.kind !== 'restricted') return
      assert.equal(lenientReading(found.target.path), found.target.path)
      const again = recognise(shippedCatalogue, operation.method, found.target.path)
      assert.ok(
        again.kind === 'restricted' && again.target.path === found.target.path && again.operation === found.operation,
      )
    }),
    { numRuns: 5000 },
  )
})

test('property: nothing makes the parser throw', () => {
  const text = fc.string({
    unit: fc.constantFrom('/', '%', '2', 'F', 'e', '.', '\\', ';', '?', '#', 'a', '{', '\u0000', '\u00ff'),
  })
  fc.assert(
    fc.property(text, (tail) => void kindOf(`/${tail}`)),
    { numRuns: 5000 },
  )
})
