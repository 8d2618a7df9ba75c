import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, until } from '../support/many.ts'
import { rdtOf, refused, startMinting, token } from '../support/minting.ts'

// RDTs of two seconds, due for renewal after one; a renewal then waits a quarter second at most for company.
const SHORT = { marginMs: 0, refreshAfter: 0.5, maxResources: 50, ratePerSecond: 50 }
const LIFE_S = 2
const DUE_MS = 1050

test('one in use is renewed behind the backs of its callers, who keep the old one meanwhile', async () => {
  let answer = () => {}
  const made = startMinting(async (n) => {
    if (n === 2) {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
    }
    return token(n, LIFE_S)
  }, SHORT)
  await made.get()
  made.advance(DUE_MS)
  for (let i = 0; i < 20; i += 1) assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  await until(() => made.calls() === 2)
  assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  answer()
  await after(20)
  assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|2')
  assert.deepEqual(made.triggers, [['miss'], ['refresh']])
  assert.equal(made.calls(), 2)
})

test('idle ones are not renewed', async () => {
  const made = startMinting(async (n) => token(n, LIFE_S), SHORT)
  await made.get('/used')
  await made.get('/idle')
  made.advance(DUE_MS)
  await made.get('/used')
  await until(() => made.calls() === 3)
  await after(300)
  assert.deepEqual(made.paths()[2], ['/used'])
  assert.equal(made.calls(), 3)
})

test('renewals that come due together share a mint', async () => {
  const made = startMinting(async (n) => token(n, LIFE_S), SHORT)
  const paths = Array.from({ length: 12 }, (_, i) => `/${i}`)
  await Promise.all(paths.map((path) => made.get(path)))
  made.advance(DUE_MS)
  for (const path of paths) {
    await made.get(path)
    await after(5)
  }
  await until(() => made.calls() === 2)
  assert.deepEqual(made.paths()[1]?.toSorted(), paths.toSorted())
})

test('a renewal takes a free seat in the mint of a caller', async () => {
  const made = startMinting(async (n) => token(n, LIFE_S), SHORT)
  await made.get('/old')
  made.advance(DUE_MS)
  await made.get('/old')
  await made.get('/new')
  assert.deepEqual(made.paths()[1], ['/new', '/old'])
  await after(300)
  assert.equal(made.calls(), 2)
})

test('callers go before renewals', async () => {
  const made = startMinting(async (n) => token(n, LIFE_S), { ...SHORT, maxResources: 1, burst: 1, ratePerSecond: 5 })
  await made.get('/old')
  made.advance(DUE_MS)
  assert.equal(rdtOf(await made.get('/old')), 'hit Atz.sprdt|1')
  await Promise.all([made.get('/a'), made.get('/b')])
  await until(() => made.calls() === 4)
  assert.deepEqual(made.paths(), [['/old'], ['/a'], ['/b'], ['/old']])
})

test('a renewal that fails is felt by nobody before the old one ends; it is tried again, less and less often', async () => {
  let down = true
  const made = startMinting(async (n) => (n > 1 && down ? new Response('', { status: 500 }) : token(n, 60)), {
    ...SHORT,
    refreshAfter: 0.1,
  })
  await made.get()
  made.advance(56_000)
  assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  await until(() => made.calls() === 4)
  await after(20)
  made.advance(900) // the pause is a second
  for (let i = 0; i < 50; i += 1) assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  await after(700) // a renewal would wait half a second for company
  assert.equal(made.calls(), 4, 'three attempts, then a pause')
  made.advance(4000)
  assert.equal((await made.get()).kind, 'unavailable', 'the old one has ended')
  down = false
  made.advance(60_000)
  assert.match(rdtOf(await made.get()), /^minted/)
})

test('a renewal that is refused is not asked for again while the refusal is remembered, and the old one serves on', async () => {
  const made = startMinting(
    async (n) =>
      n === 1 ? token(n, 600) : refused('Application do not have access to some or all requested resource'),
    {
      ...SHORT,
      refreshAfter: 0.01,
      maxResources: 1,
    },
  )
  await made.get()
  made.advance(10_000)
  await made.get()
  await until(() => made.calls() === 2)
  for (let i = 0; i < 5; i += 1) {
    made.advance(50_000)
    assert.equal(rdtOf(await made.get()), 'hit Atz.sprdt|1')
  }
  await after(50)
  assert.equal(made.calls(), 2)
})

test('a caller who comes when the old one has ended does not wait for the renewal to find company', async () => {
  const made = startMinting(async (n) => token(n, 400), { ...SHORT, refreshAfter: 0.01, maxWaitMs: 2000 })
  await made.get()
  made.advance(10_000)
  await made.get() // the renewal would wait for a minute and a half
  made.advance(395_000)
  const from = performance.now()
  assert.equal(rdtOf(await made.get()), 'minted Atz.sprdt|2')
  assert.ok(performance.now() - from < 500)
  assert.equal(made.lookups.at(-1), 'coalesced')
  assert.deepEqual(made.bugs, [])
})
