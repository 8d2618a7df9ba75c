/** `check-config`: says all that is wrong, with the code that `serve` starts with; exit 0 or 2. */
import { type Command, configFromArgs } from './command.ts'

export const checkConfig: Command = async (io) => {
  const { operations } = configFromArgs(io)
  io.out(`The configuration is good: ${operations.length} restricted operations.\n`)
  return 0
}
