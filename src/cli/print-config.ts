/** `print-config`: the configuration in force, as YAML that `serve` would take. Secrets come by file and have no place in it; one that was written there by mistake is not shown. */
import { writeYaml } from '../config/yaml.ts'
import { redact } from '../telemetry/logger.ts'
import { type Command, configFromArgs } from './command.ts'

export const printConfig: Command = async (io) => {
  const { settings } = configFromArgs(io)
  const { port: _port, endpoint: _endpoint, ...withoutOne } = settings
  io.out(redact(writeYaml(settings.listeners ? withoutOne : settings)))
  return 0
}
