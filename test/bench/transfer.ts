/** Large bodies, sent and fetched; and a reader who stops reading. */
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** An operation that is not restricted. */
const PATH = '/feeds/2021-06-30/documents'
const CHUNK = Buffer.alloc(65_536, 'x')

export type Direction = 'down' | 'up'

/** Moves so many bytes through the port; rejects where fewer arrive. */
export const transfer = (direction: Direction, port: number, bytes: number): Promise<void> =>
  direction === 'down' ? download(port, bytes) : upload(port, bytes)

const download = (port: number, bytes: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path: `${PATH}?bytes=${bytes}`, agent: false }, (res) => {
      let arrived = 0
      res.on('data', (chunk: Buffer) => {
        arrived += chunk.length
      })
      res.on('error', reject)
      res.on('close', () => (arrived === bytes ? resolve() : reject(new Error(`${arrived} of ${bytes} bytes arrived`))))
    })
    req.on('error', reject)
    req.end()
  })

/** `pauseMs`: how long the upstream waits before it reads. */
export const upload = async (port: number, bytes: number, pauseMs = 0): Promise<void> => {
  const headers = { 'content-length': bytes }
  const path = `${PATH}?pauseMs=${pauseMs}`
  const req = request({ host: '127.0.0.1', port, method: 'POST', path, headers, agent: false })
  const answered = new Promise<string>((resolve, reject) => {
    req.on('error', reject)
    req.on('response', (res) => text(res).then(resolve, reject))
  })
  await pipeline(bodyOf(bytes), req)
  const arrived = await answered
  if (arrived !== String(bytes)) throw new Error(`${arrived} of ${bytes} bytes arrived`)
}

/** So many bytes, as fast as they are taken. */
export const bodyOf = (bytes: number): Readable =>
  Readable.from(chunks(bytes), { objectMode: false, highWaterMark: CHUNK.length })

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

/** Asks for so many bytes, stops reading after the first of them, and goes on after `pauseMs`. */
export const slowDownload = async (port: number, bytes: number, pauseMs: number): Promise<void> => {
  const socket = connect({ host: '127.0.0.1', port })
  socket.write(`GET ${PATH}?bytes=${bytes} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)
  await new Promise<void>((resolve, reject) => {
    socket.once('readable', resolve)
    socket.once('error', reject)
  })
  await delay(pauseMs)
  const arrived = await bytesOf(socket)
  if (arrived <= bytes) throw new Error(`${arrived} bytes, less than ${bytes} and a head`)
}

const bytesOf = async (socket: Socket): Promise<number> => {
  let arrived = 0
  for await (const chunk of socket) arrived += chunk.length
  return arrived
}
