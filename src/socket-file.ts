/** The file of a Unix socket. Its mode says who may call: owner and group, like whoever may enter its folder. */
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'

/** Removes the socket of a process that is no more; a file of another kind, or a socket that somebody listens on, stays. */
export const clearSocket = async (path: string): Promise<void> => {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket() || (await answers(path))) return
  rmSync(path, { force: true })
}

export const closeToOthers = (path: string): void => chmodSync(path, 0o660)

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
