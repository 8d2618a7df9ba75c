import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RdtResult } from '../../src/rdt/broker.ts'
import { after, until } from '../support/many.ts'
import { startMinting as build, rdtOf, refused, token, type Wire } from '../support/minting.ts'

test('fifty cold callers share one mint', async () => {
  const made = build(async (n) => token(n))
  const results = await Promise.all(Array.from({ length: 50 }, () => made.get()))
  assert.deepEqual(new Set(results.map(rdtOf)), new Set(['minted Atz.sprdt|1']))
  assert.equal(made.calls(), 1)
  assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  assert.equal(made.lookups.filter((result) => result === 'coalesced').length, 49)
})

test('callers with another credential, endpoint or resource share nothing', async () => {
  const made = build(async (n) => token(n))
  await Promise.all([
    made.get(),
    made.get('/b'),
    made.get('/a', { credential: 'c2' }),
    made.get('/a', { origin: 'https://eu' }),
  ])
  assert.equal(made.calls(), 4)
})

test("the first caller's leaving does not fail the others", async () => {
  let leave = () => {}
  const made = build(async (n) => {
    leave()
    return token(n)
  })
  const first = made.get('/a', {
    whenGone: (listener) => {
      leave = listener
    },
  })
  const second = made.get()
  assert.equal((await first).kind, 'abandoned')
  assert.equal(rdtOf(await second), 'minted Atz.sprdt|1')
  assert.equal(made.calls(), 1)
})

test('a mint that every caller left before its turn is not made', async () => {
  const leave: (() => void)[] = []
  const made = build(async (n) => token(n), { burst: 1 })
  const first = made.get('/first')
  const others = [1, 2, 3].map((n) => made.get(`/${n}`, { whenGone: (listener) => void leave.push(listener) }))
  for (const one of leave) one()
  await Promise.all([first, ...others])
  assert.equal(rdtOf(await made.get('/last')), 'minted Atz.sprdt|2')
})

test('eviction does not fail a mint in flight', async () => {
  const answers: ((response: Response) => void)[] = []
  const made = build(() => new Promise((resolve) => void answers.push(resolve)), { maxEntries: 1 })
  const waiting = ['/a', '/b', '/c'].map((path) => made.get(path, { need: { operation: path } }))
  await until(() => answers.length === 3)
  for (const [i, answer] of answers.entries()) answer(token(i))
  assert.deepEqual((await Promise.all(waiting)).map(rdtOf).sort(), [
    'minted Atz.sprdt|0',
    'minted Atz.sprdt|1',
    'minted Atz.sprdt|2',
  ])
  assert.deepEqual(made.evictions, ['capacity', 'capacity'])
})

test('a token is never used with less life left than the margin', async () => {
  const made = build(async (n) => token(n))
  await made.get()
  made.advance(3_539_000)
  assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  made.advance(1500)
  assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|2')
  assert.deepEqual(made.evictions, ['expired'])
})

for (const expiresIn of [null, -5, 'soon', 90_000, 60, 30]) {
  test(`expiresIn ${expiresIn}: the token is used once and not cached`, async () => {
    const made = build(async (n) => token(n, expiresIn))
    assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|1')
    assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|2')
  })
}

test('a life is counted from before the mint was sent', async () => {
  const made = build(async (n) => {
    made.advance(10_000)
    return token(n)
  })
  await made.get()
  made.advance(3_529_500)
  assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  made.advance(1000)
  assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|2')
})

test('what passes by is tried again: server errors, resets, garbage', async () => {
  const wire: Wire = async (n) => {
    if (n === 1) return new Response('', { status: 503 })
    if (n === 2) throw new TypeError('fetch failed')
    return token(n)
  }
  const made = build(wire)
  assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|3')
  assert.deepEqual(made.outcomes, ['server_error', 'network', 'success'])
})

test('what lasts is told after three attempts', async () => {
  const made = build(async () => new Response('{}', { status: 200 }))
  const result = await made.get()
  assert.ok(result.kind === 'unavailable')
  assert.match(result.why, /200 without a readable token/)
  assert.equal(made.calls(), 3)
})

test('a refusal is final and costs one mint', async () => {
  const made = build(async () => Response.json({ errors: [{ code: 'InvalidInput', message: 'No.' }] }, { status: 400 }))
  const result = await made.get()
  assert.ok(result.kind === 'refused' && result.code === 'InvalidInput' && result.message === 'No.')
  assert.equal(made.calls(), 1)
})

test('a 429 is retried within the wait', async () => {
  const made = build(async (n) => (n < 3 ? new Response('', { status: 429 }) : token(n)))
  assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|3')
})

test('a 429 without end is told as throttled when the wait is over', async () => {
  const made = build(async () => new Response('', { status: 429 }), { maxWaitMs: 150, ratePerSecond: 100 })
  const result = await made.get()
  assert.ok(result.kind === 'throttled' && result.retryAfterS >= 1)
})

