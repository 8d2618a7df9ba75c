/** A sidecar with a store, as a process: when it ends, what it loads, what it prints. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { folderFor, lwaToken, serving, simulating } from '../support/cli.ts'
import { newKey } from '../support/fleet.ts'
import { loaded, tracing } from '../support/loaded.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { noRedis, type Redis, startRedis } from '../support/redis.ts'

const IN_FLIGHT = 'rdt_http_requests_in_flight'

type Options = { readonly redis?: Redis; readonly env?: Readonly<Record<string, string>>; readonly flags?: string[] }

const start = async (t: TestContext, { redis, env = {}, flags = [] }: Options) => {
  const folder = folderFor(t)
  const fileOf = (name: string, line: string): string => {
    const file = path.join(folder, name)
    writeFileSync(file, `${line}\n`, { mode: 0o600 })
    return file
  }
  const amazon = await simulating(t)
  const token = await lwaToken(amazon)
  const store = redis && {
    SIDECAR_STORE_URL: redis.url,
    SIDECAR_STORE_KEY_FILE: fileOf('key', newKey()),
    ...(redis.password && { SIDECAR_STORE_PASSWORD_FILE: fileOf('password', redis.password) }),
  }
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: amazon, ...store, ...env }, [], flags)
  return {
    ...sidecar,
    /** The status of a call for the `n`th order; its RDT is for that one alone. */
    ask: async (n: number): Promise<number> => {
      const headers = { 'x-amz-access-token': token, 'x-rdt-scope': 'specific' }
      const answer = await fetch(`${sidecar.base}/orders/v0/orders/902-${n}/address`, { headers })
      await answer.arrayBuffer()
      return answer.status
    },
    end: async () => {
      sidecar.child.kill('SIGTERM')
      return sidecar.finished
    },
  }
}

// They wait more than they work.
describe('a process with a store', { skip: noRedis, concurrency: 4 }, () => {
  for (const [what, begin] of [
    ['dead', (redis: Redis) => redis.kill()],
    ['frozen', (redis: Redis) => redis.freeze()],
  ] as const)
    test(`it ends when its drain is over, whoever waited for a permit of a small share; Redis is ${what}`, async (t) => {
      const redis = await startRedis(t)
      const env = {
        SIDECAR_STORE_SHARE: '0.02', // a permit every 50 s
        SIDECAR_MINT_MAX_WAIT_MS: '3000',
        SIDECAR_MINT_MAX_RESOURCES: '1',
      }
      const { ask, admin, child, out } = await start(t, { redis, env })
      await begin(redis)
      assert.equal(await ask(0), 200)
      let answered = 0
      const calls = many(8, async (n) => {
        assert.equal(await ask(n + 1), 429)
        answered += 1
      })
      await until(async () => (await metric({ admin }, IN_FLIGHT)) + answered === 8) // some know at once that it takes too long
      assert.ok(answered < 8)
      child.kill('SIGTERM')
      await until(() => out().includes('"stopped"'))
      await until(() => child.exitCode !== null, 10_000)
      await calls
    })

  test('without a store nothing of ioredis is loaded', async (t) => {
    const file = path.join(folderFor(t), 'loaded')
    const isOf = (name: string) => (url: string) => url.includes(`/node_modules/${name}/`)
    const alone = await start(t, { flags: tracing(file) })
    assert.equal(await alone.ask(0), 200)
    await alone.end()
    assert.ok(loaded(file).some(isOf('bottleneck')), 'what is loaded is seen')
    assert.deepEqual(loaded(file).filter(isOf('ioredis')), [])
    const redis = await startRedis(t)
    const shared = await start(t, { redis, flags: tracing(file) })
    await shared.end()
    assert.ok(loaded(file).some(isOf('ioredis')))
  })

  test('with DEBUG in its environment it prints its log and nothing else, the password of the store least of all', async (t) => {
    const redis = await startRedis(t, { password: 'hush-canary' })
    const { ask, admin, end } = await start(t, { redis, env: { DEBUG: '*' } })
    assert.equal(await ask(0), 200)
    assert.equal(await metric({ admin }, 'rdt_store_unreachable'), 0)
    assert.ok((await metric({ admin }, 'rdt_store_operations_total{operation="claim",outcome="won"}')) > 0)
    const { out, err } = await end()
    assert.equal(err, '')
    for (const line of out.trimEnd().split('\n')) assert.equal(typeof JSON.parse(line), 'object')
    assert.ok(!out.includes('canary'))
  })
})
