/** Instances are stopped and others take their place, under load. Counted where Amazon would be: no call is lost, none is sent twice. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { folderFor, servingWith } from '../support/cli.ts'
import { until } from '../support/many.ts'
import { assertAllOnce, rollingRestarts, startTakeovers, stop } from '../support/takeover.ts'

test('two instances are restarted one after the other under load: no call is lost, none is doubled', async (t) => {
  const { draining } = await rollingRestarts(t, { calls: 2000, restarts: 3 })
  assert.ok(draining > 0)
})

test('the next process takes over a Unix socket as soon as it is free: no call is lost, none is doubled', async (t) => {
  const { env, load } = await startTakeovers(t, 2000)
  const socketPath = path.join(folderFor(t), 'rdt.sock')
  const here = { ...env, SIDECAR_SOCKET_PATH: socketPath }
  const first = await servingWith(t, here)
  const { account, more } = await load(() => [{ socketPath }])
  const stopped = stop(first)
  await until(() => !existsSync(socketPath))
  await servingWith(t, here)
  await stopped
  await more()
  assertAllOnce(await account())
})
