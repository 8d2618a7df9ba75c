/**
 * Loaded before a Node program by `--import`: SIGUSR2 begins a processor profile, the next one ends it and writes it to the file
 * that BENCH_PROFILE names. So it is the warm program alone that is seen.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

const file = process.env['BENCH_PROFILE'] ?? ''
const session = new Session()
let sampling = false

const toggle = async (): Promise<void> => {
  if (sampling) {
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(`${file}.part`, JSON.stringify(profile))
    renameSync(`${file}.part`, file) // whole or not there
    return
  }
  sampling = true
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 250 })
  await session.post('Profiler.start')
  writeFileSync(`${file}.began`, '')
}
process.on('SIGUSR2', () => void toggle())
