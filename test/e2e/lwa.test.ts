/** Access tokens of managed sellers, from the callers' side: renewed unseen, refused and failing in words of our own, healed where Amazon no longer takes one. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { documentId } from '../../src/simulator/reports.ts'
import { open } from '../support/http-client.ts'
import { serveHttp } from '../support/listen.ts'
import { CALLER_TOKEN, type ManagedOptions, startManaged } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { firstErrorOf, verdictOf } from '../support/pair.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'
const MINT = '/tokens/2021-03-01/restrictedDataToken'
const SHIPMENTS = '/mfn/v0/shipments'
const FEEDS = '/feeds/2021-06-30/feeds'
const address = (n: number | string) => `/orders/v0/orders/${n}/address`
const SPECIFIC = { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_MINT_MAX_RESOURCES: '1' }

/** With a clock that can be put forward: the sidecar's; the simulator's is another. */
const startOnClock = async (t: TestContext, options: ManagedOptions = {}) => {
  let advanced = 0
  const managed = await startManaged(t, { ...options, overrides: { now: () => performance.now() + advanced } })
  return {
    ...managed,
    advance: (ms: number) => {
      advanced += ms
    },
  }
}
const OLD_MS = 11_000 // the sidecar gets no other token where Amazon refuses a younger one

const statusesOf = (entries: readonly { readonly status: number }[]) => new Set(entries.map(({ status }) => status))

// Renewal.

test('tokens that are renewed cause no mint, and the usage plan is counted on', async (t) => {
  const { ask, simulator, lwa, mints } = await startManaged(t, {
    env: { ...SPECIFIC, SIDECAR_RDT_EXPIRY_MARGIN_MS: '0' },
  })
  simulator.control({ accessTokenSeconds: 0.7 })
  const burst = await many(10, (i) => ask(address(i)))
  assert.deepEqual(statusesOf(burst), new Set([200]))
  const drained = performance.now()
  await until(async () => {
    assert.equal((await ask(OPEN)).status, 200)
    assert.equal(verdictOf(await ask(address(1))), 'hit')
    return lwa().length >= 3
  })
  assert.equal(mints().length, 10)
  const passedS = Math.floor((performance.now() - drained) / 1000)
  const next = await many(passedS + 3, (i) => ask(address(100 + i)))
  assert.deepEqual(statusesOf(next), new Set([200]))
  assert.deepEqual(statusesOf(mints()), new Set([200]), 'throttled by our own count, not by Amazon')
})

test('while the access token lives, a Login with Amazon that is down is felt by nobody', async (t) => {
  const { ask, simulator, lwa } = await startOnClock(t, { env: SPECIFIC })
  await ask(OPEN)
  simulator.control({ fail: [{ on: 'lwa', times: 1000, as: 503 }] })
  for (const target of [OPEN, address(1), address(1), address(2)]) assert.equal((await ask(target)).status, 200)
  assert.equal(lwa().length, 1)
})

test('one that is due is tried to be renewed, and serves on when that fails', async (t) => {
  const { ask, simulator, lwa, advance } = await startOnClock(t)
  await ask(OPEN)
  simulator.control({ fail: [{ on: 'lwa', times: 1000, as: 503 }] })
  advance(3_300_000)
  await until(async () => {
    assert.equal((await ask(OPEN)).status, 200)
    return lwa().length >= 4
  })
})

test('a cached RDT needs no Login with Amazon at all', async (t) => {
  const { ask, simulator, lwa } = await startManaged(t, { env: { SIDECAR_RDT_EXPIRY_MARGIN_MS: '0' } })
  simulator.control({ accessTokenSeconds: 0.5 })
  await ask(address(1))
  simulator.control({ fail: [{ on: 'lwa', times: 1000, as: 503 }] })
  await until(async () => (await ask(OPEN)).status === 503)
  const asked = lwa().length
  for (const answer of await many(20, () => ask(address(1)))) {
    assert.deepEqual([answer.status, verdictOf(answer)], [200, 'hit'])
  }
  assert.equal(lwa().length, asked)
})

// Refused and failing.

