/** Connections on which callers take their time, and the refusal that they get. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Life } from './life.ts'
import { readAnswer } from './wire.ts'

/** A connection and what came on it so far. */
export const dial = async (t: Life, port: number, allowHalfOpen = false) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen }).on('error', () => {})
  t.after(() => socket.destroy())
  const dialled = {
    socket,
    received: '',
    closed: new Promise<void>((resolve) => socket.once('close', () => resolve())),
  }
  socket.on('data', (chunk) => {
    dialled.received += chunk.toString('latin1')
  })
  await once(socket, 'connect')
  return dialled
}
/** A byte now and then, for as long as there is somebody to take it. */
export const trickle = (t: Life, socket: Socket, byte: string, ms: number): void => {
  const timer = setInterval(() => socket.writable && socket.write(byte), ms)
  t.after(() => clearInterval(timer))
}
export const expectRefusal = (text: string, status: number, name: string, limit: RegExp): void => {
  const { status: got, values, body } = readAnswer(text)
  assert.deepEqual([got, values('x-rdt-error'), values('x-rdt-verdict')], [status, [name], [`rejected;${name}`]])
  assert.match(body, limit)
}
