/** `serve`: runs the sidecar until it is told to stop; a drain that cut nothing exits 0. */
import { createSidecar } from '../sidecar.ts'
import { createLogger } from '../telemetry/logger.ts'
import { type Command, configFromArgs, runtimeOf } from './command.ts'

export const serve: Command = async (io) => {
  const config = configFromArgs(io)
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
