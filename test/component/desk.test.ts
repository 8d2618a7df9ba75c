import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after } from '../support/many.ts'
import { type Minting, rdtOf, refused, startMinting, token, type Wire } from '../support/minting.ts'

const ELEMENTS_DENIED = 'Application does not have access to one or more requested data elements: [shippingAddress]'
const ROLE_DENIED = 'Application do not have access to some or all requested resource'
const SHARED = { maxResources: 50, burst: 10, ratePerSecond: 50 }

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const sizes = ({ paths }: Minting): readonly number[] => paths().map((batch) => batch.length)
/** Amazon's rule: a mint that holds a path of `guilty` is refused whole. */
const refusing =
  (guilty: readonly string[], message: string, status = 400): Wire =>
  async (n, { restrictedResources }) =>
    restrictedResources.some(({ path }) => guilty.includes(path)) ? refused(message, status) : token(n)

test('resources that wait at the same moment share a mint, each under its own key', async () => {
  const made = startMinting(async (n) => token(n), SHARED)
  const results = await Promise.all(many(20, (i) => made.get(`/${i}`)))
  assert.deepEqual(new Set(results.map(rdtOf)), new Set(['minted Atz.sprdt|1']))
  assert.deepEqual(sizes(made), [20])
  const again = await Promise.all(many(20, (i) => made.get(`/${i}`)))
  assert.deepEqual(new Set(again.map(rdtOf)), new Set(['hit Atz.sprdt|1']))
  assert.equal(rdtOf(await made.get('/other')), 'minted Atz.sprdt|2')
})

test('a mint holds maxResources at most; 1 turns sharing off', async () => {
  for (const [maxResources, expected] of [
    [8, [8, 8, 4]],
    [1, many(20, () => 1)],
  ] as const) {
    const made = startMinting(async (n) => token(n), { ...SHARED, burst: 20, maxResources })
    await Promise.all(many(20, (i) => made.get(`/${i}`)))
    assert.deepEqual(sizes(made), expected)
  }
})

test('a lone resource leaves after batchWindowMs, and those who come meanwhile go with it', async () => {
  const made = startMinting(async (n) => token(n), { ...SHARED, batchWindowMs: 80 })
  const from = performance.now()
  const first = made.get('/a')
  await after(40)
  const second = made.get('/b')
  await Promise.all([first, second])
  const waited = (made.sent[0]?.at ?? 0) - from
  assert.ok(waited >= 78 && waited < 300, `${waited} ms`)
  assert.deepEqual(made.paths(), [['/a', '/b']])
})

test('a crowd that trickles in does not use up the burst in small mints', async () => {
  const made = startMinting(async (n) => token(n), { ...SHARED, ratePerSecond: 1, maxWaitMs: 10_000 })
  const calls: Promise<unknown>[] = []
  for (let i = 0; i < 500; i += 2) {
    calls.push(made.get(`/${i}`), made.get(`/${i + 1}`))
    await after(1)
  }
  await Promise.all(calls)
  assert.ok(made.calls() <= 14, `${made.calls()} mints: ${sizes(made)}`)
})

test('who comes alone again and again is never held back longer than the window', async () => {
  const made = startMinting(async (n) => token(n), { ...SHARED, batchWindowMs: 20 })
  const from = performance.now()
  for (let i = 0; i < 8; i += 1) await made.get(`/${i}`, { need: { operation: `op${i}` } })
  assert.ok(performance.now() - from < 8 * 60, `${performance.now() - from} ms`)
})

test('no mint is shared across credentials, endpoints, or target applications', async () => {
  const made = startMinting(async (n) => token(n), SHARED)
  await Promise.all([
    made.get('/a'),
    made.get('/b', { credential: 'c2' }),
    made.get('/c', { origin: 'https://eu' }),
    made.get('/d', { need: { targetApplication: 'amzn1.x' } }),
  ])
  assert.deepEqual(sizes(made), [1, 1, 1, 1])
  assert.deepEqual(
    made.sent.map(({ targetApplication }) => targetApplication).filter((one) => one !== undefined),
    ['amzn1.x'],
  )
})

test('one operation with different data elements is never in one mint', async () => {
  const made = startMinting(async (n) => token(n), SHARED)
  const asking = (path: string, ...dataElements: ('buyerInfo' | 'shippingAddress')[]) =>
    made.get(path, { need: { resources: [{ method: 'GET', path, dataElements }] } })
  await Promise.all([
    asking('/{id}', 'buyerInfo'),
    asking('/1', 'buyerInfo', 'shippingAddress'),
    asking('/2', 'buyerInfo'),
  ])
  assert.deepEqual(made.paths(), [['/{id}', '/2'], ['/1']])
})

