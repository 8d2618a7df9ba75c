/** `serve`: runs the sidecar until it is told to stop; a drain that cut nothing exits 0. */
import { parseArgs } from 'node:util'
import { createSidecar } from '../sidecar.ts'
import { createLogger } from '../telemetry/logger.ts'
import { type Command, configOf, runtimeOf } from './command.ts'

export const serve: Command = async (io) => {
  const { values } = parseArgs({ args: io.args, options: { config: { type: 'string' } } })
  const config = configOf(io, values.config)
  const logger = createLogger(config.settings.log.level)
  const runtime = runtimeOf(io)
  const sidecar = createSidecar(config, runtime, { logger })
  const stopped = io.stopped()
  const addresses = await sidecar.listen()
  const endpoints = config.listeners.map(({ endpoint }) => endpoint.origin)
  logger.info({ ...runtime, ...addresses, endpoints }, 'serving')
  if (config.settings.insecureListen) logger.warn({}, 'insecureListen: tokens may cross the network in the clear')
  await stopped
  logger.info({ maxMs: config.settings.drain.maxMs }, 'draining')
  const cut = await sidecar.close()
  logger.info({ cut }, 'stopped')
  return cut === 0 ? 0 : 1
}
