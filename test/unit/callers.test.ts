import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { secretOf } from '../../src/config/secrets.ts'
import { createCallers } from '../../src/proxy/callers.ts'

test('every token is compared, in constant time, whichever of them is shown', (t) => {
  const callers = createCallers()
  const row = (name: string, ...tokens: string[]) => ({
    name,
    key: name,
    tokens: tokens.map(secretOf),
    sellers: undefined,
    operations: undefined,
  })
  callers.configure([row('orders', 'first', 'second'), row('reports', 'a much longer third one')])
  const { mock } = t.mock.method(crypto, 'timingSafeEqual') // Node's own, listened to
  syncBuiltinESMExports()
  t.after(syncBuiltinESMExports)
  const shown = {
    first: 'orders',
    second: 'orders',
    'a much longer third one': 'reports',
    'firs\0': undefined,
    '': undefined,
  }
  for (const [token, name] of Object.entries(shown)) {
    mock.resetCalls()
    assert.equal(callers.find(token)?.name, name, token)
    assert.deepEqual(
      mock.calls.map(({ arguments: both }) => both.map(({ byteLength }) => byteLength)),
      Array(3).fill([32, 32]),
      token,
    )
  }
  mock.restore()
})
