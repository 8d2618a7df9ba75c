import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { createCredentials } from '../../src/rdt/credential.ts'
import {
  type DocumentStanding,
  keyOf,
  type Need,
  type Policy,
  planCall,
  type RestrictedResource,
  resourcesIn,
  type Steering,
  without,
} from '../../src/rdt/need.ts'
import { createCatalogue, DATA_ELEMENTS, type Operation } from '../../src/sp-api/operations.ts'
import { recognise } from '../../src/sp-api/recognise.ts'
import { shippedCatalogue, shippedOperations } from '../support/catalogue.ts'

const POLICY: Policy = {
  scope: 'generic',
  dataElements: ['buyerInfo', 'shippingAddress'],
  onMintFailure: 'reject',
  onRefusedElements: 'reject',
  sandbox: false,
  targetApplication: null,
}
type Extra = {
  policy?: Partial<Policy>
  steering?: Steering
  callerHasRdt?: boolean
  sandboxEndpoint?: boolean
  catalogue?: ReturnType<typeof createCatalogue>
  document?: DocumentStanding
}

const plan = (
  request: string,
  {
    policy,
    steering = {},
    callerHasRdt = false,
    sandboxEndpoint = false,
    catalogue = shippedCatalogue,
    document,
  }: Extra = {},
) => {
  const [method = '', target = ''] = request.split(' ')
  const recognition = recognise(catalogue, method, target)
  assert.ok(recognition.kind !== 'unsafe')
  return planCall({ ...POLICY, ...policy }, { recognition, method, steering, callerHasRdt, sandboxEndpoint, document })
}
const needOf = (request: string, extra?: Extra): Need & { readonly resource: RestrictedResource } => {
  const made = plan(request, extra)
  assert.ok(made.kind === 'swap', JSON.stringify(made))
  const [resource] = made.need.resources
  assert.ok(resource && made.need.resources.length === 1)
  return { ...made.need, resource }
}

test('generic scope asks for the template, with the elements the operation takes and no others', () => {
  const { resource } = needOf('GET /orders/v0/orders/1')
  assert.deepEqual(resource, {
    method: 'GET',
    path: '/orders/v0/orders/{orderId}',
    dataElements: ['buyerInfo', 'shippingAddress'],
  })
  assert.deepEqual(needOf('GET /orders/v0/orders/1/orderItems').resource.dataElements, ['buyerInfo'])
  assert.equal('dataElements' in needOf('GET /orders/v0/orders/1/address').resource, false)
})

test('specific scope asks for the one resource, in its one spelling and without the query', () => {
  const path = needOf('GET /orders/v0/orders/%31/address/?x=y', { policy: { scope: 'specific' } }).resource.path
  assert.equal(path, '/orders/v0/orders/1/address')
})

test('a report document is always a specific resource', () => {
  for (const scope of ['generic', 'specific'] as const) {
    const { path } = needOf('GET /reports/2021-06-30/documents/amzn1.spdoc.1', {
      policy: { scope },
      steering: { scope },
    }).resource
    assert.equal(path, '/reports/2021-06-30/documents/amzn1.spdoc.1')
  }
})

test('header, then row, then configuration say the scope and the elements', () => {
  const rows = shippedOperations.map(
    (row): Operation =>
      row.id === 'orders-v0.getOrder' ? { ...row, scope: 'specific', dataElements: ['buyerTaxInformation'] } : row,
  )
  const catalogue = createCatalogue(rows)
  const byRow = needOf('GET /orders/v0/orders/1', { catalogue }).resource
  assert.deepEqual(byRow, { method: 'GET', path: '/orders/v0/orders/1', dataElements: ['buyerTaxInformation'] })
  const steering: Steering = { scope: 'generic', dataElements: [] }
  const byHeader = needOf('GET /orders/v0/orders/1', { catalogue, steering }).resource
  assert.deepEqual(byHeader, { method: 'GET', path: '/orders/v0/orders/{orderId}', dataElements: [] })
})

test('elements asked for by header are cut to what the operation takes', () => {
  const steering: Steering = { dataElements: ['shippingAddress', 'buyerInfo'] }
  assert.deepEqual(needOf('GET /orders/v0/orders/1/orderItems', { steering }).resource.dataElements, ['buyerInfo'])
  assert.equal(needOf('GET /mfn/v0/shipments/1', { steering }).resource.dataElements, undefined)
})

