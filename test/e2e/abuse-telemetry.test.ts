/** What abusers do to metrics and logs: so many series and lines as there are kinds of calls, and nothing of what they sent. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDRESS, garbage, ORDER, ownMint } from '../support/abuse.ts'
import { until } from '../support/many.ts'
import { type Pair, startPair } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'
import { MINT_PATH } from '../support/simulator-client.ts'

const MARK = 'marked'

/** Calls of every kind, raw ones too, each with a mark in all that a caller can write. */
const storm = async (pair: Pair, round: string): Promise<void> => {
  const marked = `${MARK}-${round}`
  const headers = {
    'x-rdt-seller': marked,
    'x-rdt-caller-token': marked,
    'user-agent': marked,
    'x-amzn-requestid': marked,
  }
  for (const token of [garbage(marked), `Atz.sprdt|${marked}`, undefined])
    for (const target of [
      ADDRESS,
      `${ORDER}-${marked}/address?${marked}`,
      `/${marked}`,
      `/${marked}%0a%1b[31m`,
      `/../${marked}`,
    ])
      for (const init of [
        {},
        { headers },
        { headers: { 'x-rdt-mode': marked } },
        { headers: { 'x-rdt-mode': 'force' } },
      ])
        await (await pair.call(target, token, init)).arrayBuffer()
  for (const init of [ownMint(`/${marked}`), { method: 'POST', body: marked }])
    await (await pair.call(MINT_PATH, garbage(marked), init)).arrayBuffer()
  for (const method of ['PROPFIND', 'TRACE', 'MKCOL', 'PURGE'])
    await exchange(pair.port, `${method} /${marked} HTTP/1.1\r\nHost: ${marked}\r\nConnection: close\r\n\r\n`)
  for (const bytes of [
    `GET /${marked} HTTP/9.9\r\n\r\n`,
    `${marked}\r\n\r\n`,
    `GET /\x1b${marked} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ])
    await exchange(pair.port, bytes)
}

const seriesOf = async ({ admin }: Pair): Promise<readonly string[]> => {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return [...text.matchAll(/^(rdt_\w+(?:\{.*\})?) /gm)].map(([, series = '']) => series)
}

/** Calls are counted by closed sets: a catalogue id or `other`, eight methods, a status, a verdict. */
const THEIRS =
  /^rdt_http_requests_total\{route="(other|[\w.-]+)",method="(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|other)",code="\d{3}",verdict="[a-z-]+"\}$/

test('no series is theirs: another storm adds none, and no label holds what they wrote', async (t) => {
  const pair = await startPair(t)
  const before = new Set(await seriesOf(pair))
  await storm(pair, 'one')
  const after = await seriesOf(pair)
  const added = after.filter((series) => !before.has(series))
  assert.ok(added.length > 5 && added.length < 60, `${added.length}`)
  for (const series of added) assert.match(series, THEIRS)
  assert.ok(!after.join().includes(MARK))
  for (let i = 0; i < 5; i += 1) await storm(pair, `more-${i}`)
  assert.deepEqual(await seriesOf(pair), after)
  const status = await (await fetch(`${pair.admin}/status`)).text()
  assert.ok(!status.includes(MARK))
})

test('no line is theirs: each is JSON of less than a kilobyte, with nothing of what they wrote', async (t) => {
  const pair = await startPair(t)
  await storm(pair, 'one')
  assert.ok(pair.lines.length > 100)
  for (const line of pair.lines) {
    assert.equal(line.trim().split('\n').length, 1)
    assert.ok(line.length < 1024 && typeof JSON.parse(line) === 'object', line)
    assert.ok(!line.includes(MARK), line)
  }
})

test('a garbage token is four lines at its first call and two at each that follows; fifty resources are no longer', async (t) => {
  const pair = await startPair(t)
  const linesOf = async (call: () => Promise<Response>) => {
    const before = pair.lines.length
    await (await call()).arrayBuffer()
    await until(() => pair.lines.slice(before).some((line) => line.includes('"refusal"')))
    return pair.lines.slice(before)
  }
  const paths = Array.from({ length: 50 }, (_, i) => `${ORDER}-${i}/address`)
  for (const [i, call] of [
    (token: string) => pair.call(ADDRESS, token),
    (token: string) => pair.call(MINT_PATH, token, ownMint(...paths)),
  ].entries()) {
    const lines = await linesOf(() => call(garbage(i)))
    assert.equal(lines.length, 4)
    assert.ok(Math.max(...lines.map(({ length }) => length)) < 512)
    for (let n = 0; n < 3; n += 1) assert.equal((await linesOf(() => call(garbage(i)))).length, 2)
  }
})
