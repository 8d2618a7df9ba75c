/** Callers who mint for themselves, through the sidecar. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { after, many } from '../support/many.ts'
import { type Pair, resourcesOf, startPair, verdictOf } from '../support/pair.ts'

const MINT = '/tokens/2021-03-01/restrictedDataToken'
const ORDERS = '/orders/v0/orders'
const ADDRESS = { method: 'GET', path: `${ORDERS}/{orderId}/address` }
const ORDER = { method: 'GET', path: `${ORDERS}/{orderId}`, dataElements: ['buyerInfo', 'shippingAddress'] }

const post = (pair: Pair, body: unknown, token?: string, headers: Record<string, string> = {}) =>
  pair.call(MINT, token, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
const minted = async (answer: Response) => {
  assert.equal(answer.status, 200)
  return (await answer.json()) as { restrictedDataToken: string; expiresIn: number }
}

test("the same question twice is one mint; the answer has Amazon's flat shape, expiresIn is what is left", async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const first = await post(pair, { restrictedResources: [ADDRESS] }, token)
  assert.equal(verdictOf(first), 'minted')
  assert.match(first.headers.get('content-type') ?? '', /^application\/json/)
  const one = await minted(first)
  assert.deepEqual(Object.keys(one).toSorted(), ['expiresIn', 'restrictedDataToken'])
  await after(1100)
  const second = await post(pair, { restrictedResources: [ADDRESS] }, token)
  assert.equal(verdictOf(second), 'hit')
  const two = await minted(second)
  assert.equal(two.restrictedDataToken, one.restrictedDataToken)
  assert.ok(one.expiresIn >= 3598 && one.expiresIn <= 3600 && two.expiresIn < one.expiresIn && two.expiresIn >= 3595)
  assert.equal(pair.mints().length, 1)
  const used = await pair.call(`${ORDERS}/1/address`, one.restrictedDataToken)
  assert.deepEqual([used.status, verdictOf(used)], [200, 'caller-rdt'])
  assert.ok(pair.calls().every(({ pii }) => pii))
})

test('the order of resources and elements does not matter', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await post(pair, { restrictedResources: [ADDRESS, ORDER] }, token)
  const turned = { ...ORDER, dataElements: ORDER.dataElements.toReversed() }
  assert.equal(verdictOf(await post(pair, { restrictedResources: [turned, ADDRESS] }, token)), 'hit')
  assert.equal(pair.mints().length, 1)
})

test('fifty at once are one mint', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ latencyMs: { mint: 200 } })
  const answers = await many(50, () => post(pair, { restrictedResources: [ADDRESS, ORDER] }, token))
  const tokens = await Promise.all(answers.map(async (answer) => (await minted(answer)).restrictedDataToken))
  assert.equal(new Set(tokens).size, 1)
  assert.equal(pair.mints().length, 1)
})

test("its RDT serves the sidecar's own calls, and the other way round", async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await post(pair, { restrictedResources: [ADDRESS, ORDER] }, token)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1/address`, token)), 'hit')
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1`, token)), 'hit')
  assert.equal(verdictOf(await pair.call('/mfn/v0/shipments/1', token)), 'minted')
  const shipment = { method: 'GET', path: '/mfn/v0/shipments/{shipmentId}' }
  assert.equal(verdictOf(await post(pair, { restrictedResources: [shipment] }, token)), 'hit')
  assert.equal(pair.mints().length, 2)
})

test('what is handed out opens what was asked for and nothing else, however busy the moment', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_BATCH_WINDOW_MS: '100' } })
  const token = pair.simulator.accessToken()
  const [own] = await Promise.all([
    post(pair, { restrictedResources: [ADDRESS] }, token),
    pair.call('/mfn/v0/shipments/1', token),
    pair.call(`${ORDERS}/1`, token),
    pair.call(`${ORDERS}/1/orderItems`, token),
  ])
  const { restrictedDataToken: rdt } = await minted(own)
  assert.equal((await pair.call(`${ORDERS}/1/address`, rdt)).status, 200)
  assert.equal((await pair.call('/mfn/v0/shipments/1', rdt)).status, 403)
  assert.ok(resourcesOf(pair.mints()).some((resources) => resources.join() === `GET ${ADDRESS.path}`))
})

test('one whose data elements add up for a call is not used for that call', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const specific = { method: 'GET', path: `${ORDERS}/1`, dataElements: ['shippingAddress'] }
  await post(pair, { restrictedResources: [{ ...ORDER, dataElements: ['buyerInfo'] }, specific] }, token)
  const headers = { 'x-rdt-scope': 'specific', 'x-rdt-data-elements': 'shippingAddress' }
  const answer = await pair.call(`${ORDERS}/1`, token, { headers })
  const { payload } = (await answer.json()) as { payload: { BuyerInfo?: object; ShippingAddress?: object } }
  assert.equal(verdictOf(answer), 'minted')
  assert.ok(payload.ShippingAddress && !payload.BuyerInfo)
})

test('distinct questions keep to the same plan as everything else: 14 at once, no 429 at Amazon', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const answers = await many(14, (i) =>
    post(pair, { restrictedResources: [{ method: 'GET', path: `${ORDERS}/${i}/address` }] }, token),
  )
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(pair.mints().length, 14)
  assert.ok(pair.mints().every(({ status }) => status === 200))
})

test('errors pass on as they came, and are remembered', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  pair.simulator.control({ denyElements: ['shippingAddress'] })
  const body = JSON.stringify({ restrictedResources: [ORDER] })
  const headers = { 'x-amz-access-token': token, 'content-type': 'application/json' }
  const direct = await fetch(pair.amazon + MINT, { method: 'POST', body, headers })
  const directText = await direct.text()
  for (let i = 0; i < 3; i += 1) {
    const through = await post(pair, body, token)
    assert.equal(through.status, direct.status)
    assert.equal(await through.text(), directText)
    assert.ok(through.headers.get('x-amzn-requestid'))
    assert.equal(through.headers.get('x-amzn-ratelimit-limit'), '1.0')
    assert.equal(through.headers.get('x-rdt-error'), 'mint-refused')
  }
  assert.equal(pair.mints().length, 2)
})

test('rdt.onRefusedElements: drop is for calls; who mints gets the refusal', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_ON_REFUSED_ELEMENTS: 'drop' } })
  pair.simulator.control({ denyElements: ['shippingAddress'] })
  const token = pair.simulator.accessToken()
  assert.equal((await post(pair, { restrictedResources: [ORDER] }, token)).status, 400)
  assert.equal(verdictOf(await pair.call(`${ORDERS}/1`, token)), 'minted;dropped-shippingAddress')
  assert.equal((await post(pair, { restrictedResources: [ORDER] }, token)).status, 400)
  assert.equal(pair.mints().length, 2)
})

test('a role that is missing is asked for once, whatever the number of distinct questions', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  const token = pair.simulator.accessToken()
  const ask = (i: number) =>
    post(pair, { restrictedResources: [{ method: 'GET', path: `/mfn/v0/shipments/${i}` }] }, token)
  const answers = [...(await many(50, ask)), await ask(51)]
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([400]))
  assert.equal((await pair.call('/mfn/v0/shipments/52', token, { headers: { 'x-rdt-scope': 'specific' } })).status, 400)
  assert.equal(pair.mints().length, 1)
})

test('no answer for a credential that Amazon did not accept for it', async (t) => {
  const pair = await startPair(t)
  const [a, b] = [pair.simulator.accessToken('seller-a'), pair.simulator.accessToken('seller-b')]
  const body = { restrictedResources: [ADDRESS] }
  const forA = await minted(await post(pair, body, a))
  const forB = await minted(await post(pair, body, b))
  assert.notEqual(forA.restrictedDataToken, forB.restrictedDataToken)
  assert.equal((await post(pair, body, `${a}x`)).status, 403)
  assert.equal((await post(pair, body)).status, 403)
  assert.deepEqual(
    pair.mints().map(({ token, seller }) => [token, seller]),
    [
      ['lwa', 'seller-a'],
      ['lwa', 'seller-b'],
      ['unknown', undefined],
      ['none', undefined],
    ],
  )
})

const UNREADABLE: readonly (readonly [string, unknown])[] = [
  ['no JSON', '{"restrictedResources":'],
  ['nothing', ''],
  ['an unknown key', { restrictedResources: [ADDRESS], reason: 'x' }],
  ['an unknown key of a resource', { restrictedResources: [{ ...ADDRESS, x: 1 }] }],
  ['no resource', { restrictedResources: [] }],
  ['51 resources', { restrictedResources: Array.from({ length: 51 }, (_, i) => ({ ...ADDRESS, path: `/${i}` })) }],
  ['a resource twice', { restrictedResources: [ADDRESS, ADDRESS] }],
  ['an unknown data element', { restrictedResources: [{ ...ORDER, dataElements: ['everything'] }] }],
  ['a target application of another kind', { restrictedResources: [ADDRESS], targetApplication: 'me' }],
  ['an array', [ADDRESS]],
]
for (const [what, body] of UNREADABLE) {
  test(`a body that is not read goes to Amazon as it is: ${what}`, async (t) => {
    const pair = await startPair(t)
    const token = pair.simulator.accessToken()
    const answer = await post(pair, body, token)
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const direct = await fetch(pair.amazon + MINT, {
      method: 'POST',
      body: text,
      headers: { 'x-amz-access-token': token, 'content-type': 'application/json' },
    })
    assert.deepEqual([verdictOf(answer), answer.status], ['not-restricted', direct.status])
    const shape = (one: string) => one.replace(/Atz\.sprdt\|[^"]*/, '')
    assert.equal(shape(await answer.text()), shape(await direct.text()))
    const [through, same] = pair.mints()
    assert.equal(through?.bodyBytes, Buffer.byteLength(text))
    assert.deepEqual(through?.mint, same?.mint)
  })
}

