/** `print-config`: the configuration in force, as YAML that `serve` would take. Secrets come by file and have no place in it; one that was written there by mistake is not shown. */
import { writeYaml } from '../config/yaml.ts'
import { redact } from '../telemetry/logger.ts'
import { type Command, configFromArgs } from './command.ts'

export const printConfig: Command = async (io) => {
  const { settings } = configFromArgs(io)
  const { listeners, socketPath } = settings
  const instead = listeners ? ['port', 'endpoint'] : socketPath === null ? [] : ['port'] // what must then not be set
  io.out(redact(writeYaml(Object.fromEntries(Object.entries(settings).filter(([key]) => !instead.includes(key))))))
  return 0
}
