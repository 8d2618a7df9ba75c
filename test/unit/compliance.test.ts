import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

const ROOT = path.join(import.meta.dirname, '../..')
const textOf = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const page = textOf('docs/compliance.md')

test('every test that docs/compliance.md names is there', () => {
  const named = [...page.matchAll(/`(test\/[\w/.-]+)` — "([^"]+)"/g)]
  assert.ok(named.length >= 20)
  for (const [, file = '', name = ''] of named) {
    const titles = [...textOf(file).matchAll(/\btest\(\s*(['"`])(.*?)\1/g)].map(([, , title]) => title ?? '')
    assert.ok(
      titles.some((title) => title.includes(name)),
      `${file}: ${name}`,
    )
  }
})

test('every rule has a source, and what shows that it is kept', () => {
  const [, table = ''] = /\| rule \| source [^\n]*\n[^\n]*\n([\s\S]*?)\n\n/.exec(page) ?? []
  const rows = table.split('\n').map((row) => row.split('|').map((cell) => cell.trim()))
  assert.ok(rows.length >= 12)
  for (const [, rule = '', source = '', does = '', shown = ''] of rows) {
    assert.match(source, /\b[A-D]\b|AUP/, rule)
    assert.ok(does.length > 20, rule)
    assert.match(shown, /`test\/.+` — "/, rule)
    if (/\b[BD]\b/.test(source)) assert.match(source, /second-hand/, rule)
  }
})

test('the table of the audit stream names every event that there is', () => {
  const [, type = ''] = /export type AuditEvent =((?:\s*\|? '[\w-]+')+)/.exec(textOf('src/telemetry/logger.ts')) ?? []
  const events = [...type.matchAll(/'([\w-]+)'/g)].map(([, event]) => event)
  const [, table = ''] = /\| event \| when [^\n]*\n[^\n]*\n([\s\S]*?)\n\n/.exec(page) ?? []
  const rows = [...table.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, event]) => event)
  assert.ok(events.length > 0)
  assert.deepEqual(rows.sort(), events.sort())
})
