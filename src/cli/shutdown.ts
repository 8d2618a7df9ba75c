/** `shutdown`: asks a running sidecar on this host (or in this pod) to drain and exit; exit 0 once it has said yes, else 1. */
import { adminOf, answerText, ask } from './admin-client.ts'
import { type Command, configFileFrom } from './command.ts'

export const shutdown: Command = async (io) => {
  const url = `${adminOf(io, configFileFrom(io))}/shutdown`
  const status = await ask(url, 'POST')
  if (status === 202) return 0
  io.err(`not asked to stop: ${answerText(url, status)}\n`)
  return 1
}
