/**
 * Looks into a Node process from outside, after a full collection: its live heap, and whatever else it is asked. The process runs as it
 * always does until it is asked (SIGUSR1 opens its inspector); it must have been started with `--inspect-port=127.0.0.1:0`.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Running } from './processes.ts'

export const INSPECTABLE = ['--inspect-port=127.0.0.1:0'] as const

type Inspected = Pick<Running, 'pid' | 'output'>

/** Bytes of objects that are reachable, and of what they hold outside the heap. */
export const liveBytes = (inspected: Inspected): Promise<number> => collectedAnd<number>(inspected, LIVE_BYTES)
export const LIVE_BYTES = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())'

/** What an expression is worth there once all garbage is gone. */
export const collectedAnd = async <T>({ pid, output }: Inspected, expression: string): Promise<T> => {
  process.kill(pid, 'SIGUSR1')
  const socket = new WebSocket(await addressIn(output))
  await once(socket, 'open')
  try {
    const ask = asker(socket)
    await ask('HeapProfiler.enable')
    for (const _ of [1, 2]) await ask('HeapProfiler.collectGarbage') // what the first one finalizes, the second one frees
    const { result } = (await ask('Runtime.evaluate', { expression, returnByValue: true })) as { result: { value: T } }
    return result.value
  } finally {
    socket.close()
  }
}

const addressIn = async (output: () => string): Promise<string> => {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await delay(20)) {
    const url = /Debugger listening on (ws:\S+)/.exec(output())?.[1]
    if (url) return url
  }
  throw new Error('its inspector did not open within 10 s')
}

type Answer = { readonly id: number; readonly result?: unknown; readonly error?: { readonly message: string } }

/** One question at a time. */
const asker =
  (socket: WebSocket) =>
  (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        const { id, result, error } = JSON.parse(String(data)) as Answer
        if (id !== 1) return // an event
        if (error) reject(new Error(error.message))
        else resolve(result)
      }
      socket.onclose = () => reject(new Error('its inspector hung up'))
      socket.send(JSON.stringify({ id: 1, method, params }))
    })
