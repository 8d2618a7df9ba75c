/** `print-config`: the configuration in force, as YAML that `serve` would take. It holds no secret: secrets come by file. */
import { writeYaml } from '../config/yaml.ts'
import { type Command, configFromArgs } from './command.ts'

export const printConfig: Command = async (io) => {
  const { settings } = configFromArgs(io)
  const { port: _port, endpoint: _endpoint, ...withoutOne } = settings
  io.out(writeYaml(settings.listeners ? withoutOne : settings))
  return 0
}
