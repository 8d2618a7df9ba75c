/** What can happen to bytes between a sidecar and its store. A real Redis is at the other end, and is as well as ever. */
import type { Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { type FaultyRoad, type Manner, startFaultyRoad } from '../support/faulty-road.ts'
import { startFleet } from '../support/fleet.ts'
import { after } from '../support/many.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { AMPLE, type StoreFault, tryFaults } from '../support/store-faults.ts'

type OnTheWay = Manner & { readonly what: string }

const half = (chunk: Buffer): Buffer => chunk.subarray(0, Math.ceil(chunk.length / 2))
const inTurn = (replies: readonly string[]) => {
  let next = 0
  return (_chunk: Buffer, near: { write: (text: string) => unknown }): void => {
    near.write(replies[next++ % replies.length] ?? '')
  }
}

const silent = new WeakSet<Socket>()
const trickling = new WeakMap<Socket, Promise<void>>()
const trickle = async (chunk: Buffer, near: Socket): Promise<void> => {
  for (const byte of chunk) {
    if (near.destroyed) return
    near.write(Buffer.of(byte))
    await after(50)
  }
}

const CONNECTIONS: readonly OnTheWay[] = [
  { what: 'reset before the request', arrive: (near) => near.resetAndDestroy() },
  { what: 'closed before the request', arrive: (near) => near.end() },
  { what: 'reset after the request, which Redis never gets', toStore: (_, near) => near.resetAndDestroy() },
  { what: 'reset after the request, which Redis has carried out', toSidecar: (_, near) => near.resetAndDestroy() },
  { what: 'nothing passes any more', toStore: () => {}, toSidecar: () => {} },
]
const HALVES: readonly OnTheWay[] = [
  {
    what: 'reset in the middle of a reply',
    toSidecar: (chunk, near) => near.write(half(chunk), () => near.resetAndDestroy()),
  },
  { what: 'closed in the middle of a reply', toSidecar: (chunk, near) => near.end(half(chunk)) },
  {
    what: 'half a reply, and silence',
    toSidecar: (chunk, near) => {
      if (!silent.has(near)) near.write(half(chunk))
      silent.add(near)
    },
  },
  {
    what: 'a trickle: a byte every 50 ms',
    toSidecar: (chunk, near) => {
      const passed = trickling.get(near) ?? Promise.resolve()
      trickling.set(
        near,
        passed.then(() => trickle(chunk, near)),
      )
    },
  },
]
const REPLIES: readonly OnTheWay[] = [
  {
    what: 'HTTP in the place of a reply',
    toSidecar: inTurn(['HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n']),
  },
  { what: 'bytes that are no reply', toSidecar: inTurn(['\x00\x01\xff\r\n', '\r\n\r\n', '&&&\r\n', '?']) },
  {
    what: 'replies of another kind than was asked for',
    toSidecar: inTurn([
      ':7\r\n',
      '+OK\r\n',
      '$-1\r\n',
      '*0\r\n',
      '*1\r\n*1\r\n:1\r\n',
      '$3\r\nfoo\r\n',
      '*2\r\n$5\r\nvalue\r\n:99\r\n',
      '*7\r\n$5\r\nvalue\r\n:99\r\n:9\r\n:90000000\r\n:1\r\n$1\r\n1\r\n$1\r\nx\r\n',
    ]),
  },
  {
    what: 'replies that nobody has asked for',
    toSidecar: inTurn(['>1\r\n_\r\n', '>2\r\n+message\r\n_\r\n', '>3\r\n+subscribe\r\n+a\r\n:1\r\n']),
  },
  { what: 'half a gigabyte announced', toSidecar: inTurn(['$536870912\r\nand']) },
  {
    what: 'errors: LOADING, BUSY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, MOVED, NOPERM, NOSCRIPT, ERR',
    toSidecar: inTurn([
      '-LOADING Redis is loading the dataset in memory\r\n',
      '-BUSY Redis is busy running a script\r\n',
      '-MASTERDOWN Link with MASTER is down\r\n',
      '-CLUSTERDOWN The cluster is down\r\n',
      '-TRYAGAIN Multiple keys request during rehashing of slot\r\n',
      '-MOVED 3999 127.0.0.1:1\r\n',
      '-NOPERM this user has no permissions\r\n',
      '-NOSCRIPT No matching script\r\n',
      '-ERR unknown command\r\n',
    ]),
  },
]

const start = async (t: TestContext) => {
  const redis = await startRedis(t)
  const road = await startFaultyRoad(t, redis.port)
  const env = { ...AMPLE, SIDECAR_STORE_URL: `redis://127.0.0.1:${road.port}` }
  return { road, fleet: await startFleet(t, { replicas: 1, redis, env }) }
}

const faultOn = (road: FaultyRoad, { what, ...manner }: OnTheWay): StoreFault => ({
  what,
  begin: () => {
    road.behave(manner)
    if (manner.arrive) road.cut()
  },
  end: () => {
    road.behave({})
    road.cut() // what was left out, or put in, would be missing, or too much, for ever
  },
})

describe('between a sidecar and its store', { skip: noRedis, concurrency: 3 }, () => {
  for (const [group, faults] of Object.entries({ connections: CONNECTIONS, 'half replies': HALVES, replies: REPLIES }))
    test(`${group}: every call gets its RDT in time, once, and the store is used again`, async (t) => {
      const { road, fleet } = await start(t)
      await tryFaults(
        t,
        fleet,
        faults.map((fault) => faultOn(road, fault)),
      )
    })
})
