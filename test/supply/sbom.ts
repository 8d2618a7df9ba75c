/**
 * `npm run sbom [-- FILE]`: what ships, as CycloneDX, in sbom.cdx.json. npm makes it of the lock file, in a folder where that holds
 * nothing else: its own `--omit dev` leaves out whatever a tool of development uses too (npm/cli issue 7909), here half of the packages.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { lock, manifest, ROOT, shipped } from './lock.ts'

const { devDependencies: _, ...shippedManifest } = manifest
const shippedLock = { ...lock, packages: Object.fromEntries([['', shippedManifest], ...shipped]) }

const file = path.resolve(ROOT, process.argv[2] ?? 'sbom.cdx.json')
const folder = mkdtempSync(path.join(tmpdir(), 'sbom-'))
try {
  const project = path.join(folder, manifest.name) // npm names the whole after its folder
  mkdirSync(project)
  writeFileSync(path.join(project, 'package.json'), JSON.stringify(shippedManifest))
  writeFileSync(path.join(project, 'package-lock.json'), JSON.stringify(shippedLock))
  const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only']
  writeFileSync(file, execFileSync('npm', args, { cwd: project }))
  process.stdout.write(`${path.relative(process.cwd(), file)}: ${shipped.length} packages\n`)
} finally {
  rmSync(folder, { recursive: true })
}
