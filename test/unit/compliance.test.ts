import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

const ROOT = path.join(import.meta.dirname, '../..')
const textOf = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const page = textOf('docs/compliance.md')
const threats = textOf('docs/threat-model.md')

/** Cells of the table that begins with these columns. */
const rowsOf = (text: string, columns: string): readonly (readonly string[])[] => {
  const [, table = ''] = text.slice(text.indexOf(columns)).match(/^[^\n]*\n[^\n]*\n([\s\S]*?)\n\n/) ?? []
  return table.split('\n').map((row) => row.split('|').map((cell) => cell.trim()))
}

for (const [name, text] of Object.entries({ 'docs/compliance.md': page, 'docs/threat-model.md': threats }))
  test(`every test that ${name} names is there`, () => {
    const named = [...text.matchAll(/`(test\/[\w/.-]+)` — "([^"]+)"/g)]
    assert.ok(named.length >= 20)
    for (const [, file = '', title = ''] of named) {
      const titles = [...textOf(file).matchAll(/\b(?:test|it)\(\s*(['"`])(.*?)\1/g)].map(([, , found]) => found ?? '')
      assert.ok(
        titles.some((found) => found.includes(title)),
        `${file}: ${title}`,
      )
    }
  })

test('what stands against each threat is shown by a test', () => {
  const rows = rowsOf(threats, '| threat | what stands against it |')
  assert.ok(rows.length >= 12)
  for (const [, threat = '', stands = '', left = '', shown = ''] of rows) {
    assert.ok(stands.length > 20 && left.length > 0, threat)
    assert.match(shown, /^`test\/.+` — "/, threat)
  }
})

test('every rule has a source, and what shows that it is kept', () => {
  const rows = rowsOf(page, '| rule | source ')
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
  const rows = rowsOf(page, '| event | when ').map(([, event = '']) => event.replaceAll('`', ''))
  assert.ok(events.length > 0)
  assert.deepEqual(rows.sort(), events.sort())
})

test('no example shows a secret where a file or a variable belongs', () => {
  const inline =
    /(client_?secret|refresh_?token|caller_?token)["']?\s*[:=]\s*["']?(?!simulated-secret|Atzr\|seller-a)[\w|]{4,}/i
  assert.match('clientSecret: abcd', inline)
  assert.match('SIDECAR_SELLERS_SHOP_CLIENT_SECRET="abcd"', inline)
  const pages = readdirSync(path.join(ROOT, 'docs')).filter((name) => /\.(md|yaml)$/.test(name))
  for (const file of [
    'README.md',
    'config/defaults.yaml',
    'helm/values.yaml',
    ...pages.map((name) => `docs/${name}`),
  ]) {
    const text = textOf(file)
    const blocks = file.endsWith('.md')
      ? [...text.matchAll(/```(?:ya?ml|sh)\n([\s\S]*?)```/g)].map(([, one]) => one)
      : [text]
    for (const block of blocks) assert.doesNotMatch(block ?? '', inline, file)
  }
})
