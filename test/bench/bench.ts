/**
 * `npm run bench`: all sections in turn, printed, and written to docs/benchmarks.md. `--only NAME` (more than once, if wanted)
 * runs some and writes nothing; so does `--quick`, which runs all in miniature.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { economy } from './economy.ts'
import { growth } from './growth.ts'
import { latency } from './latency.ts'
import { whyNot } from './processes.ts'
import { profile } from './profile.ts'
import { documentOf, machineOf, type Section, type SectionSource, type Size, versionOf } from './report.ts'
import { sideBySide } from './side-by-side.ts'
import { start } from './start.ts'
import { streaming } from './streaming.ts'

/** In the order of the document. */
export const SECTIONS: readonly SectionSource[] = [sideBySide, profile, growth, latency, streaming, start, economy]

const ROOT = path.join(import.meta.dirname, '../..')

export const runSections = async (sources: readonly SectionSource[], size: Size): Promise<readonly Section[]> => {
  const sections: Section[] = []
  for (const source of sources) {
    const began = performance.now()
    sections.push(await source.run(size))
    process.stderr.write(`${source.name}: ${Math.round((performance.now() - began) / 1000)} s\n`)
  }
  return sections
}

/** What a program says of its version; undefined where it is not there. */
const toldBy = (command: string, arg: string): string | undefined => {
  const { stdout, stderr } = spawnSync(command, [arg], { encoding: 'utf8' })
  return /\d+\.\d+[.\d]*/.exec(`${stdout}${stderr}`)?.[0]
}

export const versions = (): Readonly<Record<string, string | undefined>> => ({
  Node: process.versions.node,
  ...Object.fromEntries(
    ['express', 'http-proxy-middleware', '@fastify/http-proxy', 'fastify'].map((name) => [name, versionOf(name)]),
  ),
  nginx: toldBy('nginx', '-v'),
  Go: toldBy('go', 'version'),
})

const main = async (): Promise<void> => {
  const reason = whyNot()
  if (reason) throw new Error(`the benchmark does not run here: ${reason}`)
  const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, quick: { type: 'boolean' } } })
  const { only, quick = false } = values
  const sources = SECTIONS.filter(({ name }) => !only || only.includes(name))
  const sections = await runSections(sources, quick ? 'miniature' : 'full')
  const text = documentOf(machineOf(new Date(), versions()), sections)
  process.stdout.write(text)
  if (!only && !quick) writeFileSync(path.join(ROOT, 'docs/benchmarks.md'), text)
}

if (import.meta.main) await main()
