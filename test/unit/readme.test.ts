import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
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

test('the example file of the README is a good configuration', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-'))
  const [, yaml = ''] = /```yaml\n(# my\.yaml[\s\S]*?)```/.exec(readme) ?? []
  assert.ok(yaml)
  writeFileSync(path.join(folder, 'my.yaml'), yaml)
  const result = loadConfig(path.join(folder, 'my.yaml'), {})
  rmSync(folder, { recursive: true })
  assert.ok(result.ok && result.config.operations.length === 33 && result.config.listeners.length === 2)
})
