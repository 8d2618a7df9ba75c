/** `check-config`: says all that is wrong, with the code that `serve` starts with; exit 0 or 2. What is unsafe though legal is said too. */
import { accepted, type Command, configFileFrom, load } from './command.ts'

export const checkConfig: Command = async (io) => {
  const loaded = load(io, configFileFrom(io))
  const { operations, sellers } = accepted(loaded)
  const managed = sellers.length > 0 ? `, managed sellers: ${sellers.length}` : ''
  io.out(`The configuration is good: ${operations.length} restricted operations${managed}.\n`)
  for (const { path, message } of loaded.warnings) io.out(`Unsafe: ${path}: ${message}\n`)
  return 0
}
