import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { folderFor } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import { lock, manifest, nameOf, ROOT, shipped } from './lock.ts'

type License = { readonly license?: { readonly id: string }; readonly expression?: string }
type Component = {
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly licenses: readonly License[]
  readonly hashes: readonly { readonly alg: string; readonly content: string }[]
}
type Sbom = {
  readonly bomFormat: string
  readonly specVersion: string
  readonly serialNumber: string
  readonly metadata: { readonly timestamp: string; readonly component: Component & { readonly type: string } }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

const sbom = (t: TestContext): Sbom => {
  const file = path.join(folderFor(t), 'sbom.cdx.json')
  execFileSync(process.execPath, [path.join(import.meta.dirname, 'sbom.ts'), file], { cwd: ROOT, stdio: 'pipe' })
  return JSON.parse(readFileSync(file, 'utf8')) as Sbom
}

const sha512Of = (integrity = ''): string => Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')

test('the SBOM holds the packages that ship and no others: version, licence, checksum, what needs what', {
  skip: needs('npm'),
}, (t) => {
  const { bomFormat, specVersion, metadata, components, dependencies } = sbom(t)
  assert.deepEqual([bomFormat, specVersion], ['CycloneDX', '1.5'])
  const { name, version, purl, type } = metadata.component
  const whole = [manifest.name, manifest.version, `pkg:npm/${manifest.name}@${manifest.version}`, 'application']
  assert.deepEqual([name, version, purl, type], whole)

  const listed = components.map((one) => [
    one.name,
    one.version,
    one.licenses.map(({ license, expression }) => license?.id ?? expression).join(),
    one.hashes.map(({ alg, content }) => `${alg} ${content}`).join(),
  ])
  const locked = shipped.map(([place, { version, license, integrity }]) => [
    nameOf(place),
    version,
    license,
    `SHA-512 ${sha512Of(integrity)}`,
  ])
  assert.deepEqual(listed.sort(), locked.sort())

  const needed = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
  const direct = Object.keys(manifest.dependencies).map(
    (one) => `${one}@${lock.packages[`node_modules/${one}`]?.version}`,
  )
  assert.deepEqual([...(needed.get(`${manifest.name}@${manifest.version}`) ?? [])].sort(), direct.sort())
  assert.equal(needed.size, components.length + 1)
})

test('the same lock file gives the same SBOM, but for its serial number and time', { skip: needs('npm') }, (t) => {
  const [one, other] = [sbom(t), sbom(t)]
  assert.notEqual(one.serialNumber, other.serialNumber)
  const { serialNumber, metadata } = one
  const { timestamp } = metadata
  assert.deepEqual({ ...other, serialNumber, metadata: { ...other.metadata, timestamp } }, one)
})