test('of an operation that was never granted one mint flies ahead: two hundred refused calls cost one', async () => {
  const made = startMinting(
    refusing(
      many(200, (i) => `/${i}`),
      ROLE_DENIED,
    ),
    { ...SHARED, maxQueue: 1000 },
  )
  const results = await Promise.all(many(200, (i) => made.get(`/${i}`)))
  assert.ok(results.every(({ kind }) => kind === 'refused'))
  assert.equal((await made.get('/another')).kind, 'refused')
  assert.equal(made.calls(), 1)
})

test('once it was granted, mints fly side by side', async () => {
  let answer = () => {}
  const together = new Promise<void>((resolve) => {
    answer = resolve
  })
  const made = startMinting(
    async (n) => {
      if (n === 4) answer() // were they to fly one after the other, this would never come
      if (n > 1) await together
      return token(n)
    },
    { ...SHARED, maxResources: 10 },
  )
  await made.get('/first')
  const results = await Promise.all(many(30, (i) => made.get(`/${i}`)))
  assert.ok(results.every(({ kind }) => kind === 'token'))
})

test('a credential that Amazon does not take costs one mint, whatever is asked for', async () => {
  const expired = 'The access token you provided has expired.'
  const made = startMinting(async () => refused('Access to requested resource is denied.', 403, expired), SHARED)
  const all = await Promise.all(many(9, (i) => made.get(`/${i}`, { need: { operation: `op${i}` } })))
  assert.ok(all.every((result) => result.kind === 'refused' && result.details === expired))
  await made.get('/later', { need: { operation: 'later' } })
  assert.equal(made.calls(), 1)
  assert.equal(made.lookups.at(-1), 'negative')
  await made.get('/later', { credential: 'renewed', need: { operation: 'later' } })
  assert.equal(made.calls(), 2, 'a new credential is asked for anew')
})

test('a refused batch: named elements point at the guilty, the innocent get theirs in one mint more', async () => {
  const made = startMinting(
    async (n, { restrictedResources }) =>
      restrictedResources.some(({ dataElements }) => dataElements?.includes('shippingAddress'))
        ? refused(ELEMENTS_DENIED)
        : token(n),
    SHARED,
  )
  const order = made.get('/o', {
    need: {
      operation: 'order',
      resources: [{ method: 'GET', path: '/o', dataElements: ['buyerInfo', 'shippingAddress'] }],
    },
  })
  const others = many(6, (i) => made.get(`/${i}`, { need: { operation: `op${i}` } }))
  assert.equal((await order).kind, 'refused')
  for (const other of others) assert.equal(rdtOf(await other), 'minted Atz.sprdt|2')
  assert.deepEqual(sizes(made), [7, 6])
})

test('a refused batch without a hint is halved: sixteen operations, one guilty, far fewer than sixteen mints', async () => {
  const made = startMinting(refusing(['/11'], ROLE_DENIED), SHARED)
  const results = await Promise.all(many(16, (i) => made.get(`/${i}`, { need: { operation: `op${i}` } })))
  results.forEach((result, i) => {
    assert.equal(result.kind, i === 11 ? 'refused' : 'token', `/${i}`)
  })
  assert.ok(made.calls() <= 6, `${made.calls()} mints: ${sizes(made)}`)
})

test('each of several guilty gets the words that were meant for it', async () => {
  const words: Readonly<Record<string, string>> = { '/1': 'Wrong in one way', '/2': 'Wrong in another' }
  const made = startMinting(async (n, { restrictedResources }) => {
    const bad = restrictedResources.find(({ path }) => path in words)
    return bad ? refused(words[bad.path] ?? '') : token(n)
  }, SHARED)
  const results = await Promise.all(many(4, (i) => made.get(`/${i}`)))
  assert.deepEqual(
    results.map((result) => (result.kind === 'refused' ? result.message : result.kind)),
    ['token', 'Wrong in one way', 'Wrong in another', 'token'],
  )
})

test('words that nobody knows accuse the one resource, not its whole operation', async () => {
  const made = startMinting(refusing(['/3'], 'Something new'), SHARED)
  const results = await Promise.all(many(8, (i) => made.get(`/${i}`)))
  assert.deepEqual(
    results.map(({ kind }) => kind),
    many(8, (i) => (i === 3 ? 'refused' : 'token')),
  )
})

test('who leaves while a batch is divided is accused of nothing, and accuses nobody', async () => {
  let leave = () => {}
  const guilty = refusing(['/guilty'], 'Something new')
  const made = startMinting(async (n, sent) => {
    if (n === 1) leave()
    return guilty(n, sent)
  }, SHARED)
  const gone = made.get('/guilty', {
    whenGone: (listener) => {
      leave = listener
    },
  })
  const others = many(3, (i) => made.get(`/${i}`))
  assert.equal((await gone).kind, 'abandoned')
  for (const other of others) assert.equal((await other).kind, 'token')
  assert.equal((await made.get('/guilty')).kind, 'refused')
})