test("a caller's own RDT goes before everything", () => {
  const made = plan('GET /orders/v0/orders/1', { callerHasRdt: true, steering: { mode: 'force' } })
  assert.deepEqual(made, { kind: 'pass', verdict: 'caller-rdt' })
})

test('skipped: by header, by row (unless the header says auto), on a sandbox (unless configured)', () => {
  const skipping = createCatalogue(shippedOperations.map((row): Operation => ({ ...row, mode: 'skip' })))
  const reason = (extra: Extra) => {
    const made = plan('GET /orders/v0/orders/1', extra)
    return made.kind === 'pass' ? `${made.verdict};${made.reason}` : made.kind
  }
  assert.equal(reason({ steering: { mode: 'skip' } }), 'skipped;header')
  assert.equal(reason({ catalogue: skipping }), 'skipped;operation')
  assert.equal(reason({ catalogue: skipping, steering: { mode: 'auto' } }), 'swap')
  assert.equal(reason({ sandboxEndpoint: true }), 'skipped;sandbox')
  assert.equal(reason({ sandboxEndpoint: true, policy: { sandbox: true } }), 'swap')
})

test('what a sandbox mints shares its mint with nothing', () => {
  const sandbox = needOf('GET /orders/v0/orders/1', { sandboxEndpoint: true, policy: { sandbox: true } })
  assert.deepEqual([sandbox.exact, needOf('GET /orders/v0/orders/1').exact], [true, undefined])
  assert.equal(needOf('GET /orders/v0/orders/1', { sandboxEndpoint: true, steering: { mode: 'force' } }).exact, true)
})

test('a report document: unsure unless its type is known to be restricted', () => {
  const made = (document: 'restricted' | 'unrestricted' | 'unknown') => {
    const one = plan('GET /reports/2021-06-30/documents/x', { document })
    return one.kind === 'swap' && [one.document, one.need.unsure]
  }
  assert.deepEqual(made('restricted'), ['restricted', false])
  assert.deepEqual(made('unknown'), ['unknown', true])
  assert.deepEqual(made('unrestricted'), ['unrestricted', true])
})

test('force mints a specific RDT for any path, but for none that can be read in two ways', () => {
  const steering: Steering = { mode: 'force' }
  assert.deepEqual(needOf('GET /sellers/v1/x', { steering }).resource, { method: 'GET', path: '/sellers/v1/x' })
  assert.equal(needOf('GET /orders/v0/orders/1', { steering }).resource.path, '/orders/v0/orders/1')
  assert.equal(plan('GET /listings/2021-08-01/items/S/a%2Fb', { steering }).kind, 'unsafe')
})

test('the configuration says whether elements that Amazon refuses are dropped', () => {
  const drops = (onRefusedElements: Policy['onRefusedElements']) => {
    const made = plan('GET /orders/v0/orders/1', { policy: { onRefusedElements } })
    return made.kind === 'swap' && made.dropRefusedElements
  }
  assert.deepEqual([drops('reject'), drops('drop')], [false, true])
})

test('the row says what happens when no RDT can be had, else the configuration', () => {
  const rows = shippedOperations.map(
    (row): Operation => (row.id === 'orders-v0.getOrder' ? { ...row, onMintFailure: 'forward' } : row),
  )
  const catalogue = createCatalogue(rows)
  const failure = (request: string) => {
    const made = plan(request, { catalogue })
    return made.kind === 'swap' && made.onMintFailure
  }
  assert.equal(failure('GET /orders/v0/orders/1'), 'forward')
  assert.equal(failure('GET /orders/v0/orders/1/address'), 'reject')
})

const needs = fc.record({
  origin: fc.constantFrom('https://a', 'https://b'),
  credential: fc.constantFrom('c1', 'c2', 'c1"'),
  method: fc.constantFrom('GET', 'POST'),
  path: fc.constantFrom('/a', '/a","/b', '/b', '/a/{x}'),
  elements: fc.option(fc.subarray([...DATA_ELEMENTS]), { nil: undefined }),
  target: fc.option(fc.constantFrom('amzn1.a', 'amzn1.b'), { nil: undefined }),
})
type Parts = typeof needs extends fc.Arbitrary<infer T> ? T : never
const key = (parts: Parts): string =>
  keyOf(parts.origin, parts.credential, {
    resources: [{ method: parts.method, path: parts.path, ...(parts.elements && { dataElements: parts.elements }) }],
    targetApplication: parts.target,
  })

