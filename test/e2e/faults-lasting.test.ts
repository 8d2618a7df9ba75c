/** Faults that last, that meet a call on its second way, or one that is sent with less than it asked for. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type Fault, hang, resetBeforeHead, resetInBody, status } from '../faults/answers.ts'
import { type Hop, pass, startRelay } from '../faults/relay.ts'
import { OPEN_POST, OWN_MINT, RESTRICTED_POST } from '../faults/scenarios.ts'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type PairOptions, startPair, verdictOf } from '../support/pair.ts'

const SHORT = {
  SIDECAR_MINT_TIMEOUT_MS: '800',
  SIDECAR_LWA_TIMEOUT_MS: '800',
  SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: '2000',
}
type Options = { readonly env?: Record<string, string>; readonly managed?: true }

/** A sidecar behind a relay for all hops, with a clock that can be put forward. */
const start = async (t: TestContext, { env = {}, managed }: Options = {}) => {
  let advanced = 0
  let amazon = ''
  const relay = await startRelay(t, { to: () => amazon })
  const endpoint = `http://127.0.0.1:${relay.port}`
  const overrides = { now: () => performance.now() + advanced }
  const options = { endpoint, overrides, env: { ...SHORT, SIDECAR_LWA_ENDPOINT: `${endpoint}/auth/o2/token`, ...env } }
  const pair = managed ? await startManaged(t, options) : await startPair(t, options satisfies PairOptions)
  amazon = pair.amazon
  const credential = managed
    ? { 'x-rdt-caller-token': CALLER_TOKEN }
    : { 'x-amz-access-token': pair.simulator.accessToken() }
  return {
    ...pair,
    relay,
    post: async ({ target, body = '' } = RESTRICTED_POST) => {
      const headers = { ...credential, 'content-type': 'application/json' }
      return fetch(pair.base + target, { method: 'POST', headers, body })
    },
    asked: (hop: Hop): number => relay.arrivals.filter((one) => one.hop === hop).length,
    advance: (ms: number): void => {
      advanced += ms
    },
  }
}

const errorOf = ({ status: code, headers }: Response): string => `${code} ${headers.get('x-rdt-error')}`
const retryAfterS = (answer: Response): number => Number(answer.headers.get('retry-after'))

/** Until the breaker opens, and one a pause. */
const fewSince = (from: number): number => 6 + (performance.now() - from) / 750

const RENEWED = 'rdt_mint_requests_total{outcome="success",trigger="refresh"}'