type Ask = Awaited<ReturnType<typeof startManaged>>['ask']
const mintBody = JSON.stringify({ restrictedResources: [{ method: 'GET', path: address(1) }] })
const ROUTES: Readonly<Record<string, (ask: Ask) => Promise<Response>>> = {
  unrestricted: (ask) => ask(OPEN),
  'unrestricted, with a body': (ask) => ask(FEEDS, undefined, { method: 'POST', body: '{}' }),
  restricted: (ask) => ask(address(1)),
  'restricted, with a body': (ask) => ask(SHIPMENTS, undefined, { method: 'POST', body: '{}' }),
  'a report document': (ask) => ask(`/reports/2021-06-30/documents/${documentId(1)}`),
  'a document of an unrestricted report': (ask) =>
    ask(`/reports/2021-06-30/documents/${documentId(2)}`, undefined, {
      headers: { 'x-rdt-report-type': 'GET_MERCHANT_LISTINGS_ALL_DATA' },
    }),
  'left as it is': (ask) => ask(address(1), undefined, { headers: { 'x-rdt-mode': 'skip' } }),
  'a mint of its own': (ask) => ask(MINT, undefined, { method: 'POST', body: mintBody }),
  'a mint that is not read': (ask) => ask(MINT, undefined, { method: 'POST', body: '{"what":1}' }),
}
const EVERY_ROUTE = Object.entries(ROUTES)

for (const onMintFailure of ['reject', 'forward']) {
  const env = { SIDECAR_RDT_ON_MINT_FAILURE: onMintFailure, SIDECAR_MINT_MAX_WAIT_MS: '2000' }

  for (const [error, prepare] of [
    ['invalid_client', { clientSecrets: ['canary-other-secret'] }],
    ['invalid_grant', { revokeRefreshTokens: ['Atzr|seller-a'] }],
    ['unauthorized_client', {}],
  ] as const) {
    test(`${error} ends as 403 lwa-refused on every route, and is asked for once (${onMintFailure})`, async (t) => {
      const clientId = `amzn1.application-oa2-client.${error === 'unauthorized_client' ? 'unauthorized' : 'shop'}`
      const managed = await startManaged(t, { env, rows: { 'seller-a': { clientId } } })
      managed.simulator.control(prepare)
      for (const [route, call] of EVERY_ROUTE) {
        const answer = await call(managed.ask)
        const told = [answer.status, answer.headers.get('x-rdt-error'), verdictOf(answer)]
        assert.deepEqual(told, [403, 'lwa-refused', 'rejected;lwa-refused'], route)
        const text = await answer.clone().text()
        const { code, details } = await firstErrorOf(answer)
        assert.equal(code, 'Unauthorized', route)
        assert.ok(details.includes(`: ${error}. `), details)
        assert.doesNotMatch(text + JSON.stringify([...answer.headers]), /simulated-secret|Atzr|At?z|canary|oa2-client/)
      }
      assert.equal(managed.lwa().length, 1)
      assert.deepEqual([...managed.calls(), ...managed.mints()], [])
      for (const line of managed.lines) assert.doesNotMatch(line, /simulated-secret|Atzr|canary/)
      assert.equal(await metric(managed, `rdt_lwa_requests_total{outcome="${error}",secret="current"}`), 1)
    })
  }

  test(`5xx ends as 503 lwa-unavailable on every route, soon (${onMintFailure})`, async (t) => {
    const { ask, simulator, calls, mints } = await startManaged(t, { env })
    simulator.control({ fail: [{ on: 'lwa', times: 1000, as: 503 }] })
    for (const [route, call] of EVERY_ROUTE) await assertUnavailable(route, () => call(ask))
    assert.deepEqual([...calls(), ...mints()], [])
  })

  test(`one that hangs ends as 503 lwa-unavailable on every route, within the wait (${onMintFailure})`, async (t) => {
    const { ask, simulator, calls, mints } = await startManaged(t, { env })
    simulator.control({ fail: [{ on: 'lwa', times: 1000, as: 'hang' }] })
    await Promise.all(EVERY_ROUTE.map(([route, call]) => assertUnavailable(route, () => call(ask))))
    assert.deepEqual([...calls(), ...mints()], [])
  })
}