test('property: two needs share a key exactly when nothing a token depends on differs', () => {
  const meaning = (parts: Parts) => JSON.stringify({ ...parts, elements: parts.elements?.toSorted() ?? 'none asked' })
  fc.assert(
    fc.property(needs, needs, (a, b) => assert.equal(key(a) === key(b), meaning(a) === meaning(b))),
    { numRuns: 5000 },
  )
})

test('property: plans that are kept are those that would be made anew, and so are their keys', () => {
  const policies: readonly Policy[] = [
    POLICY,
    { ...POLICY, dataElements: ['buyerInfo'] },
    { ...POLICY, scope: 'specific', onRefusedElements: 'drop' },
    { ...POLICY, sandbox: true, onMintFailure: 'forward', targetApplication: 'amzn1.a' },
  ]
  const rows = shippedOperations.map((row) =>
    row.id.endsWith('getOrderAddress') ? { ...row, scope: 'specific' as const } : row,
  )
  const catalogue = createCatalogue(rows)
  const requests = [
    '/orders/v0/orders/1',
    '/orders/v0/orders/2',
    '/orders/v0/orders/1/address',
    '/orders/v0/orders/2/address',
  ]
  const calls = fc.record({
    policy: fc.constantFrom(...policies),
    target: fc.constantFrom(...requests, '/catalog/2022-04-01/items/1'),
    steering: fc.constantFrom<Steering>(
      {},
      {},
      { mode: 'force' },
      { scope: 'specific' },
      { dataElements: [] },
      { targetApplication: 'amzn1.b' },
    ),
    sandboxEndpoint: fc.boolean(),
    document: fc.constantFrom<DocumentStanding | undefined>(undefined, undefined, 'unknown', 'restricted'),
  })
  fc.assert(
    fc.property(fc.array(calls, { minLength: 2, maxLength: 20 }), (several) => {
      for (const { policy, target, ...wish } of several) {
        const recognition = recognise(catalogue, 'GET', target)
        assert.ok(recognition.kind !== 'unsafe')
        const situation = { recognition, method: 'GET', callerHasRdt: false, ...wish }
        const made = planCall(policy, situation)
        assert.deepEqual(made, planCall({ ...policy }, situation))
        if (made.kind !== 'swap') continue
        for (const need of [
          made.need,
          without(made.need, ['buyerInfo']),
          { ...made.need, targetApplication: 'amzn1.c' },
        ])
          assert.equal(keyOf('https://a', 'c1', need), keyOf('https://a', 'c1', structuredClone(need)))
      }
    }),
    { numRuns: 500 },
  )
})

test('property: a key tells the resources it was made from, one or several', () => {
  const text = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
  fc.assert(
    fc.property(fc.array(needs, { minLength: 1, maxLength: 4 }), (parts) => {
      const several = keyOf('https://a', 'c1', { resources: parts.map(({ method, path }) => ({ method, path })) })
      assert.deepEqual(resourcesIn(several).map(text).sort(), parts.map(text).sort())
      for (const one of parts) assert.deepEqual(resourcesIn(key(one)).map(text), [text(one)])
    }),
  )
})

test('property: the order of elements does not change the key', () => {
  fc.assert(
    fc.property(needs, (parts) => assert.equal(key(parts), key({ ...parts, elements: parts.elements?.toReversed() }))),
  )
})

test('a token that is shown again is not hashed again, but is kept no longer than it must, nor if Amazon has none so long', async () => {
  const { identify } = createCredentials('key', 50)
  const [first, second] = [identify('Atza|one'), identify('Atza|two')]
  assert.notEqual(first.id, second.id)
  assert.equal(identify('Atza|one'), first)
  assert.equal(identify('Atza|two'), second)
  await delay(100)
  assert.notEqual(identify('Atza|one'), first)
  assert.deepEqual(identify('Atza|one'), first)
  const long = `Atza|${'x'.repeat(5000)}`
  assert.notEqual(identify(long), identify(long))
})

test('a credential is named by a keyed hash: stable in a process, another in the next, and never the token', () => {
  const [here, there] = [createCredentials(), createCredentials()]
  const token = 'Atza|canary-of-a-token'
  assert.equal(here.identify(token).id, here.identify(token).id)
  assert.notEqual(here.identify(token).id, there.identify(token).id)
  assert.notEqual(here.identify(token).id, here.identify(`${token}x`).id)
  assert.match(here.identify(token).id, /^[0-9a-f]{64}$/)
})
