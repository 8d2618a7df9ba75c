/** How much memory buffers hold while something streams. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** The most memory that buffers held at any look, in bytes above what they held at first. Looks every 8 MiB. */
export const watchBuffers = () => {
  const held = () => {
    collectGarbage()
    collectGarbage() // ends what the first began to sweep
    return process.memoryUsage().arrayBuffers
  }
  const before = held()
  let most = 0
  let next = 1
  return {
    look: (bytesSoFar: number): void => {
      if (bytesSoFar < next) return
      next = bytesSoFar + 8_388_608
      most = Math.max(most, held() - before)
    },
    most: (): number => most,
  }
}
