/** `check-config`: says all that is wrong, with the code that `serve` starts with; exit 0 or 2. */
import { parseArgs } from 'node:util'
import { type Command, configOf } from './command.ts'

export const checkConfig: Command = async (io) => {
  const { values } = parseArgs({ args: io.args, options: { config: { type: 'string' } } })
  const { operations } = configOf(io, values.config)
  io.out(`The configuration is good: ${operations.length} restricted operations.\n`)
  return 0
}
