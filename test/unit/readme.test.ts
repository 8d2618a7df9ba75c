import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { rootCertificates } from 'node:tls'
import { parse } from 'yaml'
import { LIVE_KEYS } from '../../src/config/changes.ts'
import { loadConfig } from '../../src/config/load.ts'
import { keyPaths } from '../../src/config/schema.ts'
import { ERROR_NAMES } from '../../src/sp-api/errors.ts'
import { configFrom } from '../support/pair.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8')

test('the configuration table of the README holds every key with its default', () => {
  const { settings } = configFrom({ SIDECAR_ADMIN_PORT: '9090' })
  const [, table = ''] = /<!-- config:[^>]*-->\n([\s\S]*?)\n\n/.exec(readme) ?? []
  const rows = [...table.matchAll(/^\| `([\w.]+)` \| `([^`]*)` \|/gm)].map(
    ([, key = '', value = '']): [string, unknown] => [key, parse(value)],
  )
  const valueAt = (key: readonly string[]): unknown =>
    key.reduce<unknown>((tree, part) => (tree as Record<string, unknown>)[part], settings)
  assert.deepEqual(
    rows,
    keyPaths().map((key) => [key.join('.'), key[0] === 'reports' ? '…' : valueAt(key)]),
  )
})

test('the README lists the keys that are taken over while serving', () => {
  const [, list = ''] = /<!-- live keys:[^>]*-->\n([\s\S]*?)\n\n/.exec(readme) ?? []
  const keys = [...list.matchAll(/`([\w.]+)`/g)].map(([, key]) => key)
  assert.deepEqual(keys, LIVE_KEYS)
  const known = keyPaths().map((key) => key.join('.'))
  assert.deepEqual(
    LIVE_KEYS.filter((key) => !known.includes(key)),
    [],
  )
})

test('the README names every error of ours', () => {
  for (const name of ERROR_NAMES) assert.ok(readme.includes(`\`${name}\``), name)
})

/**
 * An example of a page, loaded as it stands, but for the files of secrets that it names: each is there, in a folder of the test, with
 * something in it, or with what `contents` has for that file.
 */
const exampleOf = (t: TestContext, page: string, name: string, contents: Readonly<Record<string, string>> = {}) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const text = readFileSync(path.join(ROOT, page), 'utf8')
  const [, yaml = ''] = text.match(new RegExp(`\`\`\`yaml\\n(# ${name}[\\s\\S]*?)\`\`\``)) ?? []
  assert.ok(yaml, `${page}: ${name}`)
  for (const [, secret = ''] of yaml.matchAll(/File: (\/run\/secrets\/[\w/.-]+)/g)) {
    mkdirSync(path.join(folder, path.dirname(secret)), { recursive: true })
    writeFileSync(path.join(folder, secret), contents[path.basename(secret)] ?? `secret-of${secret}\n`, { mode: 0o600 })
  }
  const file = path.join(folder, name)
  writeFileSync(file, yaml.replaceAll(' /run/', ` ${folder}/run/`))
  const result = loadConfig(file, {})
  assert.deepEqual('problems' in result && result.problems, false)
  assert.deepEqual(result.warnings, [])
  assert.ok(result.ok)
  return result.config
}

test('the example files of the README are good configurations', (t) => {
  const { operations, listeners } = exampleOf(t, 'README.md', 'my.yaml')
  assert.deepEqual([operations.length, listeners.length], [33, 2])
  const { sellers, callers } = exampleOf(t, 'README.md', 'sellers.yaml')
  assert.deepEqual([sellers.map(({ id }) => id), callers.map(({ name }) => name)], [['shop-eu'], ['default']])
})

test('the example file of docs/threat-model.md is a good configuration', (t) => {
  const { sellers, callers } = exampleOf(t, 'docs/threat-model.md', 'sidecar.yaml')
  assert.deepEqual(
    sellers.map(({ id, endpoint }) => [id, endpoint?.origin]),
    [
      ['shop-eu', 'https://sellingpartnerapi-eu.amazon.com'],
      ['shop-na', 'https://sellingpartnerapi-na.amazon.com'],
    ],
  )
  assert.deepEqual(
    callers.map((caller) => [caller.name, caller.sellers, caller.operations?.length, caller.tokens.length]),
    [
      ['labels', ['shop-eu'], 2, 1],
      ['catalogue', undefined, 1, 1],
    ],
  )
})

test('the example file of docs/store.md is a good configuration', (t) => {
  const key = randomBytes(32).toString('base64')
  const { store } = exampleOf(t, 'docs/store.md', 'store.yaml', { key, 'ca.crt': rootCertificates[0] ?? '' })
  assert.deepEqual([store?.host, store?.port, store?.username, store?.tls], ['redis.example.com', 6380, 'rdt', true])
  assert.deepEqual(
    store?.keys.map((one) => one.reveal()),
    [Buffer.from(key, 'base64').toString('hex')],
  )
})

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

test('every link of the README and of docs/ leads to what is there; the threat model is led to from both its neighbours', () => {
  const pages = ['README.md', ...readdirSync(path.join(ROOT, 'docs')).map((name) => `docs/${name}`)]
  const links = pages
    .filter((page) => page.endsWith('.md'))
    .flatMap((page) => {
      const text = readFileSync(path.join(ROOT, page), 'utf8').replace(/^```.*?^```/gms, '')
      return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)/g)].map(([, to = '', anchor = '']) => {
        const target = to === '' ? page : path.join(path.dirname(page), to)
        return { page, target, anchor }
      })
    })
  for (const { page, target, anchor } of links) {
    assert.ok(existsSync(path.join(ROOT, target)), `${page}: ${target}`)
    if (anchor === '') continue
    const headings = readFileSync(path.join(ROOT, target), 'utf8').matchAll(/^#+ (.*)$/gm)
    const anchors = [...headings].map(([, heading = '']) => anchorOf(heading))
    assert.ok(anchors.includes(anchor), `${page}: ${target}#${anchor}`)
  }
  for (const page of ['README.md', 'docs/SECURITY.md'])
    assert.ok(
      links.some((link) => link.page === page && link.target === 'docs/threat-model.md'),
      page,
    )
})
