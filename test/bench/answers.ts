/** Reads the answers of one keep-alive connection, no more closely than must be to know that each is a whole 200. */

const END = '\r\n\r\n'

/**
 * Gets every chunk of the connection; calls `onAnswer` at the end of each answer. Throws at one that is no 200, has no
 * Content-Length, or does not hold `expected` in its head.
 */
export const answerReader = (onAnswer: () => void, expected = '') => {
  let rest: Buffer = Buffer.alloc(0)
  let needed = 0 // bytes of the body still to come
  let inBody = false
  return (chunk: Buffer): void => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      if (!inBody) {
        const end = rest.indexOf(END)
        if (end < 0) return
        needed = lengthIn(rest.toString('latin1', 0, end + 2), expected) // each of its lines ends
        rest = rest.subarray(end + END.length)
        inBody = true
      }
      const taken = Math.min(needed, rest.length)
      needed -= taken
      rest = rest.subarray(taken)
      if (needed > 0) return
      inBody = false
      onAnswer()
    }
  }
}

const lengthIn = (head: string, expected: string): number => {
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN)
  if (!head.startsWith('HTTP/1.1 200') || Number.isNaN(length))
    throw new Error(`an answer that was not wanted: ${head}`)
  if (!head.includes(expected)) throw new Error(`no ${expected} in ${head}`)
  return length
}