test('whoever would wait longer than allowed is told at once, with the seconds to wait', async () => {
  const made = build(async (n) => token(n), { burst: 1, ratePerSecond: 5, maxWaitMs: 500 })
  const results = await Promise.all([1, 2, 3, 4, 5].map((n) => made.get(`/${n}`)))
  assert.deepEqual(
    results.map(({ kind }) => kind),
    ['token', 'token', 'token', 'throttled', 'throttled'],
  )
  const last = results[4]
  assert.ok(last?.kind === 'throttled' && last.retryAfterS === 1)
})

test('a Tokens API that hangs is unavailable, not throttled', async () => {
  const made = build(() => new Promise(() => {}), { maxWaitMs: 100, timeoutMs: 5000 })
  const result = await made.get()
  assert.ok(result.kind === 'unavailable')
  assert.match(result.why, /did not answer in time/)
})

test('whose turn came when its patience was all but over had waited for the usage plan', async () => {
  const wire = (n: number) => (n === 1 ? Promise.resolve(token(n)) : after(400).then(() => token(n)))
  const made = build(wire, { burst: 1, ratePerSecond: 2, maxWaitMs: 750 })
  const [first, second] = await Promise.all([made.get('/a'), made.get('/b')])
  assert.equal(first.kind, 'token')
  assert.equal(second.kind, 'throttled')
})

test('a caller who comes while a mint hangs waits its own time, not what the first left over', async () => {
  let answer: (response: Response) => void = () => {}
  const made = build(
    () =>
      new Promise((resolve) => {
        answer = resolve
      }),
    { maxWaitMs: 200, timeoutMs: 5000 },
  )
  const first = made.get()
  await new Promise((resolve) => setTimeout(resolve, 120))
  const second = made.get()
  assert.equal((await first).kind, 'unavailable')
  answer(token(1))
  assert.equal(rdtOf(await second), 'minted Atz.sprdt|1')
})

test('who joins a mint that is being retried moves its deadline: it goes on for them', async () => {
  const from = performance.now()
  const wire: Wire = async (n) => (performance.now() - from < 1120 ? new Response('', { status: 429 }) : token(n))
  const made = build(wire, { maxWaitMs: 800, ratePerSecond: 80 })
  const first = made.get()
  await new Promise((resolve) => setTimeout(resolve, 600))
  const second = made.get()
  assert.equal((await first).kind, 'throttled')
  assert.match(rdtOf(await second), /^minted/)
})

test('a caller who comes in the very moment in which an unwanted mint is dropped is served all the same', async () => {
  let atDrop = () => {}
  const made = build(async (n) => token(n), { burst: 1, onDrop: () => atDrop() })
  let leave = () => {}
  await made.get('/first')
  const gone = made.get('/b', {
    whenGone: (listener) => {
      leave = listener
    },
  })
  const late = new Promise<RdtResult>((resolve) => {
    atDrop = () => resolve(made.get('/b'))
  })
  leave()
  assert.equal((await gone).kind, 'abandoned')
  assert.equal(rdtOf(await late), 'minted Atz.sprdt|2')
})

test('after a failure the next caller asks anew', async () => {
  const made = build(async (n) => (n <= 3 ? new Response('', { status: 500 }) : token(n)))
  assert.equal((await made.get()).kind, 'unavailable')
  assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|4')
})

test('a late complaint about an old token does not evict the one that has replaced it', async () => {
  const made = build(async (n) => token(n))
  await made.get()
  assert.equal(rdtOf(await made.replace('/a', 'Atz.sprdt|1')), 'minted Atz.sprdt|2')
  assert.equal(rdtOf(await made.replace('/a', 'Atz.sprdt|1')), 'hit Atz.sprdt|2')
  assert.equal(made.calls(), 2)
  assert.deepEqual(made.evictions, ['rejected'])
})

test('dropping a token that several share leaves alone those who have a newer one already', async () => {
  const made = build(async (n) => token(n), { maxResources: 50 })
  await Promise.all([made.get('/a'), made.get('/b'), made.get('/c')])
  await made.get('/b', { need: { exact: true }, trigger: 'caller' })
  await made.replace('/a', 'Atz.sprdt|1')
  assert.equal(rdtOf(await made.get('/b')), 'hit Atz.sprdt|2')
  assert.equal(rdtOf(await made.get('/c')), 'minted Atz.sprdt|4')
})

test('what was refused is not asked for again: five minutes for a 400 of Amazon, some seconds for a 403 and for a 400 of anybody', async () => {
  for (const [answer, remembered, forgotten] of [
    [() => refused('No.', 400), 299_000, 2000],
    [() => refused('No.', 403), 9000, 2000],
    [() => new Response('<html>a proxy on the way</html>', { status: 400 }), 9000, 2000],
  ] as const) {
    const made = build(async () => answer())
    await made.get()
    made.advance(remembered)
    assert.equal((await made.get()).kind, 'refused')
    assert.equal(made.calls(), 1)
    assert.deepEqual(made.lookups, ['miss', 'negative'])
    made.advance(forgotten)
    await made.get()
    assert.equal(made.calls(), 2)
  }
})

test('a refusal of the length of a book is told and not kept', async () => {
  const made = build(async () => refused('No. '.repeat(10_000)))
  for (let i = 0; i < 2; i += 1) assert.equal((await made.get()).kind, 'refused')
  assert.equal(made.calls(), 2)
})
