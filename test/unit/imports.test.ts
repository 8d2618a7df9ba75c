import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

// The direction of imports, as the README draws it. (Cycles are the linter's.)

const SRC = path.join(import.meta.dirname, '../../src')
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const textOf = (file: string): string => readFileSync(path.join(SRC, file), 'utf8')

type Import = { readonly file: string; readonly type: boolean; readonly from: string }
const imports: readonly Import[] = files.flatMap((file) =>
  [...textOf(file).matchAll(/(?:^import (type )?[^'"]*|import\()'([^']+)'/gm)].map(([, type, from = '']) => ({
    file,
    type: type !== undefined,
    from: from.startsWith('.') ? path.join(path.dirname(file), from) : from,
  })),
)
const folderOf = (file: string): string => file.split('/').slice(0, -1).join('/')

test('each library is imported in exactly one file', () => {
  const libraries = Map.groupBy(
    imports.filter(({ from }) => !from.startsWith('node:') && !from.endsWith('.ts')),
    ({ from }) => from,
  )
  const where = Object.fromEntries([...libraries].map(([library, uses]) => [library, uses.map(({ file }) => file)]))
  assert.deepEqual(where, {
    bottleneck: ['rdt/limiter.ts'],
    express: ['app.ts'],
    'http-proxy-middleware': ['proxy/forward.ts'],
    ioredis: ['store/connection.ts'],
    'ioredis/built/DataHandler.js': ['store/connection.ts'],
    'lru-cache': ['expiring-map.ts'],
    pino: ['telemetry/logger.ts'],
    'prom-client': ['telemetry/metrics.ts'],
    yaml: ['config/yaml.ts'],
    zod: ['config/schema.ts'],
  })
})

const PURE = [
  'admin/problems.ts',
  'admin/status.ts',
  'explain.ts',
  'rdt/need.ts',
  'rdt/batch.ts',
  'rdt/refusal.ts',
  'rdt/renewal.ts',
  'rdt/mint-body.ts',
  'proxy/headers.ts',
  'proxy/own-errors.ts',
  'config/changes.ts',
  'config/contradictions.ts',
  'config/store-url.ts',
  'store/answers.ts',
  'telemetry/call.ts',
  'telemetry/words.ts',
]

test('pure files import no node: module (types apart) and read no clock', () => {
  const pure = files.filter((file) => file.startsWith('sp-api/') || PURE.includes(file))
  for (const file of pure) {
    assert.deepEqual(
      imports.filter((one) => one.file === file && one.from.startsWith('node:') && !one.type),
      [],
      file,
    )
    assert.doesNotMatch(textOf(file), /Date\.now|performance\.|new Date|Math\.random|process\.\w/, file)
  }
})

test('the process is touched in main.ts alone, the file system only by loaders', () => {
  const touching = files.filter((file) => /\bprocess\.\w/.test(textOf(file)))
  assert.deepEqual(touching, ['main.ts'])
  const reading = imports.filter(({ from }) => from.startsWith('node:fs')).map(({ file }) => file)
  assert.deepEqual(reading.sort(), [
    'admin/page.ts',
    'cli/command.ts',
    'config/caller-token.ts',
    'config/files.ts',
    'config/watch.ts',
    'socket-file.ts',
  ])
})

// From → to. Types may cross further where they say what one feature tells another.
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'sp-api': ['sp-api'],
  rdt: ['rdt', 'sp-api', ''],
  lwa: ['lwa', 'rdt', 'sp-api'],
  store: ['store', 'rdt', 'sp-api', ''],
  reports: ['reports', ''],
  proxy: ['proxy', 'rdt', 'sp-api'],
  config: ['config', 'sp-api'],
  telemetry: ['telemetry', 'sp-api'],
  admin: ['admin', ''],
  simulator: ['simulator'],
}

test('features meet only in sidecar.ts and in the commands', () => {
  for (const { file, from, type } of imports) {
    assert.ok(!from.startsWith('sidecar') || file.startsWith('cli/'), `${file} imports ${from}`)
    const allowed = ALLOWED[folderOf(file)]
    if (!allowed || !from.endsWith('.ts') || type) continue
    assert.ok(allowed.includes(folderOf(from)), `${file} imports ${from}`)
  }
})
