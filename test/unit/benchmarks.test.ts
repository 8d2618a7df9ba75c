import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { answerReader } from '../bench/answers.ts'
import { sharesOf } from '../bench/attribution.ts'
import { BARE, OPEN, RESTRICTED } from '../bench/contenders.ts'
import { figure, tableOf } from '../bench/report.ts'
import { contendersTable, targetsTable } from '../bench/side-by-side.ts'
import { quantile, spreadOf } from '../bench/stats.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

for (const [name, page] of Object.entries({ bench: 'docs/benchmarks.md', 'fleet-costs': 'docs/store.md' }))
  test(`every line that the README quotes of ${page} is there`, () => {
    const quotes = [...read('README.md').matchAll(new RegExp(`<!-- ${name}:[^>]*-->\\n([\\s\\S]*?)\\n\\n`, 'g'))]
    const quoted = quotes.flatMap(([, lines = '']) => lines.split('\n'))
    assert.ok(quoted.length > 0)
    const held = new Set(read(page).split('\n'))
    for (const line of quoted) assert.ok(held.has(line), line)
  })

test('docs/benchmarks.md says when, on what machine and with what versions', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package-lock.json')).packages['']
  assert.match(read('docs/benchmarks.md'), /^Measured 20\d\d-\d\d-\d\d on \d+ × .*Node \d+\./m)
  for (const name of ['express', 'http-proxy-middleware', '@fastify/http-proxy']) {
    assert.ok({ ...dependencies, ...devDependencies }[name], name)
    assert.match(read('docs/benchmarks.md'), new RegExp(`^Measured .*, ${name} \\d`, 'm'))
  }
})

test('docs/benchmarks.md holds all sections, and the README the table of mints', () => {
  const titles = [...read('docs/benchmarks.md').matchAll(/^## (.*)$/gm)].map(([, title]) => title)
  assert.deepEqual(titles, [
    'Side by side',
    'Where the time goes',
    'Growth',
    'Added latency',
    'Streaming',
    'Start and idle memory',
    'Mint economy',
  ])
  assert.match(read('README.md'), /^\| how \| client \| mints asked for \|/m)
})

const answer = (head: string, body: string): string =>
  `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`

test('answers are counted at their ends, however they are cut', () => {
  const bytes = Buffer.from(answer('200 OK', 'one').repeat(3) + answer('200 OK', ''))
  for (let size = 1; size <= bytes.length; size += 1) {
    let answers = 0
    const take = answerReader(() => {
      answers += 1
    })
    for (let at = 0; at < bytes.length - 1; at += size) take(bytes.subarray(at, Math.min(at + size, bytes.length - 1)))
    assert.equal(answers, 3, `${size} bytes a chunk`)
    take(bytes.subarray(-1))
    assert.equal(answers, 4, `${size} bytes a chunk`)
  }
})

test('an answer that is no 200, has no length or lacks what is expected is an error', () => {
  const take = (text: string) => () => answerReader(() => {}, 'x-rdt-verdict: hit')(Buffer.from(text))
  assert.throws(take(answer('502 Bad Gateway\r\nx-rdt-verdict: hit', 'x')), /was not wanted: HTTP\/1\.1 502/)
  assert.throws(take('HTTP/1.1 200 OK\r\nx-rdt-verdict: hit\r\n\r\nx'), /was not wanted/)
  assert.throws(take(answer('200 OK', 'x')), /no x-rdt-verdict: hit/)
  assert.doesNotThrow(take(answer('200 OK\r\nx-rdt-verdict: hit', 'x')))
})

test('medians and quartiles lie between the two nearest values', () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4, quartiles: [1.75, 3.25] })
  assert.equal(quantile([10], 0.99), 10)
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('the sidecar is divided by the other proxy, round by round, and an aim is met at or under it', () => {
  const row = (name: string, ...processor: readonly number[]) => ({
    contender: { name },
    samples: processor.map((one) => ({ processor: one, count: 1, perSecond: 1000, p50: 2000, p99: 3000 })),
  })
  const rows = [row(RESTRICTED, 110, 300, 90), row(OPEN, 95, 190, 95), row(BARE, 100, 200, 100)]
  assert.deepEqual(targetsTable(rows).split('\n').slice(2), [
    `| ${RESTRICTED} | ≤ 1.00 | 1.10 (1.00–1.30) | **not met** |`,
    `| ${OPEN} | ≤ 0.95 | 0.95 (0.95–0.95) | met |`,
  ])
  assert.equal(
    contendersTable(rows).split('\n').at(-1),
    `| ${BARE} | 100 | 1.10 (1.00–1.30) | 0.95 (0.95–0.95) | 2.00 | 3.00 | 1,000 |`,
  )
})

test('figures have three digits that count, and columns of numbers stand right', () => {
  assert.deepEqual([0.1234, 1.234, 12.34, 123.4, 12_345].map(figure), ['0.123', '1.23', '12.3', '123', '12,345'])
  const columns = [{ name: 'proxy', align: 'left' as const }, { name: 'µs' }]
  assert.equal(tableOf(columns, [['a -- b', '1']]), '| proxy | µs |\n|--|--:|\n| a -- b | 1 |')
})

test('a sample counts to the function that ran, a builtin to its caller; idle samples and late ones to nobody', () => {
  const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
    id,
    callFrame: { functionName, url },
    children,
  })
  const shares = sharesOf({
    nodes: [
      node(1, '(root)', '', [2, 3, 5]),
      node(2, '(idle)', ''),
      node(3, 'handle', 'file:///x/dist/proxy/handle.js', [4, 6]),
      node(4, 'replace', ''),
      node(5, '(garbage collector)', ''),
      node(6, 'writev', ''),
    ],
    samples: [2, 3, 4, 5, 6, 2, 3, 4, 4, 6, 6, 6, 6],
    timeDeltas: [250, 251, 249, 250, 250, 250, 250, 250, 250, 250, 250, 250, 4000],
  })
  assert.deepEqual(
    [...shares],
    [
      ['sidecar: proxy', 0.5],
      ['garbage collection', 0.1],
      ['native: writes to sockets', 0.4],
    ],
  )
})
