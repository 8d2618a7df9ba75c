import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { lock, manifest, nameOf, packages, ROOT, shipped } from './lock.ts'

const page = readFileSync(path.join(ROOT, 'docs/SECURITY.md'), 'utf8')
const [, table = ''] = /^\| package \| .*\n\|.*\n((?:\|.*\n)+)/m.exec(page) ?? []
const rows = table
  .trim()
  .split('\n')
  .map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')))

/** How many packages come with this one: what it needs, what that needs, and so on. Each is there once, at the top. */
const broughtBy = (name: string): number => {
  const found = new Set<string>()
  const visit = (one: string): void => {
    for (const next of Object.keys(lock.packages[`node_modules/${one}`]?.dependencies ?? {})) {
      if (found.has(next)) continue
      found.add(next)
      visit(next)
    }
  }
  visit(name)
  return found.size
}

test('each runtime dependency has its line in docs/SECURITY.md: the file that imports it, why, how many come with it', () => {
  assert.deepEqual(
    rows.map(([, name]) => name),
    Object.keys(manifest.dependencies),
  )
  for (const [, name = '', file = '', why = '', instead = '', brings = ''] of rows) {
    const source = readFileSync(path.join(ROOT, file), 'utf8')
    assert.match(source, new RegExp(`^import .* from '${name}'$|require\\.resolve\\('${name}'\\)`, 'm'), file)
    assert.ok(why.length > 20 && instead.length > 20, name)
    assert.equal(Number(brings), broughtBy(name), name)
  }
})

test('docs/SECURITY.md says how many packages ship, and under which licences', () => {
  const [, count, text = ''] = /\*\*(\d+) packages\*\* [^\n]*\(([^)]*)\)/.exec(page) ?? []
  const licences = Map.groupBy(shipped, ([, { license }]) => license)
  const counts = Object.fromEntries([...licences].map(([name, ones]) => [name, ones.length]))
  assert.equal(Number(count), shipped.length)
  assert.deepEqual(
    Object.fromEntries([...text.matchAll(/(\S+) (\d+)/g)].map(([, name = '', number]) => [name, Number(number)])),
    counts,
  )
})

test('every package is held to a checksum, and comes from the registry that npm is told, from nowhere else', () => {
  assert.ok(packages.length > shipped.length)
  for (const [place, { version, integrity = '', resolved }] of packages) {
    assert.match(integrity, /^sha512-[\w+/]{86}==$/, place)
    assert.match(version, /^\d+\.\d+\.\d+[\w.+-]*$/, place)
    assert.equal(resolved, undefined, place)
  }
  const asked = packages.flatMap(([, { dependencies }]) => Object.entries(dependencies ?? {}))
  for (const [name, range] of [...asked, ...Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })])
    assert.doesNotMatch(range, /:|\//, name) // git+ssh:, http:, file:, owner/repository, and npm: under another name
})

test('nothing that ships runs a script when it is installed; one tool of development may, by name', () => {
  const withScripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([place]) => nameOf(place))
  assert.deepEqual(withScripts, ['node'])
  const { allowScripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  assert.deepEqual(allowScripts, { node: true })
  assert.ok(!shipped.some(([place]) => withScripts.includes(nameOf(place))))
})

test('nothing that ships is deprecated, optional, bundled, or there twice', () => {
  for (const [place, { deprecated, optional, inBundle }] of shipped)
    assert.deepEqual([deprecated, optional, inBundle], [undefined, undefined, undefined], place)
  assert.equal(new Set(shipped.map(([place]) => nameOf(place))).size, shipped.length)
})
