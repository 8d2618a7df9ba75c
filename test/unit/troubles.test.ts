import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { type Condition, problemsOf } from '../../src/admin/problems.ts'
import { ERROR_NAMES } from '../../src/sp-api/errors.ts'
import { createTroubles, type Kind, type Occurrence } from '../../src/telemetry/troubles.ts'

const QUARTER_HOUR = 900_000
const REFUSED: Occurrence = { kind: 'mint-refused', cause: 'role', operation: 'a.b', status: 400, who: 'seller' }

const start = () => {
  let time = 0
  return {
    troubles: createTroubles({ now: () => time }),
    pass: (ms: number): void => {
      time += ms
    },
  }
}

test('what happens again is one trouble, with how often and since when', () => {
  const { troubles, pass } = start()
  troubles.happened(REFUSED)
  pass(60_000)
  troubles.happened({ ...REFUSED, status: 403, code: 'Unauthorized', who: 'another' })
  pass(5000)
  assert.deepEqual(troubles.read(), [
    {
      kind: 'mint-refused',
      cause: 'role',
      operation: 'a.b',
      status: 403,
      code: 'Unauthorized',
      times: 2,
      firstSecondsAgo: 65,
      lastSecondsAgo: 5,
      wentWellSince: false,
    },
  ])
})

test('other causes, operations and kinds are other troubles; the latest comes first', () => {
  const { troubles, pass } = start()
  const others: Partial<Occurrence>[] = [{}, { cause: 'token' }, { operation: 'a.c' }, { kind: 'mint-throttled' }]
  for (const one of others) {
    troubles.happened({ ...REFUSED, ...one })
    pass(1)
  }
  const read = troubles.read().map(({ kind, cause, operation }) => ({ kind, cause, operation }))
  assert.deepEqual(
    read,
    others.map((one) => ({ kind: REFUSED.kind, cause: REFUSED.cause, operation: REFUSED.operation, ...one })).reverse(),
  )
})

test('it has gone well since only where it did for the same one and the same operation, until it happens again', () => {
  const { troubles, pass } = start()
  const wellSince = () => troubles.read().map(({ wentWellSince }) => wentWellSince)
  troubles.happened(REFUSED)
  troubles.wentWell('another', 'a.b')
  troubles.wentWell('seller', 'a.c')
  troubles.wentWell('seller')
  assert.deepEqual(wellSince(), [false])
  assert.equal(troubles.anyOpen(), true)
  troubles.wentWell('seller', 'a.b')
  assert.deepEqual([wellSince(), troubles.anyOpen()], [[true], false])
  pass(1)
  troubles.happened({ kind: 'missing-token', operation: 'a.b' }) // nobody's: nothing shows that it is over
  assert.deepEqual([wellSince(), troubles.anyOpen()], [[false, true], false]) // behind those that are open
  troubles.happened(REFUSED)
  assert.deepEqual(wellSince(), [false, false])
})

test('a quarter of an hour after its last time a trouble is forgotten, and what comes then is new', () => {
  const { troubles, pass } = start()
  troubles.happened(REFUSED)
  pass(QUARTER_HOUR)
  assert.equal(troubles.read().length, 1)
  pass(1)
  assert.deepEqual(troubles.read(), [])
  troubles.happened(REFUSED)
  assert.equal(troubles.read()[0]?.times, 1)
})

test('those that are open come before those that went well, whichever came last', () => {
  const { troubles, pass } = start()
  troubles.happened({ kind: 'missing-token' })
  pass(1)
  troubles.happened(REFUSED)
  troubles.wentWell('seller', 'a.b')
  assert.deepEqual(
    troubles.read().map(({ kind }) => kind),
    ['missing-token', 'mint-refused'],
  )
})

test('whom it was first for is not whom it was last for: it goes well where it does for the latter', () => {
  const { troubles } = start()
  troubles.happened(REFUSED)
  troubles.happened({ ...REFUSED, who: 'another' })
  troubles.wentWell('seller', 'a.b')
  assert.equal(troubles.read()[0]?.wentWellSince, false)
  troubles.wentWell('another', 'a.b')
  assert.equal(troubles.read()[0]?.wentWellSince, true)
})

test('of several that are of the same one and operation, all have gone well', () => {
  const { troubles, pass } = start()
  for (const kind of ['mint-refused', 'mint-throttled', 'fallback'] as const) troubles.happened({ ...REFUSED, kind })
  troubles.wentWell('seller', 'a.b')
  assert.ok(troubles.read().every(({ wentWellSince }) => wentWellSince))
  pass(QUARTER_HOUR + 1)
  troubles.happened({ ...REFUSED, who: undefined })
  assert.deepEqual(troubles.read().length, 1)
})

test('those that are forgotten are not those that happen on', () => {
  const { troubles, pass } = start()
  troubles.happened({ kind: 'draining' })
  troubles.happened(REFUSED)
  pass(QUARTER_HOUR)
  troubles.happened({ kind: 'draining' })
  pass(1)
  assert.deepEqual(
    troubles.read().map(({ kind, times }) => [kind, times]),
    [['draining', 2]],
  )
  assert.equal(troubles.anyOpen(), false)
})

const KINDS: readonly Kind[] = [
  ...ERROR_NAMES,
  'fallback',
  'replay-failed',
  'amazon-failing',
  'mint-failed',
  'renewal-failed',
  'lwa-failed',
  'store-unreadable',
  'connections-refused',
]
const CONDITIONS: readonly Condition[] = [
  'store-alone',
  'secrets-refused',
  'plan-used-up',
  'reload-failed',
  'plaintext',
]
const CAUSES = ['elements', 'document', 'token', 'denied', 'role', 'throttled', 'network', 'server_error']
const MORE_CAUSES = ['bad_response', 'refused', 'invalid_client', 'invalid_grant', 'unauthorized_client', undefined]

test('each problem says what it is and what to do, and its alert is one of those that ring', () => {
  const { troubles } = start()
  for (const kind of KINDS) for (const cause of [...CAUSES, ...MORE_CAUSES]) troubles.happened({ kind, cause })
  const problems = problemsOf(CONDITIONS, troubles.read())
  assert.equal(problems.length, CONDITIONS.length + KINDS.length * (CAUSES.length + MORE_CAUSES.length))
  const root = path.join(import.meta.dirname, '../..')
  const rules = JSON.stringify(parse(readFileSync(path.join(root, 'helm/files/alerts.yaml'), 'utf8')))
  const runbook = readFileSync(path.join(root, 'docs/runbook.md'), 'utf8')
  for (const { what, cure, alert } of problems) {
    assert.match(what, /^[A-Z].*\.$/)
    assert.match(cure, /^[A-Z].*\.$/)
    if (alert === undefined) continue
    assert.ok(rules.includes(`"alert":"${alert}"`), alert)
    assert.ok(runbook.includes(`\n## ${alert}\n`), alert)
  }
})

test('causes of the same kind have cures of their own', () => {
  const { troubles } = start()
  for (const cause of ['elements', 'document', 'token', 'denied', 'role'])
    troubles.happened({ kind: 'mint-refused', cause })
  const cures = problemsOf([], troubles.read()).map(({ cure }) => cure)
  assert.equal(new Set(cures).size, 5)
})
