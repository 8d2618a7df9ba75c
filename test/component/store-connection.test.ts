import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createConnection as createConnectionTo, createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createBreaker } from '../../src/rdt/breaker.ts'
import { createConnection, type StoreAccess } from '../../src/store/connection.ts'
import { listen } from '../support/listen.ts'
import { after, until } from '../support/many.ts'
import { noRedis, type Redis, startRedis } from '../support/redis.ts'
import { now } from '../support/replicas.ts'

const TIMEOUT_MS = 250
const PAUSE_MS = 300

const connect = async (
  t: TestContext,
  { port }: Pick<Redis, 'port'>,
  address: Partial<StoreAccess> = {},
  longestPauseMs = PAUSE_MS,
  openMs = 10_000,
) => {
  const lost: string[] = []
  let found = 0
  const there: StoreAccess = {
    ...{ host: '127.0.0.1', port, tls: false, username: undefined, db: 0, password: undefined, ca: undefined },
    ...address,
  }
  const connection = createConnection({
    access: there,
    timeoutMs: TIMEOUT_MS,
    breaker: createBreaker({ now, random: () => 1, longestPauseMs }),
    onLost: (code) => void lost.push(code),
    onFound: () => {
      found += 1
    },
  })
  t.after(connection.close)
  await connection.open(openMs)
  const late: unknown[] = []
  /** `answer`, or why there was none. */
  const ask = async (): Promise<string> => {
    const result = await connection.ask('flush', ['flushes'], ['field'], (answer) => void late.push(answer))
    return 'failure' in result ? result.failure : 'answer'
  }
  return {
    connection,
    there,
    lost,
    late,
    found: (): number => found,
    ask,
    /** Asks until it is left alone; resolves to what came of that before. */
    askUntilSkipped: async (): Promise<ReadonlySet<string>> => {
      const outcomes = new Set<string>()
      for (let outcome = await ask(); outcome !== 'skipped'; outcome = await ask()) outcomes.add(outcome)
      return outcomes
    },
    askUntilAnswered: () => until(async () => (await ask()) === 'answer'),
  }
}