test('a batch that meets a 429 or a failure is tried again as one', async () => {
  const made = startMinting(async (n) => {
    if (n === 1) return new Response('', { status: 429 })
    if (n === 2) return new Response('', { status: 503 })
    return token(n)
  }, SHARED)
  const results = await Promise.all(many(5, (i) => made.get(`/${i}`)))
  assert.ok(results.every(({ kind }) => kind === 'token'))
  assert.deepEqual(sizes(made), [5, 5, 5])
})

test('what a caller mints for itself shares its mint with nobody, and serves others afterwards', async () => {
  const made = startMinting(async (n) => token(n), SHARED)
  const own = { resources: ['/x', '/y'].map((path) => ({ method: 'GET', path })), operation: undefined, exact: true }
  const [, exact] = await Promise.all([
    made.get('/a'),
    made.get('/x', { need: own, trigger: 'caller' }),
    made.get('/b'),
  ])
  assert.ok(exact.kind === 'token' && exact.rdt.resources === 2)
  assert.deepEqual(made.paths().toSorted(), [
    ['/a', '/b'],
    ['/x', '/y'],
  ])
  assert.match(rdtOf(await made.get('/y')), /^hit/)
  const turned = { ...own, resources: own.resources.toReversed() }
  assert.match(rdtOf(await made.get('/x', { need: turned, trigger: 'caller' })), /^hit/)
  assert.equal(made.calls(), 2)
})

test('an RDT that opens more than was asked for is not handed to a caller who mints for itself', async () => {
  const made = startMinting(async (n) => token(n), SHARED)
  await Promise.all([made.get('/a'), made.get('/b')])
  const exact = await made.get('/a', { need: { exact: true }, trigger: 'caller' })
  assert.equal(rdtOf(exact), 'minted Atz.sprdt|2')
  assert.deepEqual(made.paths(), [['/a', '/b'], ['/a']])
  await made.get('/c')
  assert.match(rdtOf(await made.get('/c', { need: { exact: true }, trigger: 'caller' })), /^hit/, 'minted alone: exact')
})

test('a caller who mints for itself joins a flight that was shared only to see it, then asks for its own', async () => {
  const made = startMinting(async (n) => token(n), { ...SHARED, batchWindowMs: 20 })
  const shared = [made.get('/a'), made.get('/b')]
  const exact = await made.get('/a', { need: { exact: true }, trigger: 'caller' })
  await Promise.all(shared)
  assert.equal(rdtOf(exact), 'minted Atz.sprdt|2')
  assert.deepEqual(sizes(made), [2, 1])
})

test('a Tokens API that is down is probed, not hammered, and comes back by itself', async () => {
  let up = false
  const made = startMinting(async (n) => (up ? token(n) : new Response('', { status: 500 })), SHARED)
  const first = await made.get('/a')
  assert.equal(first.kind, 'unavailable')
  const results = await Promise.all(many(50, (i) => made.get(`/${i}`)))
  assert.ok(results.every(({ kind }) => kind === 'unavailable'))
  assert.equal(made.calls(), 5)
  const refusedAtOnce = await made.get('/b')
  assert.ok(refusedAtOnce.kind === 'unavailable' && refusedAtOnce.retryAfterS >= 1)
  assert.equal(made.calls(), 5)
  made.advance(1100)
  await Promise.all(many(20, (i) => made.get(`/${i}`)))
  assert.equal(made.calls(), 6, 'one probe for them all')
  up = true
  made.advance(2100)
  assert.equal(rdtOf(await made.get('/c')), 'minted Atz.sprdt|7')
})

test('a full queue is told at once; those who left do not count', async () => {
  const made = startMinting(async (n) => token(n), {
    ...SHARED,
    burst: 1,
    ratePerSecond: 5,
    maxResources: 1,
    maxQueue: 2,
  })
  await made.get('/first')
  const leave: (() => void)[] = []
  const waiting = many(2, (i) => made.get(`/${i}`, { whenGone: (listener) => void leave.push(listener) }))
  await after(10)
  assert.equal((await made.get('/third')).kind, 'throttled')
  leave[0]?.()
  assert.equal((await made.get('/fourth')).kind, 'token')
  await Promise.all(waiting)
})

