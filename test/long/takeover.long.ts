/** Other ways in which one process takes the place of another, several times each, under load; and a kill, for contrast. */
import assert from 'node:assert/strict'
import { existsSync, renameSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { portOf } from '../support/asked.ts'
import { folderFor, type Running, serving, servingWith } from '../support/cli.ts'
import { freePort } from '../support/listen.ts'
import { after, until } from '../support/many.ts'
import { assertAllOnce, rollingRestarts, startTakeovers, stop } from '../support/takeover.ts'

const CALLS = Number(process.env['TAKEOVER_CALLS'] ?? 4000)
const TAKEOVERS = 3

test('two instances are restarted one after the other, five times, under 10,000 calls: none is lost, none is doubled', async (t) => {
  await rollingRestarts(t, { calls: 10_000, restarts: 5 })
})

test('the next process takes over the port when the one before has ended: no call is lost, none is doubled', async (t) => {
  const { env, load } = await startTakeovers(t, CALLS)
  const port = await freePort()
  const here = { ...env, SIDECAR_PORT: String(port) }
  let current = await servingWith(t, here)
  const { account, more } = await load(() => [{ port }])
  for (let i = 0; i < TAKEOVERS; i += 1) {
    await stop(current)
    current = await servingWith(t, here)
    await more()
  }
  assertAllOnce(await account())
})

test('the next process takes over a Unix socket as soon as it is free, again and again', async (t) => {
  const { env, load } = await startTakeovers(t, CALLS)
  const socketPath = path.join(folderFor(t), 'rdt.sock')
  const here = { ...env, SIDECAR_SOCKET_PATH: socketPath }
  let current = await servingWith(t, here)
  const { account, more } = await load(() => [{ socketPath }])
  for (let i = 0; i < TAKEOVERS; i += 1) {
    const stopped = stop(current)
    await until(() => !existsSync(socketPath))
    current = await servingWith(t, here)
    await stopped
    await more()
  }
  assertAllOnce(await account())
})

test('callers find a Unix socket by a symbolic link, which is moved to that of the next process: none finds nobody', async (t) => {
  const { env, load } = await startTakeovers(t, CALLS)
  const folder = folderFor(t)
  const link = path.join(folder, 'rdt.sock')
  const startAt = async (i: number): Promise<Running> => {
    const socketPath = path.join(folder, `${i}.sock`)
    const instance = await servingWith(t, { ...env, SIDECAR_SOCKET_PATH: socketPath })
    symlinkSync(socketPath, `${link}.next`)
    renameSync(`${link}.next`, link)
    return instance
  }
  let current = await startAt(0)
  const { account, more } = await load(() => [{ socketPath: link }])
  for (let i = 1; i <= TAKEOVERS; i += 1) {
    const before = current
    current = await startAt(i)
    await stop(before)
    await more()
  }
  const all = await account()
  assertAllOnce(all)
  assert.equal(all.moved.refused, 0)
})

test('a process that is killed takes the calls in flight with it, and no others; none is doubled', async (t) => {
  const { env, load } = await startTakeovers(t, CALLS)
  const one = async () => {
    const instance = await serving(t, env)
    return { ...instance, port: portOf(instance.base) }
  }
  const named = [await one(), await one()]
  const { callers, account, more } = await load(() => named)
  for (let i = 0; i < TAKEOVERS; i += 1) {
    const before = callers.lost.length
    named[0]?.child.kill('SIGKILL')
    await named[0]?.finished
    await after(200)
    assert.ok(callers.lost.length - before <= callers.count, 'one a caller')
    named.push(await one())
    named.shift()
    await more()
  }
  const { lost, arrived } = await account()
  assert.deepEqual(
    lost.filter((one) => !/ECONNRESET|EPIPE|socket hang up|aborted/.test(one)),
    [],
  )
  const doubled = arrived((count) => count > 1)
  const missing = arrived((count) => count === 0)
  t.diagnostic(JSON.stringify({ lost: lost.length, missing, doubled }))
  assert.equal(doubled, 0)
  assert.ok(missing <= lost.length)
})