const assertUnavailable = async (route: string, call: () => Promise<Response>): Promise<void> => {
  const from = performance.now()
  const answer = await call()
  const tookMs = performance.now() - from
  const told = [answer.status, answer.headers.get('x-rdt-error'), verdictOf(answer)]
  const { details } = await firstErrorOf(answer)
  assert.deepEqual(told, [503, 'lwa-unavailable', 'rejected;lwa-unavailable'], `${route}: ${details}`)
  assert.ok(Number(answer.headers.get('retry-after')) >= 1, route)
  assert.match(details, /^Login with Amazon /, route)
  assert.ok(tookMs < 3900, `${route}: ${tookMs} ms`) // the wait is 2000, and nobody waits twice; an attempt has 5000
}

for (const [what, fail, error] of [
  ['refusals', { clientSecrets: ['other'] }, 'lwa-refused'],
  ['failures', { fail: [{ on: 'lwa', times: 1000, as: 500 }] }, 'lwa-unavailable'],
] as const) {
  test(`${what} of Login with Amazon cost no permit of the usage plan`, async (t) => {
    const env = { ...SPECIFIC, SIDECAR_MINT_RATE_PER_SECOND: '0.01' } // what is spent does not come back
    const { ask, admin, simulator, mints } = await startManaged(t, { env })
    simulator.control(fail)
    for (let round = 0; round < 3; round += 1) {
      const answers = await many(10, (i) => ask(address(i)))
      assert.deepEqual(new Set(answers.map((answer) => answer.headers.get('x-rdt-error'))), new Set([error]))
    }
    simulator.control({ clientSecrets: ['simulated-secret'], fail: [] })
    await fetch(`${admin}/flush`, { method: 'POST' })
    await until(async () => (await ask(OPEN)).status === 200)
    assert.deepEqual(statusesOf(await many(10, (i) => ask(address(i)))), new Set([200]))
    assert.equal(mints().length, 10)
  })
}

// Tokens that Amazon no longer takes.

test('revoked: an unrestricted call is healed by one replay, once for all who suffer', async (t) => {
  const managed = await startOnClock(t)
  const { ask, simulator, lwa, advance } = managed
  await ask(OPEN)
  advance(OLD_MS)
  simulator.control({ revoke: 'access-tokens', latencyMs: { call: 500 } }) // all are on their way before the first comes back
  const answers = await many(10, () => ask(OPEN))
  assert.deepEqual(new Set(answers.map((one) => `${one.status} ${verdictOf(one)}`)), new Set(['200 replayed']))
  assert.equal(lwa().length, 2)
  assert.equal(verdictOf(await ask(OPEN)), 'not-restricted')
  assert.equal(await metric(managed, 'rdt_replays_total{outcome="cured"}'), 10)
  assert.equal(await metric(managed, 'rdt_replays_total{outcome="failed"}'), 0)
})

test('revoked: a body that streamed by is not sent again; the caller gets the 403, the next call works', async (t) => {
  const { ask, simulator, calls, lwa, advance } = await startOnClock(t)
  const feed = () => ask(FEEDS, undefined, { method: 'POST', body: '{"feedType":"x"}' })
  assert.equal((await feed()).status, 202)
  advance(OLD_MS)
  simulator.control({ revoke: 'access-tokens' })
  const refused = await feed()
  assert.equal(refused.status, 403)
  assert.equal(refused.headers.get('x-rdt-error'), null, "Amazon's own")
  assert.match((await firstErrorOf(refused)).details, /revoked/)
  assert.equal((await feed()).status, 202)
  assert.deepEqual(
    calls().map(({ status }) => status),
    [202, 403, 202],
  )
  assert.equal(lwa().length, 2)
})

test('revoked: a restricted miss is healed before anybody sees it', async (t) => {
  const { ask, simulator, mints, lwa, advance } = await startOnClock(t, { env: SPECIFIC })
  await ask(address(1))
  advance(OLD_MS)
  simulator.control({ revoke: 'access-tokens' })
  const answers = await many(5, (i) => ask(address(10 + i)))
  assert.deepEqual(new Set(answers.map((one) => `${one.status} ${verdictOf(one)}`)), new Set(['200 minted']))
  assert.equal(lwa().length, 2)
  assert.ok(mints().filter(({ status }) => status === 403).length <= 5)
})

