/** `print-config`: the configuration in force, as YAML that `serve` would take. It holds no secret: secrets come by file. */
import { parseArgs } from 'node:util'
import { writeYaml } from '../config/yaml.ts'
import { type Command, configOf } from './command.ts'

export const printConfig: Command = async (io) => {
  const { values } = parseArgs({ args: io.args, options: { config: { type: 'string' } } })
  const { settings } = configOf(io, values.config)
  const { port: _port, endpoint: _endpoint, ...withoutOne } = settings
  io.out(writeYaml(settings.listeners ? withoutOne : settings))
  return 0
}
