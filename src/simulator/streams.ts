/** Bytes that look random and are always the same, for tests of streaming. Made as they are read, never held whole. */

const CHUNK = 64 * 1024

/** The first n bytes of the one endless sequence. */
export function* bytesOf(n: number): Generator<Buffer> {
  let state = 0x9e3779b9
  for (let left = n; left > 0; left -= CHUNK) {
    const chunk = Buffer.allocUnsafe(CHUNK)
    for (let i = 0; i < CHUNK; i += 4) {
      state = nextState(state)
      chunk.writeUInt32LE(state, i)
    }
    yield left < CHUNK ? chunk.subarray(0, left) : chunk
  }
}

/** xorshift32 (Marsaglia 2003). */
const nextState = (state: number): number => {
  let next = state
  next ^= next << 13
  next ^= next >>> 17
  next ^= next << 5
  return next >>> 0
}
