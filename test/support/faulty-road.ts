/** The way to the store, on which things go wrong as a test says. */
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { startRoad } from './road.ts'

/** What becomes of what passes; what is left out is passed on. `near`: the sidecar's end. */
export type Manner = {
  readonly arrive?: (near: Socket, far: Socket) => void
  readonly toStore?: (chunk: Buffer, near: Socket, far: Socket) => void
  readonly toSidecar?: (chunk: Buffer, near: Socket, far: Socket) => void
}

export const startFaultyRoad = async (t: TestContext, port: number) => {
  let manner: Manner = {}
  const ends = new Set<Socket>()
  const own = await startRoad(t, port, (near, far) => {
    ends.add(near)
    near.on('close', () => ends.delete(near) && far.destroy())
    far.on('close', () => near.destroy())
    near.on('data', (chunk) => (manner.toStore ? manner.toStore(chunk, near, far) : far.write(chunk)))
    far.on('data', (chunk) => (manner.toSidecar ? manner.toSidecar(chunk, near, far) : near.write(chunk)))
    manner.arrive?.(near, far)
  })
  return {
    port: own,
    /** From now on, on connections that are there too. */
    behave: (next: Manner): void => {
      manner = next
    },
    /** Resets all connections. */
    cut: (): void => {
      for (const near of ends) near.resetAndDestroy()
    },
  }
}
export type FaultyRoad = Awaited<ReturnType<typeof startFaultyRoad>>