test('revoked, RDTs and access token together: a restricted call is healed all the same', async (t) => {
  const { ask, simulator, lwa, advance } = await startOnClock(t)
  await ask(address(1))
  advance(OLD_MS)
  simulator.control({ revoke: 'all' })
  const answer = await ask(address(1))
  assert.deepEqual([answer.status, verdictOf(answer), lwa().length], [200, 'replayed', 2])
})

test('revoked: a mint of a caller’s own that is not read is healed too', async (t) => {
  const { ask, simulator, advance } = await startOnClock(t)
  const headers = { 'content-type': 'application/json' }
  const mint = () => ask(MINT, undefined, { method: 'POST', headers, body: '{"restrictedResources":[],"more":true}' })
  assert.equal((await mint()).status, 400, 'Amazon’s own refusal')
  advance(OLD_MS)
  simulator.control({ revoke: 'access-tokens' })
  const answer = await mint()
  assert.deepEqual([answer.status, verdictOf(answer)], [400, 'replayed'])
})

test('revoked: a kept body is sent again whole', async (t) => {
  const bodies: string[] = []
  let taken = ''
  const amazon = await serveHttp(t, async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString()
    if (req.url === MINT) return void res.writeHead(500).end()
    const token = String(req.headers['x-amz-access-token'])
    bodies.push(body)
    taken ||= token
    if (bodies.length > 1 && token === taken) return void res.writeHead(403).end(REVOKED)
    res.end('{}')
  })
  const managed = await startOnClock(t, { endpoint: amazon, env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
  const ship = () => managed.ask(SHIPMENTS, undefined, { method: 'POST', body: '{"kept":"body"}' })
  assert.equal(verdictOf(await ship()), 'fallback;mint-unavailable')
  managed.advance(OLD_MS)
  const answer = await ship()
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'replayed'])
  assert.deepEqual(bodies, Array(3).fill('{"kept":"body"}'))
  assert.equal(await metric(managed, 'rdt_replays_total{outcome="cured"}'), 1)
})

test('where Amazon refuses every token there is no loop: two sendings a call, a new token every ten seconds', async (t) => {
  const calls: string[] = []
  const amazon = await serveHttp(t, (req, res) => {
    calls.push(req.url ?? '')
    req.resume().once('end', () => res.writeHead(403).end(REVOKED))
  })
  const managed = await startOnClock(t, { endpoint: amazon })
  for (let second = 0; second < 30; second += 1) {
    for (const target of [OPEN, address(second)]) {
      const before = calls.length
      assert.equal((await managed.ask(target)).status, 403)
      assert.ok(calls.length - before <= 2, target)
    }
    managed.advance(1000)
  }
  assert.ok(managed.lwa().length <= 4, String(managed.lwa().length))
})

const REVOKED = JSON.stringify({
  errors: [{ code: 'Unauthorized', message: 'Access to requested resource is denied.', details: 'It was revoked.' }],
})

// Whose tokens they are.

type Address = { readonly payload: { readonly ShippingAddress?: object } }
const addressOf = async (answer: Response) => ((await answer.json()) as Address).payload.ShippingAddress

test('a refresh token of another selling partner: from its first token on nobody sees data of the one before', async (t) => {
  const { ask, files, reload, calls, mints, lines } = await startReloadable(t)
  const before = await addressOf(await ask(address(1)))
  assert.ok(before)
  files.write('seller-a', 'simulated-secret', 'Atzr|seller-z')
  reload()
  await until(() => lines.some((line) => line.includes('by another refresh token')))
  const answer = await ask(address(1))
  assert.equal(verdictOf(answer), 'minted')
  const after = await addressOf(answer)
  assert.ok(after)
  assert.notDeepEqual(after, before)
  assert.deepEqual([calls().at(-1)?.seller, mints().at(-1)?.seller], ['seller-z', 'seller-z'])
})

