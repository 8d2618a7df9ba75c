/** Which report documents are restricted is learned; see reports/documents.ts. In the simulator odd reports are restricted, even ones are not. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { documentId, reportId } from '../../src/simulator/reports.ts'
import { watchBuffers } from '../support/buffers.ts'
import { answerTo, open } from '../support/http-client.ts'
import { many } from '../support/many.ts'
import { firstErrorOf, type Pair, resourcesOf, startPair, verdictOf } from '../support/pair.ts'
import { LWA } from '../support/recording-upstream.ts'
import { startWorld } from '../support/wire.ts'

const REPORTS = '/reports/2021-06-30/reports'
const documentPath = (n: number) => `/reports/2021-06-30/documents/${documentId(n)}`
const ask = async (
  pair: Pair,
  n: number,
  headers: Record<string, string> = {},
  token = pair.simulator.accessToken(),
) => {
  const answer = await pair.call(documentPath(n), token, { headers })
  return `${answer.status} ${verdictOf(answer)}`
}

test('learned from getReports: unrestricted ones cost no mint, a burst of restricted ones shares one', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(`${REPORTS}?pageSize=20`, token)
  const told = await many(20, (i) => ask(pair, i + 1, {}, token))
  assert.deepEqual(
    told,
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? '200 minted' : '200 unrestricted-report')),
  )
  assert.deepEqual(
    resourcesOf(pair.mints()).flat(),
    [1, 3, 5, 7, 9, 11, 13, 15, 17, 19].map((n) => `GET ${documentPath(n)}`),
  )
  assert.ok(pair.mints().length <= 4, `${pair.mints().length} mints`)
  const tokens = pair.calls().filter(({ operation }) => operation === 'reports-2021-06-30.getReportDocument')
  assert.equal(tokens.filter((call) => call.token === 'lwa').length, 10)
})

test('learned from getReport', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  for (const n of [1, 2]) await pair.call(`${REPORTS}/${reportId(n)}`, token)
  assert.equal(await ask(pair, 2, {}, token), '200 unrestricted-report')
  assert.equal(pair.mints().length, 0)
  assert.equal(await ask(pair, 1, {}, token), '200 minted')
})

test('x-rdt-report-type tells it, and is remembered for this credential', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const open = { 'x-rdt-report-type': 'GET_MERCHANT_LISTINGS_ALL_DATA' }
  assert.equal(await ask(pair, 2, open, token), '200 unrestricted-report')
  assert.equal(await ask(pair, 2, {}, token), '200 unrestricted-report')
  assert.equal(pair.mints().length, 0)
  assert.equal(await ask(pair, 1, { 'x-rdt-report-type': 'GET_ORDER_REPORT_DATA_TAX' }, token), '200 minted')
  assert.ok(pair.calls().every(({ headers }) => !('x-rdt-report-type' in headers)))
  const bad = await pair.call(documentPath(1), token, { headers: { 'x-rdt-report-type': 'get orders' } })
  assert.equal(bad.headers.get('x-rdt-error'), 'invalid-header')
})

test("nobody told: the mint is tried, Amazon's word is remembered", async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  assert.equal(await ask(pair, 1, {}, token), '200 minted')
  assert.equal(await ask(pair, 2, {}, token), '200 unrestricted-report')
  assert.equal(await ask(pair, 2, {}, token), '200 unrestricted-report')
  assert.equal(pair.mints().length, 2)
  const status = (await (await fetch(`${pair.admin}/status`)).json()) as { lastMintError: unknown }
  assert.equal(status.lastMintError, null, 'finding out is no trouble')
  assert.ok(pair.lines.every((line) => !line.includes('"level":"warn"')))
})

test('it is remembered longer than refusals are', async (t) => {
  let passed = 0
  const pair = await startPair(t, { overrides: { now: () => performance.now() + passed } })
  const token = pair.simulator.accessToken()
  await ask(pair, 2, {}, token)
  passed = 3_000_000
  assert.equal(await ask(pair, 2, {}, token), '200 unrestricted-report')
  assert.equal(pair.mints().length, 1)
})

test('a stale access token costs an unrestricted document no mint', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  await pair.call(`${REPORTS}/${reportId(2)}`, token)
  pair.simulator.control({ revoke: 'access-tokens' })
  const answer = await pair.call(documentPath(2), token)
  assert.deepEqual([answer.status, verdictOf(answer)], [403, 'unrestricted-report'])
  assert.match((await firstErrorOf(answer)).details, /revoked/)
  assert.equal(pair.mints().length, 0)
})

test("what one seller's call has shown says nothing of another's", async (t) => {
  const pair = await startPair(t)
  await ask(pair, 2, {}, pair.simulator.accessToken('seller-a'))
  await ask(pair, 2, {}, pair.simulator.accessToken('seller-b'))
  assert.deepEqual(
    pair.mints().map(({ seller, status }) => [seller, status]),
    [
      ['seller-a', 400],
      ['seller-b', 400],
    ],
  )
})

test('a burst of which nobody knows anything: everybody is served, the mints are shared as far as they go', async (t) => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken()
  const restricted = await many(30, (i) => ask(pair, 2 * i + 1, {}, token))
  assert.deepEqual(new Set(restricted), new Set(['200 minted']))
  assert.ok(pair.mints().length <= 6, `${pair.mints().length} mints`)
  const before = pair.mints().length
  const mixed = await many(5, (i) => ask(pair, i === 3 ? 102 : 101 + 2 * i, {}, token))
  assert.deepEqual(mixed, ['200 minted', '200 minted', '200 minted', '200 unrestricted-report', '200 minted'])
  assert.ok(pair.mints().length - before <= 6, `${pair.mints().length - before} mints`)
})

test('those whose type is known are not minted together with those whose is not', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_MINT_BATCH_WINDOW_MS: '100' } })
  const token = pair.simulator.accessToken()
  await pair.call(`${REPORTS}/${reportId(1)}`, token)
  await Promise.all([ask(pair, 1, {}, token), ask(pair, 2, {}, token)])
  assert.deepEqual(
    pair
      .mints()
      .map(({ status }) => status)
      .toSorted(),
    [200, 400],
  )
})

test('a type that the list lacks: the 403 is cured once, and known from then on', async (t) => {
  const pair = await startPair(t, { env: { SIDECAR_REPORTS_RESTRICTED_TYPES: '[]' } })
  const token = pair.simulator.accessToken()
  await pair.call(`${REPORTS}/${reportId(1)}`, token)
  assert.equal(await ask(pair, 1, {}, token), '200 replayed')
  assert.equal(await ask(pair, 1, {}, token), '200 hit')
  const calls = pair.calls().filter(({ operation }) => operation?.endsWith('getReportDocument'))
  assert.deepEqual(
    calls.map(({ token: kind, status }) => [kind, status]),
    [
      ['lwa', 403],
      ['rdt', 200],
      ['rdt', 200],
    ],
  )
  assert.equal(pair.mints().length, 1)
})

test('a type that the list has and Amazon does not: forwarded with the token of the caller', async (t) => {
  const pair = await startPair(t)
  const headers = { 'x-rdt-report-type': 'GET_ORDER_REPORT_DATA_TAX' }
  assert.equal(await ask(pair, 2, headers), '200 unrestricted-report')
})

test('x-rdt-mode: force asks for the RDT whatever is believed, and tells the refusal', async (t) => {
  const pair = await startPair(t)
  const answer = await pair.call(documentPath(2), pair.simulator.accessToken(), { headers: { 'x-rdt-mode': 'force' } })
  assert.equal(verdictOf(answer), 'rejected;mint-refused')
  assert.match((await firstErrorOf(answer)).details, /x-rdt-mode: skip/)
})

const LIST = JSON.stringify({
  reports: [
    { reportType: 'GET_MERCHANT_LISTINGS_ALL_DATA', reportDocumentId: documentId(2) },
    { reportType: 'GET_SOMETHING_UNFINISHED' },
  ],
})
const mintsAfter = async (answer: (res: ServerResponse) => void, t: Parameters<typeof startWorld>[0]) => {
  const world = await startWorld(t, {
    answer: (req, res) => (req.url?.startsWith(REPORTS) ? answer(res) : void res.end('{}')),
  })
  const headers = { 'x-amz-access-token': LWA, 'accept-encoding': 'gzip' }
  const listing = await answerTo(open(world.base, 'GET', REPORTS, headers).end())
  const bytes = Buffer.concat(await listing.toArray())
  await fetch(world.base + documentPath(2), { headers })
  return { bytes, mints: world.upstream.mints.length }
}
const encoded = (encoding: string, body: Buffer) => (res: ServerResponse) => {
  res.setHeader('content-encoding', encoding)
  res.write(body.subarray(0, 10))
  setTimeout(() => res.end(body.subarray(10)), 20)
}

for (const [encoding, body] of [
  ['gzip', gzipSync(LIST)],
  ['br', brotliCompressSync(LIST)],
  ['deflate', deflateSync(LIST)],
  ['identity', Buffer.from(LIST)],
] as const) {
  test(`learned from an answer encoded as ${encoding}, whose bytes are the caller's`, async (t) => {
    const { bytes, mints } = await mintsAfter(encoded(encoding, body), t)
    assert.ok(bytes.equals(body))
    assert.equal(mints, 0)
  })
}

const UNREADABLE: readonly (readonly [string, string, Buffer])[] = [
  ['cut gzip', 'gzip', gzipSync(LIST).subarray(0, 40)],
  ['an unknown encoding', 'zstd', Buffer.from(LIST)],
  ['not JSON', 'identity', Buffer.from('<html>')],
  ['JSON of another shape', 'identity', Buffer.from('{"reports":[null,1,{"reportType":1,"reportDocumentId":[]}]}')],
  ['a gzip bomb', 'gzip', gzipSync(Buffer.alloc(50_000_000))],
]
for (const [what, encoding, body] of UNREADABLE) {
  test(`nothing is learned from ${what}, and it arrives as it came`, async (t) => {
    const { bytes, mints } = await mintsAfter(encoded(encoding, body), t)
    assert.ok(bytes.equals(body))
    assert.equal(mints, 1)
  })
}

test('a list is read along, not held back: its first half arrives before its second is sent', async (t) => {
  let finish = () => {}
  const world = await startWorld(t, {
    answer: (_req, res) => {
      res.write(LIST.slice(0, 20))
      finish = () => void res.end(LIST.slice(20))
    },
  })
  const listing = await answerTo(open(world.base, 'GET', REPORTS, { 'x-amz-access-token': LWA }).end())
  const chunks = listing.iterator()
  assert.equal((await chunks.next()).value.toString(), LIST.slice(0, 20))
  finish()
  assert.equal((await chunks.next()).value.toString(), LIST.slice(20))
})

test('a list of fifty megabytes passes by and is not kept', async (t) => {
  const megabyte = Buffer.alloc(1_048_576, 32)
  const world = await startWorld(t, {
    answer: async (_req, res) => {
      for (let i = 0; i < 50; i += 1)
        if (!res.write(megabyte)) await new Promise((resolve) => res.once('drain', resolve))
      res.end()
    },
  })
  const listing = await answerTo(open(world.base, 'GET', REPORTS, { 'x-amz-access-token': LWA }).end())
  const buffers = watchBuffers()
  let bytes = 0
  for await (const chunk of listing) {
    bytes += chunk.length
    buffers.look(bytes)
  }
  assert.equal(bytes, 50 * 1_048_576)
  assert.ok(buffers.most() < 8 * 1_048_576, `${buffers.most()} bytes held`)
})
