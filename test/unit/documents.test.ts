import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDocuments, DOCUMENTS } from '../../src/reports/documents.ts'

const ORIGIN = 'https://na'
const asker = (id = 'c1', origin = ORIGIN) => ({ origin, credential: { id } })
const start = (maxEntries = 100) =>
  createDocuments({ restrictedTypes: () => new Set(['GET_SECRET']), maxEntries, now: () => 1000 })
const report = (reportDocumentId: string, reportType: string) => ({ reportDocumentId, reportType })
const SECRET = 'GET_SECRET'
const OPEN = 'GET_OPEN'

test('which answers tell', () => {
  const { tells } = start()
  for (const path of ['/reports/2021-06-30/reports', '/reports/2021-06-30/reports/5']) assert.ok(tells('GET', path))
  for (const [method, path] of [
    ['POST', '/reports/2021-06-30/reports'],
    ['GET', '/reports/2021-06-30/reports/5/x'],
    ['GET', '/reports/2021-06-30/reportsX'],
    ['GET', '/reports/2021-06-30/schedules'],
  ] as const) {
    assert.ok(!tells(method, path), `${method} ${path}`)
  }
})

test('a list tells of all its reports, at its endpoint, to every credential', () => {
  const documents = start()
  documents.learn(ORIGIN, JSON.stringify({ reports: [report('a', SECRET), report('b', OPEN)] }))
  assert.equal(documents.standing(asker(), `${DOCUMENTS}a`), 'restricted')
  assert.equal(documents.standing(asker('c2'), `${DOCUMENTS}b`), 'unrestricted')
  assert.equal(documents.standing(asker('c1', 'https://eu'), `${DOCUMENTS}a`), 'unknown')
  assert.equal(documents.standing(asker(), '/orders/v0/orders/a'), undefined)
})

test('an id is the same however the path spells it', () => {
  const documents = start()
  documents.learn(ORIGIN, JSON.stringify(report('a:b c', SECRET)))
  assert.equal(documents.standing(asker(), `${DOCUMENTS}a:b%20c`), 'restricted')
  assert.equal(documents.standing(asker(), `${DOCUMENTS}a%3Ab%20c`), 'restricted')
  assert.equal(documents.standing(asker(), `${DOCUMENTS}%E0%A4`), 'unknown')
})

test("the caller's word goes before the list's, Amazon's before both, each for its credential", () => {
  const documents = start()
  const path = `${DOCUMENTS}a`
  documents.learn(ORIGIN, JSON.stringify(report('a', OPEN)))
  assert.equal(documents.standing(asker(), path, SECRET), 'restricted')
  assert.equal(documents.standing(asker(), path), 'restricted', 'kept')
  assert.equal(documents.standing(asker(), path, OPEN), 'unrestricted', 'and taken back')
  assert.equal(documents.standing(asker('c2'), path, SECRET), 'restricted')
  documents.found(asker(), path, 'restricted')
  assert.equal(documents.standing(asker(), path, OPEN), 'restricted')
  assert.equal(documents.standing(asker('c3'), path), 'unrestricted')
})

test('it holds so many and no more', () => {
  const documents = start(10)
  for (let i = 0; i < 1000; i += 1) documents.learn(ORIGIN, JSON.stringify(report(`${i}`, OPEN)))
  const known = Array.from({ length: 1000 }, (_, i) => documents.standing(asker(), `${DOCUMENTS}${i}`))
  assert.equal(known.filter((standing) => standing === 'unrestricted').length, 10)
})

for (const answer of [
  '',
  'null',
  '[]',
  '1',
  '{"reports":{}}',
  '{"reports":[null,1,"x",[]]}',
  '{"reportType":1,"reportDocumentId":"a"}',
]) {
  test(`nothing is learned from ${answer || 'nothing'}`, () => {
    const documents = start()
    documents.learn(ORIGIN, answer)
    assert.equal(documents.standing(asker(), `${DOCUMENTS}a`), 'unknown')
  })
}

test('a type that the list gains is restricted from then on, also of a document learned before', () => {
  let types = new Set<string>()
  const documents = createDocuments({ restrictedTypes: () => types, maxEntries: 10, now: () => 1000 })
  documents.learn('https://na', JSON.stringify({ reportType: 'GET_LATE', reportDocumentId: 'd1' }))
  const standing = () =>
    documents.standing({ origin: 'https://na', credential: { id: 'c' } }, '/reports/2021-06-30/documents/d1')
  assert.equal(standing(), 'unrestricted')
  types = new Set(['GET_LATE'])
  assert.equal(standing(), 'restricted')
})

test('however much callers say, what Amazon has said stays known', () => {
  const documents = start(10)
  documents.learn(ORIGIN, JSON.stringify(report('listed', OPEN)))
  documents.found(asker(), `${DOCUMENTS}proved`, 'unrestricted')
  for (let i = 0; i < 1000; i += 1) documents.standing(asker(`garbage ${i}`), `${DOCUMENTS}${i}`, SECRET)
  assert.equal(documents.standing(asker(), `${DOCUMENTS}listed`), 'unrestricted')
  assert.equal(documents.standing(asker(), `${DOCUMENTS}proved`), 'unrestricted')
})

test('what is said of an id that is none of Amazon’s, for its length, is taken and not kept', () => {
  const documents = start()
  const path = `${DOCUMENTS}${'a'.repeat(10_000)}`
  assert.equal(documents.standing(asker(), path, OPEN), 'unrestricted')
  assert.equal(documents.standing(asker(), path), 'unknown')
  documents.found(asker(), path, 'unrestricted')
  assert.equal(documents.standing(asker(), path), 'unknown')
})
