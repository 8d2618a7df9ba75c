/** What can happen to a Redis that is the store: to its name, its certificate, its room, its data, its clock. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { authority, type Certificate, noOpenssl, selfSigned } from '../support/certificates.ts'
import { folderFor } from '../support/cli.ts'
import { type FaultyRoad, startFaultyRoad } from '../support/faulty-road.ts'
import { startFleet } from '../support/fleet.ts'
import { many, until } from '../support/many.ts'
import { noRedis, type Redis, startRedis } from '../support/redis.ts'
import { AMPLE, type StoreFault, tryFaults } from '../support/store-faults.ts'
import { needs } from '../support/tools.ts'
import { DAY_MS, noFaketime, startWallClock, type WallClock } from '../support/wall-clock.ts'

/** All connections lead to another port, from now on. */
const leadTo = (road: FaultyRoad, port: number): void => {
  road.behave({
    arrive: (near) => {
      const other = connect(port, '127.0.0.1').on('error', () => {})
      near.pipe(other).pipe(near)
      near.on('close', () => other.destroy())
    },
    toStore: () => {},
    toSidecar: () => {},
  })
  road.cut()
}
const leadOn = (road: FaultyRoad): void => {
  road.behave({})
  road.cut()
}
const elsewhere = (what: string, road: FaultyRoad, port: number): StoreFault => ({
  what,
  begin: () => leadTo(road, port),
  end: () => leadOn(road),
})

const name = (file: string, road: FaultyRoad): StoreFault => ({
  what: 'its name is not found',
  begin: () => {
    rmSync(file)
    road.cut()
  },
  end: () => writeFileSync(file, ''),
})

const room = (redis: Redis, road: FaultyRoad): StoreFault => {
  let others: readonly Socket[] = []
  return {
    what: 'no room for another connection (`maxclients`)',
    begin: async () => {
      others = await many(3, async () => connect(redis.port, '127.0.0.1').on('error', () => {}))
      await redis.cli('CONFIG', 'SET', 'maxclients', 3)
      road.cut()
    },
    end: () => {
      for (const other of others) other.destroy()
    },
  }
}

const snapshot = (redis: Redis): StoreFault => {
  const inTheWay = path.join(redis.folder, 'dump.rdb')
  const save = async (status: 'ok' | 'err') => {
    await redis.cli('BGSAVE')
    await until(async () => String(await redis.cli('INFO', 'persistence')).includes(`rdb_last_bgsave_status:${status}`))
  }
  return {
    what: 'MISCONF: its snapshots fail',
    begin: async () => {
      mkdirSync(inTheWay)
      await redis.cli('CONFIG', 'SET', 'save', '3600 1')
      await save('err')
    },
    end: async () => {
      rmdirSync(inTheWay)
      await save('ok')
    },
  }
}

const loading = (redis: Redis): StoreFault => {
  let restarted: Promise<void>
  return {
    what: 'LOADING: restarted, and long at reading what it had saved',
    begin: async () => {
      await redis.cli('EVAL', "for i = 1, 300 do redis.call('SET', 'key' .. i, string.rep('x', 100)) end", 0)
      await redis.cli('SAVE')
      restarted = redis.restart()
    },
    end: () => restarted,
  }
}

const disk = (redis: Redis): StoreFault => {
  const limit = (bytes: number | 'unlimited') =>
    promisify(execFile)('prlimit', ['--pid', `${redis.pid()}`, `--fsize=${bytes}:unlimited`])
  return {
    what: 'MISCONF: no room on its disk (append-only file)',
    begin: () => limit(1000),
    end: () => limit('unlimited'),
  }
}

const certificate = (redis: Redis, road: FaultyRoad, what: string, { certFile, keyFile }: Certificate): StoreFault => ({
  what: `its certificate ${what}`,
  begin: async () => {
    await redis.cli('CONFIG', 'SET', 'tls-cert-file', certFile, 'tls-key-file', keyFile)
    road.cut()
  },
  end: () => redis.restart(),
})

const jump = (clock: WallClock, what: string, ms: number): StoreFault => ({
  what: `its clock jumps ${what}`,
  begin: () => clock.put(ms),
  end: () => {},
  mayPassUnnoticed: true,
})

describe('a Redis in trouble: every call gets its RDT in time, once, and the store is used again', {
  skip: noRedis || noOpenssl || noFaketime || needs('prlimit'),
  concurrency: 3,
}, () => {
  test('name, connections, data', async (t) => {
    const settings = ['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024']
    const [redis, secure] = [await startRedis(t, { settings }), await startRedis(t, { tls: true })]
    const road = await startFaultyRoad(t, redis.port)
    const names = path.join(folderFor(t), 'names')
    writeFileSync(names, '')
    const env = {
      ...AMPLE,
      NODE_OPTIONS: `--import=${pathToFileURL(path.join(import.meta.dirname, '../support/names.ts'))}`,
      NAMES_FILE: names,
      SIDECAR_STORE_URL: `redis://redis.test:${road.port}`,
      SIDECAR_STORE_INSECURE_PLAINTEXT: 'true',
    }
    await tryFaults(t, await startFleet(t, { replicas: 1, redis, env }), [
      name(names, road),
      elsewhere('it speaks TLS, the sidecar does not', road, secure.port),
      room(redis, road),
      snapshot(redis),
      loading(redis),
    ])
  })

  test('TLS', async (t) => {
    const [redis, plain] = [await startRedis(t, { tls: true }), await startRedis(t)]
    const road = await startFaultyRoad(t, redis.port)
    const folder = folderFor(t)
    const known = authority(folder, 'known')
    const caFile = path.join(folder, 'authorities.pem')
    const namedOtherwise = selfSigned(folder, 'named-otherwise', 'DNS:elsewhere.test')
    writeFileSync(caFile, [readFileSync(redis.caFile ?? '', 'utf8'), known.cert, namedOtherwise.cert].join(''))
    const env = {
      ...AMPLE,
      SIDECAR_STORE_URL: `rediss://127.0.0.1:${road.port}`,
      SIDECAR_STORE_CA_FILE: caFile,
    }
    await tryFaults(t, await startFleet(t, { replicas: 1, redis, env }), [
      certificate(redis, road, 'is one that vouches for itself', selfSigned(folder, 'stranger')),
      certificate(redis, road, 'has run out', known.issue('late', -1)),
      certificate(redis, road, 'is for another name', namedOtherwise),
      elsewhere('it speaks plaintext, the sidecar TLS', road, plain.port),
    ])
  })

  test('disk and clock', async (t) => {
    const clock = startWallClock(t)
    const redis = await startRedis(t, {
      settings: ['--appendonly', 'yes'],
      through: [...clock.through, 'env', '--ignore-signal=XFSZ'],
    })
    await tryFaults(t, await startFleet(t, { replicas: 1, redis, env: AMPLE }), [
      disk(redis),
      jump(clock, 'a day forward', DAY_MS),
      jump(clock, 'two days back', -DAY_MS),
    ])
  })
})