test('a compressed body goes to Amazon as it is', async (t) => {
  const pair = await startPair(t)
  const packed = gzipSync(JSON.stringify({ restrictedResources: [ADDRESS] }))
  const answer = await pair.call(MINT, pair.simulator.accessToken(), {
    method: 'POST',
    body: packed,
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  })
  assert.equal(verdictOf(answer), 'not-restricted')
  const [mint] = pair.mints()
  assert.deepEqual([mint?.bodyBytes, mint?.headers['content-encoding']], [packed.length, 'gzip'])
})

test('bodies that are not read are throttled all the same: 13 at once, no 429', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const answers = await many(13, () => post(pair, { restrictedResources: [ADDRESS, ADDRESS] }, token))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(pair.mints().length, 13)
})

test("Amazon's 429 to one that is not read slows the next one down, and passes on as it came", async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_RATE_PER_SECOND: '5' } })
  pair.simulator.control({ mintRatePerSecond: 5, fail: [{ on: 'mint', times: 1, as: 429 }] })
  const token = pair.simulator.accessToken()
  const body = { restrictedResources: [ADDRESS, ADDRESS] }
  const first = await post(pair, body, token)
  assert.deepEqual([first.status, verdictOf(first)], [429, 'not-restricted'])
  assert.equal((await post(pair, body, token)).status, 200)
  const [one, two] = pair.mints()
  assert.ok((two?.at ?? 0) - (one?.at ?? 0) >= 190, "the bucket is empty: a permit's time")
})

