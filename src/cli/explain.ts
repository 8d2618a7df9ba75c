/** `explain METHOD PATH`: how such a request would be treated, and why. */
import { parseArgs } from 'node:util'
import { explainCall, type Facts } from '../explain.ts'
import { createCatalogue } from '../sp-api/operations.ts'
import { type Command, configOf } from './command.ts'
import { UsageError } from './usage-error.ts'

export const explain: Command = async (io) => {
  const { values, positionals } = parseArgs({
    args: io.args,
    allowPositionals: true,
    options: { config: { type: 'string' }, json: { type: 'boolean' } },
  })
  const [method, path] = positionals
  if (!method || !path || positionals.length > 2)
    throw new UsageError('usage: explain METHOD PATH [--json] [--config FILE]')
  const { settings, operations, listeners } = configOf(io, values.config)
  const rules = {
    catalogue: createCatalogue(operations),
    policy: settings.rdt,
    sandboxEndpoint: listeners[0]?.endpoint.sandbox ?? false,
  }
  const facts = explainCall(rules, method, path)
  io.out(values.json ? `${JSON.stringify(facts)}\n` : table(facts))
  return 0
}

const table = (facts: Facts): string => {
  const width = Math.max(...Object.keys(facts).map((key) => key.length))
  return Object.entries(facts)
    .map(([key, value]) => `${key.padEnd(width)}  ${value}\n`)
    .join('')
}
