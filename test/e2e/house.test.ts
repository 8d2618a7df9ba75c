import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'

const ROOT = path.join(import.meta.dirname, '../..')
const npm = (...args: string[]): string =>
  execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

test('the sources pass the formatter, the linter (with its rules on imports) and the compiler', () => {
  npm('run', 'check')
})

test('the built program runs', () => {
  npm('run', 'build')
  const out = execFileSync(process.execPath, ['dist/main.js', 'explain', 'GET', '/orders/v0/orders/1'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  assert.match(out, /^operation +orders-v0\.getOrder$/m)
})
