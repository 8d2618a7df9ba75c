/** `simulate`: the SP-API simulator alone, until it is told to stop. */
import { parseArgs } from 'node:util'
import { createSimulator } from '../simulator/simulator.ts'
import type { Command } from './command.ts'
import { UsageError } from './usage-error.ts'

export const simulate: Command = async (io) => {
  const { values } = parseArgs({
    args: io.args,
    options: { port: { type: 'string', default: '9700' }, host: { type: 'string', default: '127.0.0.1' } },
  })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new UsageError('--port must be 0 to 65535')
  const simulator = createSimulator()
  const url = await simulator.listen(port, values.host)
  io.out(`SP-API simulator at ${url}: made-up people, Amazon's rules. Help: curl ${url}/_simulator/\n`)
  await io.stopped
  await simulator.close()
  return 0
}