test('a mint under way while the refresh token becomes that of another serves no call that comes after', async (t) => {
  const { ask, files, reload, calls, mints, lines, simulator } = await startReloadable(t)
  await ask(OPEN)
  simulator.control({ latencyMs: { mint: 1500 } })
  const slow = ask(address(1))
  await until(() => mints().length === 1)
  files.write('seller-a', 'simulated-secret', 'Atzr|seller-z')
  reload()
  await until(() => lines.some((line) => line.includes('by another refresh token')))
  const later = ask(address(1))
  await Promise.all([slow, later])
  assert.deepEqual(statusesOf([await slow, await later]), new Set([200]))
  assert.equal((await ask(address(1))).status, 200)
  const sellers = calls().flatMap(({ seller, pii }) => (pii ? [seller] : []))
  assert.deepEqual(sellers.toSorted(), ['seller-a', 'seller-z', 'seller-z'])
})

test('a seller that was taken out and comes back is another one: nothing that was had for the first serves it', async (t) => {
  const { ask, files, reload, calls, env } = await startReloadable(t, ['seller-a', 'seller-b'])
  await ask(address(1), 'seller-a')
  const rows = JSON.parse(env.SIDECAR_SELLERS) as { id: string }[]
  reload({ SIDECAR_SELLERS: JSON.stringify(rows.filter(({ id }) => id !== 'seller-a')) })
  assert.equal((await ask(address(1), 'seller-a')).headers.get('x-rdt-error'), 'unknown-seller')
  files.write('seller-a', 'simulated-secret', 'Atzr|seller-z')
  reload()
  assert.equal(verdictOf(await ask(address(1), 'seller-a')), 'minted')
  assert.deepEqual(
    calls().map(({ seller }) => seller),
    ['seller-a', 'seller-z'],
  )
})

test('a seller of another application is another one: its own tokens, its own RDTs', async (t) => {
  const { ask, reload, lwa, mints, env } = await startReloadable(t)
  const [row] = JSON.parse(env.SIDECAR_SELLERS) as { clientId: string }[]
  const of = (application: string): void =>
    reload({ SIDECAR_SELLERS: JSON.stringify([{ ...row, clientId: `amzn1.application-oa2-client.${application}` }]) })
  assert.equal(verdictOf(await ask(address(1))), 'minted')
  of('another')
  assert.equal(verdictOf(await ask(address(1))), 'minted')
  assert.deepEqual([lwa().length, mints().length], [2, 2])
  of('unauthorized')
  assert.equal((await ask(address(1))).headers.get('x-rdt-error'), 'lwa-refused')
})

/** `reload`: reads its configuration again, as a change of the files would have it do. */
const startReloadable = async (t: TestContext, sellers: readonly string[] = ['seller-a']) => {
  const managed = await startManaged(t, { sellers })
  const { env } = managed
  return {
    ...managed,
    env,
    reload: (changed: Readonly<Record<string, string>> = {}): void => {
      const loaded = loadConfig(undefined, { ...env, ...changed })
      assert.ok(loaded.ok)
      managed.sidecar.reload(loaded, 'file')
      assert.equal(managed.lines.filter((line) => line.includes('not reloaded')).length, 0)
    },
  }
}

test('a body waits for the access token where it is, and arrives whole', async (t) => {
  const bytes = Buffer.alloc(3_000_000, 'a body of some length ')
  let received = Buffer.alloc(0)
  const amazon = await serveHttp(t, async (req, res) => {
    received = Buffer.concat(await req.toArray())
    res.end('{}')
  })
  const { ask, simulator } = await startManaged(t, { endpoint: amazon })
  simulator.control({ latencyMs: { lwa: 500 } })
  assert.equal((await ask(FEEDS, undefined, { method: 'POST', body: bytes })).status, 200)
  assert.ok(received.equals(bytes))
})

test('a caller who leaves while Login with Amazon is slow leaves alone: the others have their answer', async (t) => {
  const { ask, base, simulator, lwa, calls } = await startManaged(t)
  simulator.control({ latencyMs: { lwa: 400 } })
  const leaving = open(base, 'GET', OPEN, { 'x-rdt-caller-token': CALLER_TOKEN })
  leaving.end()
  const staying = ask(OPEN)
  await until(() => lwa().length === 1)
  leaving.destroy()
  assert.equal((await staying).status, 200)
  assert.equal(calls().length, 1)
  assert.equal(lwa().length, 1)
})
