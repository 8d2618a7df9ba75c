/** Instances are stopped and others take their place, under load. Counted where Amazon would be: no call is lost, none is sent twice. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { portOf } from '../support/asked.ts'
import { folderFor, serving, servingWith } from '../support/cli.ts'
import { after, until } from '../support/many.ts'
import { assertAllOnce, startTakeovers, stop } from '../support/takeover.ts'

test('two instances are restarted one after the other, five times, under 10,000 calls: none is lost, none is doubled', async (t) => {
  const { env, load, longCalls } = await startTakeovers(t, 10_000)
  const one = async () => {
    const instance = await serving(t, env)
    return { ...instance, port: portOf(instance.base) }
  }
  const named = [await one(), await one()]
  const { account } = await load(() => named)
  const ended: Promise<void>[] = []
  for (let i = 0; i < 5; i += 1) {
    named.push(await one())
    const [oldest] = named
    assert.ok(oldest)
    const restart = async (): Promise<void> => {
      ended.push(stop(oldest))
      await until(async () => (await fetch(`${oldest.admin}/readyz`)).status === 503)
      await after(100) // so long the Service still names it
      named.shift()
    }
    await (i === 2 ? longCalls(restart) : restart())
    await Promise.all(ended)
  }
  const all = await account()
  assertAllOnce(all)
  assert.ok(all.moved.draining > 0)
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
