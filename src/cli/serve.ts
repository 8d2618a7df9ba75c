/**
 * `serve`: runs the sidecar until it is told to stop; a drain that cut nothing exits 0. Configuration files that change, or
 * SIGHUP, have it read its configuration again.
 */
import type { LoadResult } from '../config/load.ts'
import { createFileWatch } from '../config/watch.ts'
import { createSidecar } from '../sidecar.ts'
import { createLogger } from '../telemetry/logger.ts'
import { accepted, type Command, configFileFrom, load, loadToServe, runtimeOf } from './command.ts'

export const serve: Command = async (io) => {
  const file = configFileFrom(io)
  const first = loadToServe(io, file)
  const config = accepted(first)
  const logger = createLogger(config.settings.log)
  const warn = ({ warnings }: LoadResult): void => {
    for (const { path, message } of warnings) logger.warn({}, `${path}: ${message}`)
  }
  const runtime = runtimeOf(io)
  const sidecar = createSidecar(config, runtime, { logger })
  io.onExit(() => {
    sidecar.settle()
    logger.flush()
  })

  const reload = (by: 'signal' | 'file'): void => {
    const loaded = load(io, file)
    files.watch(loaded.files)
    sidecar.reload(loaded, by)
    warn(loaded)
  }
  /** Not taken over, though it could be, were it the configuration itself: an empty one is all defaults. */
  const refuse = (emptied: readonly string[]): void => {
    const loaded = load(io, file)
    const problems = emptied.map((path) => ({ path, message: 'has become empty' }))
    const { settings } = loaded.ok ? loaded.config : loaded
    sidecar.reload(
      { ...loaded, ok: false, settings, problems: [...problems, ...(loaded.ok ? [] : loaded.problems)] },
      'file',
    )
  }
  const files = createFileWatch(() => reload('file'), refuse)
  files.watch(first.files)
  io.onHangup(() => reload('signal'))

  const addresses = await sidecar.listen()
  const endpoints = config.listeners.map(({ endpoint }) => endpoint.origin)
  logger.info({ ...runtime, ...addresses, endpoints }, 'serving')
  warn(first)
  await Promise.race([io.stopped, sidecar.stopAsked])
  logger.info({}, 'draining')
  const cut = await sidecar.close()
  logger.info({ cut }, 'stopped')
  return cut === 0 ? 0 : 1
}
