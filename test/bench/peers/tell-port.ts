/** Every peer takes any free port and prints which, as the upstream does. */
import type { Server } from 'node:net'

export const tellPort = (server: Server): void => {
  const tell = (): void => {
    const address = server.address()
    process.stdout.write(`port ${typeof address === 'object' ? address?.port : ''}\n`)
  }
  if (server.listening) tell()
  else server.once('listening', tell)
}