test('one that waited too long for its turn is told so, and is not sent later', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_BURST: '1', SIDECAR_MINT_MAX_WAIT_MS: '300' } })
  const token = pair.simulator.accessToken()
  const answers = await many(3, () => post(pair, { restrictedResources: [ADDRESS, ADDRESS] }, token))
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 429, 429])
  assert.equal(answers.find(({ status }) => status === 429)?.headers.get('x-rdt-error'), 'mint-throttled')
  await after(1200)
  assert.equal(pair.mints().length, 1)
})

test('mint.serveTokensApi: false, x-rdt-mode: skip and sandboxes leave them alone', async (t) => {
  const body = { restrictedResources: [ADDRESS] }
  const off = await startPair(t, { env: { SIDECAR_MINT_SERVE_TOKENS_API: 'false' } })
  const sandbox = await startPair(t, { sandbox: true })
  const on = await startPair(t)
  for (const [pair, headers] of [
    [off, {}],
    [sandbox, {}],
    [on, { 'x-rdt-mode': 'skip' }],
  ] as const) {
    const token = pair.simulator.accessToken()
    for (let i = 0; i < 2; i += 1) {
      assert.equal(verdictOf(await post(pair, body, token, headers)), 'not-restricted')
    }
    assert.equal(pair.mints().length, 2)
  }
})

test('delegation: header, else configuration, names the delegatee where the body does not; in the key too', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_RDT_TARGET_APPLICATION: 'amzn1.configured' } })
  const token = pair.simulator.accessToken()
  const body = { restrictedResources: [ADDRESS] }
  const answers = [
    await post(pair, body, token),
    await post(pair, body, token, { 'x-rdt-target-application': 'amzn1.header' }),
    await post(pair, { ...body, targetApplication: 'amzn1.body' }, token, {
      'x-rdt-target-application': 'amzn1.header',
    }),
    await post(pair, { ...body, targetApplication: 'amzn1.header' }, token),
  ]
  assert.deepEqual(answers.map(verdictOf), ['minted', 'minted', 'minted', 'hit'])
  assert.deepEqual(
    pair.mints().map(({ mint }) => (mint as { targetApplication: string }).targetApplication),
    ['amzn1.configured', 'amzn1.header', 'amzn1.body'],
  )
})

test('an RDT without a known life is handed out once, its expiresIn left out', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ expiresIn: 'missing' })
  const token = pair.simulator.accessToken()
  for (let i = 0; i < 2; i += 1) {
    assert.deepEqual(Object.keys(await minted(await post(pair, { restrictedResources: [ADDRESS] }, token))), [
      'restrictedDataToken',
    ])
  }
  assert.equal(pair.mints().length, 2)
})

test('a Tokens API that is down is told as mint-unavailable', async (t) => {
  const pair = await startPair(t)
  pair.simulator.control({ fail: [{ on: 'mint', times: 9, as: 500 }] })
  const answer = await post(pair, { restrictedResources: [ADDRESS] }, pair.simulator.accessToken())
  assert.deepEqual([answer.status, answer.headers.get('x-rdt-error')], [503, 'mint-unavailable'])
})