const LASTING: Readonly<Record<string, Fault>> = { '500': status(500), 'a reset': resetBeforeHead, silence: hang }
describe('lasting', { concurrency: true }, () => {
  for (const [what, fault] of Object.entries(LASTING)) {
    test(`a Tokens API that answers with ${what} for long costs a mint now and then, and half a minute at most when it is back`, async (t) => {
      const { post, relay, asked, advance } = await start(t)
      relay.breakAnswers('mint', fault)
      const from = performance.now()
      for (let i = 0; i < 30; i += 1) assert.equal(errorOf(await post()), '503 mint-unavailable')
      assert.ok(asked('mint') <= fewSince(from), `${asked('mint')} mints for thirty calls`)
      for (let minute = 0; minute < 8; minute += 1) {
        advance(60_000)
        const before = asked('mint')
        const answers = await many(20, () => post())
        assert.ok(answers.every((answer) => retryAfterS(answer) >= 1 && retryAfterS(answer) <= 30))
        assert.equal(asked('mint') - before, 1, 'one mint to see')
      }
      await relay.heal()
      advance(1000 * retryAfterS(await post()))
      for (const other of [RESTRICTED_POST, OWN_MINT]) assert.equal(verdictOf(await post(other)), 'minted')
    })

    test(`a Login with Amazon that answers with ${what} for hours is asked now and then, and is believed at once`, async (t) => {
      const { post, relay, asked, advance } = await start(t, { managed: true })
      relay.breakAnswers('lwa', fault)
      const from = performance.now()
      for (let i = 0; i < 30; i += 1) assert.equal(errorOf(await post(OPEN_POST)), '503 lwa-unavailable')
      assert.ok(asked('lwa') <= fewSince(from), `${asked('lwa')} requests for thirty calls`)
      for (let hour = 0; hour < 8; hour += 1) {
        advance(3_600_000)
        const before = asked('lwa')
        const answers = await many(20, () => post(OPEN_POST))
        assert.ok(answers.every((answer) => retryAfterS(answer) >= 1 && retryAfterS(answer) <= 30))
        assert.ok(asked('lwa') - before <= 3)
      }
      await relay.heal()
      advance(1000 * retryAfterS(await post(OPEN_POST)))
      assert.equal((await post(OPEN_POST)).status, 202)
      assert.deepEqual([asked('call'), asked('mint')], [1, 0])
    })

    test(`RDTs that are there serve while the Tokens API answers with ${what}, and are renewed when it is back`, async (t) => {
      const env = { SIDECAR_MINT_MAX_RESOURCES: '1' } // a renewal waits for no company
      const { post, relay, asked, advance, admin } = await start(t, { env })
      assert.equal(verdictOf(await post()), 'minted')
      relay.breakAnswers('mint', fault)
      let passed = 3_400_000 // of an hour less a minute
      advance(passed)
      await until(async () => {
        assert.equal(verdictOf(await post()), 'hit')
        return asked('mint') >= 2
      })
      await relay.heal()
      await until(async () => {
        advance(200) // renewals that failed pause some seconds
        passed += 200
        assert.equal(verdictOf(await post()), 'hit')
        return (await metric({ admin }, RENEWED)) === 1
      })
      advance(3_570_000 - passed) // the first one has ended, the caller's access token not yet
      assert.equal(verdictOf(await post()), 'hit')
    })

    test(`rdt.onMintFailure: forward, the Tokens API answers with ${what}: the call goes out once, and says how`, async (t) => {
      const { post, relay, calls } = await start(t, { env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
      relay.breakAnswers('mint', fault)
      const answer = await post()
      assert.equal(verdictOf(answer), 'fallback;mint-unavailable')
      assert.deepEqual(
        calls().map(({ token, pii }) => [token, pii]),
        [['lwa', false]],
      )
    })
  }
})

test('a mint after its kept connection is gone is one mint', async (t) => {
  const { post, relay, asked } = await start(t)
  assert.equal(verdictOf(await post()), 'minted')
  await relay.breakDoor('cut')
  assert.equal(verdictOf(await post(OWN_MINT)), 'minted')
  assert.equal(asked('mint'), 2)
})

test('a mint that is answered 421 is sent once more, on another connection, and no more', async (t) => {
  const { post, relay, asked } = await start(t)
  relay.breakAnswers('mint', status(421))
  assert.equal(errorOf(await post()), '421 mint-refused')
  assert.ok(asked('mint') <= 2)
})

const UNREAD = { ...OWN_MINT, body: '{"restrictedResources":[],"more":true}' }
for (const [what, fault, got] of [
  ['silence', hang, '504 upstream-timeout'],
  ['a reset', resetBeforeHead, '502 upstream-unreachable'],
] as const) {
  test(`a mint of a caller's own that is not read meets ${what}: it is sent once`, async (t) => {
    const { post, relay, asked } = await start(t)
    relay.breakAnswers('mint', fault)
    assert.equal(errorOf(await post(UNREAD)), got)
    assert.equal(asked('mint'), 1)
    await relay.heal()
    assert.equal((await post(UNREAD)).status, 400, "Amazon's own")
  })
}

const EXPIRED = JSON.stringify({ errors: [{ code: 'Unauthorized', message: 'Denied.', details: 'It has expired.' }] })
for (const [what, fault, got] of [
  ['silence', hang, '504 upstream-timeout'],
  ['a reset', resetBeforeHead, '502 upstream-unreachable'],
  ['an end in the body', resetInBody, '200 null'],
] as const) {
  test(`a call that Amazon refused for its token's sake meets ${what} when it is sent again: that is the last time`, async (t) => {
    const { post, relay, asked } = await start(t)
    let refused = false
    relay.breakAnswers('call', (question) => {
      if (refused) return fault(question)
      refused = true
      return pass(question.res, { status: 403, rawHeaders: [], body: Buffer.from(EXPIRED) })
    })
    const answer = await post()
    assert.deepEqual([errorOf(answer), verdictOf(answer)], [got, 'replayed'])
    if (answer.status === 200) await assert.rejects(answer.text())
    assert.deepEqual([asked('call'), asked('mint')], [2, 2])
    await relay.heal()
    assert.equal(verdictOf(await post()), 'hit')
  })
}

for (const body of [
  'null',
  '[]',
  '7',
  '{"reports":null}',
  '{"reports":[null,7,{"reportDocumentId":7}]}',
  '{"reports":[{',
]) {
  test(`a list of reports that is none is the caller's as it came: ${body}`, async (t) => {
    const { relay, call, simulator, post } = await start(t)
    relay.breakAnswers('call', ({ res }) => pass(res, { status: 200, rawHeaders: [], body: Buffer.from(body) }))
    const answer = await call('/reports/2021-06-30/reports', simulator.accessToken())
    assert.deepEqual([answer.status, await answer.text()], [200, body])
    await relay.heal()
    assert.equal(verdictOf(await post()), 'minted')
  })
}
