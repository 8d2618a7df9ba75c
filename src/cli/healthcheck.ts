/** `healthcheck`: one readiness probe of a running sidecar; exit 0 or 1. */
import { adminOf, answerText, ask } from './admin-client.ts'
import { type Command, configFileFrom } from './command.ts'

export const healthcheck: Command = async (io) => {
  const url = `${adminOf(io, configFileFrom(io))}/readyz`
  const status = await ask(url)
  if (status === 200) return 0
  io.err(`not ready: ${answerText(url, status)}\n`)
  return 1
}