describe('the connection to the store', { skip: noRedis, concurrency: 4 }, () => {
  test('a store that is there is asked and answers', async (t) => {
    const redis = await startRedis(t)
    const { connection, ask, lost, found } = await connect(t, redis, { db: 3 })
    assert.ok(connection.reachable())
    assert.equal(await ask(), 'answer')
    assert.match(String(await redis.cli('INFO', 'keyspace')), /db3:keys=1/)
    assert.deepEqual([lost, found()], [[], 0], 'nothing was lost, nothing was found again')
  })

  type Trouble = {
    readonly begin: (redis: Redis) => unknown
    readonly end: (redis: Redis) => unknown
    /** What comes of questions before it is left alone. */
    readonly outcomes: readonly string[]
    /** What is told of it, by the end. */
    readonly codes: readonly string[]
  }
  const TROUBLES: Readonly<Record<string, Trouble>> = {
    frozen: {
      begin: (redis) => redis.freeze(),
      end: (redis) => redis.thaw(),
      outcomes: ['timeout'],
      codes: ['ETIMEDOUT'],
    },
    dead: {
      begin: (redis) => redis.kill(),
      end: (redis) => redis.restart(),
      outcomes: [],
      codes: ['closed', 'ECONNREFUSED'],
    },
    full: {
      begin: (redis) => redis.cli('CONFIG', 'SET', 'maxmemory', 1),
      end: (redis) => redis.cli('CONFIG', 'SET', 'maxmemory', 0),
      outcomes: ['error'],
      codes: ['OOM'],
    },
    'a replica of nobody': {
      begin: (redis) => redis.cli('REPLICAOF', '127.0.0.1', 1),
      end: (redis) => redis.cli('REPLICAOF', 'NO', 'ONE'),
      outcomes: ['error'],
      codes: ['READONLY'],
    },
  }

  for (const [what, { begin, end, outcomes, codes }] of Object.entries(TROUBLES))
    test(`a store that is ${what}: each question ends in time, it is left alone, and used again by itself`, async (t) => {
      const redis = await startRedis(t)
      const { connection, lost, found, ask, askUntilSkipped, askUntilAnswered } = await connect(t, redis)
      assert.equal(await ask(), 'answer')
      for (const round of [1, 2]) {
        await begin(redis)
        await until(async () => {
          const from = now()
          const seen = await askUntilSkipped()
          for (const outcome of seen)
            assert.ok(outcome === 'answer' || [...outcomes, 'error'].includes(outcome), outcome)
          assert.ok(now() - from < 10_000, 'of five none is waited for until its connection is given up')
          return !connection.reachable()
        })
        await until(() => lost.length === codes.length * round)
        await after(2 * PAUSE_MS)
        await askUntilSkipped()
        assert.deepEqual(lost, Array.from({ length: round }, () => codes).flat(), 'each code is told once')
        assert.equal(found(), round - 1)
        await end(redis)
        await askUntilAnswered()
        assert.ok(connection.reachable())
        assert.equal(found(), round)
      }
    })

  test('an answer that comes after its time is told, and no other', async (t) => {
    const redis = await startRedis(t)
    const { ask, late } = await connect(t, redis)
    assert.equal(await ask(), 'answer')
    redis.freeze()
    assert.equal(await ask(), 'timeout')
    assert.deepEqual(late, [])
    redis.thaw()
    await until(() => late.length > 0)
    assert.match(String(late[0]), /^\d{13}$/)
    assert.equal(late.length, 1)
  })

  test('an answer that has come while this process was busy is one in time', async (t) => {
    const redis = await startRedis(t)
    const { ask } = await connect(t, redis)
    assert.equal(await ask(), 'answer')
    const asked = ask()
    await new Promise(setImmediate)
    for (const from = now(); now() - from < 4 * TIMEOUT_MS; );
    assert.equal(await asked, 'answer')
  })

  test('without an answer five times in a row it is left alone, and asked once in a while', async (t) => {
    const redis = await startRedis(t)
    const { ask, connection } = await connect(t, redis)
    redis.freeze()
    for (let i = 0; i < 4; i += 1) assert.equal(await ask(), 'timeout')
    assert.ok(connection.reachable(), 'four are not five')
    assert.equal(await ask(), 'timeout')
    assert.ok(!connection.reachable())
    assert.equal(await ask(), 'skipped')
    const seen: string[] = []
    await until(async () => seen.push(await ask()) > 0 && seen.at(-1) !== 'skipped')
    assert.deepEqual([seen.at(-1), await ask()], ['timeout', 'skipped'])
  })

  test('of an error nothing is told but the word that it begins with', async (t) => {
    const redis = await startRedis(t)
    const { connection, lost } = await connect(t, redis)
    await redis.cli('SET', 'name canary', 'x')
    for (let i = 0; i < 5; i += 1)
      assert.deepEqual(await connection.ask('leave', ['name canary'], ['value canary']), { failure: 'error' })
    assert.deepEqual(lost, ['WRONGTYPE'])
  })

  for (const [what, password, code] of [
    ['no password', undefined, 'NOAUTH'],
    ['a wrong password', 'wrong canary', 'WRONGPASS'],
  ] as const)
    test(`with ${what} it is out of reach; with the right one it is used, without a restart`, async (t) => {
      const redis = await startRedis(t, { password: 'right' })
      const { connection, there, lost, found, ask, askUntilAnswered } = await connect(t, redis, { password })
      assert.ok(!connection.reachable())
      assert.equal(await ask(), 'skipped')
      await until(() => lost.includes(code))
      assert.ok(!JSON.stringify(lost).includes('canary'))
      connection.change({ ...there, password: 'right' })
      await askUntilAnswered()
      assert.equal(found(), 1)
      await redis.changePassword('another')
      await until(() => !connection.reachable())
      connection.change({ ...there, password: 'another' })
      await askUntilAnswered()
      assert.equal(found(), 2)
    })

  test('as a user with a name', async (t) => {
    const redis = await startRedis(t)
    await redis.cli('ACL', 'SETUSER', 'sidecar', 'on', '>secret', '~*', '+@all')
    const { ask } = await connect(t, redis, { username: 'sidecar', password: 'secret' })
    assert.equal(await ask(), 'answer')
    const other = await connect(t, redis, { username: 'nobody', password: 'secret' })
    assert.equal(await other.ask(), 'skipped')
  })

  test('whom nobody knows: opening ends when that is known; nothing at the port, or one who says nothing', async (t) => {
    const redis = await startRedis(t)
    redis.freeze()
    const silent = await connect(t, redis, {}, PAUSE_MS, 100)
    assert.equal(silent.connection.reachable(), false)
    await redis.kill()
    const nobody = await connect(t, redis, {}, PAUSE_MS, 3_600_000) // nor is that waited for in vain
    assert.deepEqual(nobody.lost, ['ECONNREFUSED'])
  })

  test('TLS: to whom the authority vouches for, and to nobody else', async (t) => {
    const redis = await startRedis(t, { tls: true })
    const ca = readFileSync(redis.caFile ?? '', 'utf8')
    assert.equal(await (await connect(t, redis, { tls: true, ca })).ask(), 'answer')
    const other = await connect(t, redis, { tls: true })
    await until(() => other.lost.length > 0)
    assert.equal(await other.ask(), 'skipped')
    assert.ok(other.lost.includes('DEPTH_ZERO_SELF_SIGNED_CERT'), `${other.lost}`)
  })

  test('a store that is connected to again is asked at once, and there, whatever it was in before', async (t) => {
    const redis = await startRedis(t)
    const { connection, ask, askUntilAnswered } = await connect(t, redis, {}, 60_000)
    redis.freeze()
    for (let i = 0; i < 5; i += 1) await ask()
    assert.equal(await ask(), 'skipped')
    await redis.restart()
    await until(connection.reachable)
    await redis.cli('CONFIG', 'SET', 'maxmemory', 1)
    assert.equal(await ask(), 'error')
    await redis.cli('CONFIG', 'SET', 'maxmemory', 0)
    await askUntilAnswered()
    await redis.restart()
    await until(() => !connection.reachable())
    await until(connection.reachable)
  })

  test('a connection on which nothing comes back is replaced by another', async (t) => {
    const redis = await startRedis(t)
    const silenced = new Set<Socket>()
    const relay = createServer((near) => {
      const far = createConnectionTo({ host: '127.0.0.1', port: redis.port })
      near.pipe(far).pipe(near)
      silenced.add(far)
      for (const socket of [near, far]) socket.on('error', () => {}).on('close', () => near.destroy() && far.destroy())
    })
    t.after(() => void relay.close())
    const port = await listen(relay)
    const { ask, askUntilAnswered, connection } = await connect(t, { port })
    assert.equal(await ask(), 'answer')
    for (const far of silenced) far.unpipe().pause()
    await until(async () => (await ask()) === 'timeout' && !connection.reachable())
    await askUntilAnswered()
  })

  test('a primary that has become a replica is left for the one that is reached now', async (t) => {
    const [old, next] = [await startRedis(t), await startRedis(t)]
    let primary = old
    const relay = createServer((near) => {
      const far = createConnectionTo({ host: '127.0.0.1', port: primary.port })
      near.pipe(far).pipe(near)
      for (const socket of [near, far]) socket.on('error', () => {})
    })
    t.after(() => void relay.close())
    const { ask, askUntilAnswered } = await connect(t, { port: await listen(relay) })
    assert.equal(await ask(), 'answer')
    await old.cli('REPLICAOF', '127.0.0.1', 1)
    primary = next
    await askUntilAnswered()
    assert.equal(await next.cli('DBSIZE'), 1)
  })

  test('a database that is not there is not replaced by another', async (t) => {
    const redis = await startRedis(t)
    const { ask, lost, connection } = await connect(t, redis, { db: 99 })
    await until(() => lost.includes('ERR'))
    assert.equal(await ask(), 'skipped')
    assert.ok(!connection.reachable())
    assert.equal(await redis.cli('DBSIZE'), 0)
  })

  test('a question that was answered leaves no timer behind', async (t) => {
    const { ask } = await connect(t, await startRedis(t))
    const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
    const before = timers()
    for (let i = 0; i < 50; i += 1) assert.equal(await ask(), 'answer')
    assert.ok(timers() < before + 25, `${timers()} timers`)
  })

  test('closing is told to nobody', async (t) => {
    const redis = await startRedis(t)
    const { connection, lost, ask } = await connect(t, redis)
    connection.close()
    await until(() => !connection.reachable())
    assert.equal(await ask(), 'skipped')
    assert.deepEqual(lost, [])
  })
})
