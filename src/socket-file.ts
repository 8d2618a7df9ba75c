/** The file of a Unix socket. Its mode says who may call: owner and group, like whoever may enter its folder. */
import { chmodSync, existsSync, lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { systemCode } from './sp-api/errors.ts'

/** Removes the socket of a process that is no more. Rejects where the place cannot be had, and leaves what is there. */
export const clearSocket = async (file: string): Promise<void> => {
  const problem = await problemAt(file)
  if (problem !== undefined) throw new Error(`the socket ${file} cannot be opened: ${problem}`)
  rmSync(file, { force: true })
}

export const closeToOthers = (file: string): void => chmodSync(file, 0o660)

const problemAt = async (file: string): Promise<string | undefined> => {
  if (!existsSync(path.dirname(file))) return 'its folder is not there'
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat && !stat.isSocket()) return 'there is a file of another kind'
  const code = stat && (await codeOf(file))
  if (code === undefined || DEAD.includes(code)) return undefined
  return code === 'LISTENS' ? 'a process listens on it' : `it is there, and in use (${code})`
}

const DEAD = ['ECONNREFUSED', 'ENOENT'] // all else, a full queue (EAGAIN) for one, may be a process that lives

const codeOf = (file: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(file)
    socket.once('connect', () => {
      socket.destroy()
      resolve('LISTENS')
    })
    socket.once('error', (error) => resolve(systemCode(error)))
  })