test('those who wait for a scout are told what it is doing: a Tokens API that hangs is not the usage plan', async () => {
  const made = startMinting(() => new Promise(() => {}), { ...SHARED, maxWaitMs: 300, timeoutMs: 5000 })
  const early = many(3, (i) => made.get(`/${i}`))
  await after(100)
  const late = made.get('/late')
  for (const result of await Promise.all([...early, late])) assert.equal(result.kind, 'unavailable')
  assert.equal(made.calls(), 1)
})

test('those who waited for a scout wait for the usage plan once it is back', async () => {
  const slow: Wire = (n) => after(300).then(() => token(n))
  const made = startMinting(slow, { maxWaitMs: 1000, burst: 1, ratePerSecond: 1.1 })
  const [first, second] = await Promise.all([made.get('/a'), after(50).then(() => made.get('/b'))])
  assert.equal(rdtOf(first), 'minted Atz.sprdt|1')
  assert.equal(second.kind, 'throttled')
})

test('nothing is renewed once it is closed, and a renewal that waits is let go', async () => {
  const made = startMinting(async (n) => token(n, 2), { ...SHARED, marginMs: 0, refreshAfter: 0.5 })
  await made.get()
  made.advance(1050)
  await made.get()
  made.close()
  await after(400)
  assert.equal(made.calls(), 1)
  assert.equal(made.queued(), 0)
})

test('renewals do not keep callers out of a full queue', async () => {
  const options = {
    ...SHARED,
    marginMs: 0,
    refreshAfter: 0.5,
    maxResources: 1,
    maxQueue: 2,
    burst: 1,
    ratePerSecond: 5,
  }
  const made = startMinting(async (n) => token(n, 60), { ...options, maxWaitMs: 3000 })
  for (const path of ['/a', '/b']) await made.get(path)
  made.advance(31_000)
  for (const path of ['/a', '/b']) await made.get(path)
  const callers = await Promise.all([made.get('/c'), made.get('/d')])
  assert.deepEqual(
    callers.map(({ kind }) => kind),
    ['token', 'token'],
  )
})

test('while the Tokens API is down nobody waits for a turn only to be told so', async () => {
  const made = startMinting(async () => new Response('', { status: 500 }), {
    ...SHARED,
    burst: 5,
    ratePerSecond: 0.2,
    maxWaitMs: 9000,
  })
  await made.get('/a')
  await made.get('/b')
  const from = performance.now()
  assert.equal((await made.get('/c')).kind, 'unavailable')
  assert.ok(performance.now() - from < 1000, 'the next turn is five seconds away')
})

test('documents that keep turning out to be unrestricted are asked for one by one, and together again when they no longer do', async () => {
  const made = startMinting(
    async (n, { restrictedResources }) =>
      restrictedResources.some(({ path }) => path.startsWith('/open'))
        ? refused('Invalid or unsupported document ID found')
        : token(n),
    { ...SHARED, burst: 1000 },
  )
  const burst = async (name: string) => {
    const before = made.calls()
    await Promise.all(many(8, (i) => made.get(`/${name}${i}`, { need: { unsure: true } })))
    return made.calls() - before
  }
  assert.equal(await burst('open-a'), 15, 'halved to the end')
  assert.equal(await burst('open-b'), 8)
  assert.equal(await burst('closed-a'), 8)
  await burst('closed-b')
  assert.equal(await burst('closed-c'), 1)
})

test('a plan is forgotten when all its permits are back, whatever became of the mints', async () => {
  const wires: readonly Wire[] = [
    async (n) => token(n),
    async () => new Response('', { status: 500 }),
    async () => refused('No.'),
  ]
  for (const wire of wires) {
    const made = startMinting(wire, { ...SHARED, ratePerSecond: 100 })
    await Promise.all(many(30, (i) => made.get(`/${i}`, { credential: `c${i}` })))
    assert.ok(made.plans() > 0)
    await after(400)
    assert.equal(made.plans(), 0)
    await made.get('/late', { credential: 'late' }) // where the breaker is open, nothing is asked for
    await after(100)
    assert.equal(made.plans(), 0)
  }
})

test('nor is one kept whose permits are back before its mint has been told, as happens at a high rate on a busy machine', async () => {
  const made = startMinting(async () => refused('No.', 403, 'revoked'), {
    ...SHARED,
    ratePerSecond: 1000,
    batchWindowMs: 0,
  })
  const results: Promise<unknown>[] = []
  for (let i = 0; i < 300; i += 1) {
    results.push(made.get('/a', { credential: `c${i}` }))
    for (const until = performance.now() + 2; performance.now() < until; );
    if (i % 5 === 0) await after(0)
  }
  await Promise.all(results)
  for (let i = 0; made.plans() > 0 && i < 100; i += 1) await after(10)
  assert.equal(made.plans(), 0)
})
