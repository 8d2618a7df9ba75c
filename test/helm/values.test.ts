import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import { needs } from '../support/tools.ts'
import { CHART, helm, lint, refusal, render, scratchFile } from './chart.ts'
import { GENERATED } from './generated.ts'

const skip = needs('helm')
const ROOT = path.join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

for (const [file, make] of Object.entries(GENERATED)) {
  test(`${file} is in step with what it is made from (npm run generate)`, {
    skip: file.endsWith('pod.yaml') && skip,
  }, () => {
    const [is, should] = [read(file), make()]
    assert.ok(file.endsWith('.json') ? isDeepStrictEqual(JSON.parse(is), JSON.parse(should)) : is === should)
  })
}

test('the chart has the version of the program', () => {
  const { version } = JSON.parse(read('package.json'))
  const chart = parse(read('helm/Chart.yaml'))
  assert.deepEqual([chart.version, chart.appVersion], [version, version])
  assert.equal(parse(read('helm/examples/shop/Chart.yaml')).dependencies[0].version, version)
})

// The closed schema

type Schema = {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: unknown
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly definitions?: Readonly<Record<string, Schema>>
  readonly description?: string
}

const openOnes = (schema: Schema, place = ''): readonly string[] => {
  const { properties = {}, definitions = {}, items, anyOf = [], additionalProperties } = schema
  const own = schema.type === 'object' && additionalProperties === undefined ? [place] : []
  const inner = Object.entries({ ...properties, ...definitions }).map(
    ([key, child]) => [`${place}.${key}`, child] as const,
  )
  const rest = [...(items ? [items] : []), ...anyOf, ...(isSchema(additionalProperties) ? [additionalProperties] : [])]
  return [
    ...own,
    ...inner.flatMap(([at, child]) => openOnes(child, at)),
    ...rest.flatMap((child) => openOnes(child, `${place}[]`)),
  ]
}
const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

test('the schema is closed but for what Kubernetes itself checks', () => {
  const schema: Schema = JSON.parse(read('helm/values.schema.json'))
  assert.deepEqual(openOnes(schema), ['.global', '.affinity', '.kubernetesList[]'])
})

test('every value has a schema, and every schema a value', () => {
  const schema: Schema = JSON.parse(read('helm/values.schema.json'))
  const compare = (values: object, properties: Readonly<Record<string, Schema>>, place: string): void => {
    const names = Object.keys(properties).filter((name) => name !== 'global')
    assert.deepEqual(Object.keys(values).sort(), names.sort(), place)
    for (const [key, value] of Object.entries(values)) {
      const inner = properties[key]?.properties
      if (inner && key !== 'config') compare(value, inner, `${place}.${key}`)
    }
  }
  compare(parse(read('helm/values.yaml')), schema.properties ?? {}, '')
})

const WRONG: readonly (readonly [object, RegExp])[] = [
  [{ replicas: 2 }, /additional properties 'replicas' not allowed/],
  [{ mode: 'daemon' }, /'\/mode': value must be one of 'sidecar', 'standalone'/],
  [{ image: { tga: '1' } }, /'\/image': additional properties 'tga' not allowed/],
  [{ image: { digest: 'sha256:12' } }, /'\/image\/digest'/],
  [{ runAsUser: 0 }, /'\/runAsUser': minimum: got 0, want 1/],
  [{ securityContext: { privileged: true } }, /additional properties 'securityContext' not allowed/],
  [
    { secrets: [{ name: 'ours', data: { key: 'in the clear' } }] },
    /'\/secrets\/0': additional properties 'data' not allowed/,
  ],
  [{ podDisruptionBudget: { maxUnavailable: 0 } }, /'\/podDisruptionBudget\/maxUnavailable'/],
  [{ config: { mint: { rate: 1 } } }, /'\/config\/mint': additional properties 'rate' not allowed/],
  [{ config: { endpont: 'eu' } }, /'\/config': additional properties 'endpont' not allowed/],
  [{ config: { rdt: { scope: 'some' } } }, /'\/config\/rdt\/scope': value must be one of 'generic', 'specific'/],
  [{ config: { mint: { burst: 'many' } } }, /'\/config\/mint\/burst': got string, want integer/],
  [{ config: { listeners: [{ port: 8080 }] } }, /'\/config\/listeners\/0': missing property 'endpoint'/],
]

for (const [wrong, message] of WRONG) {
  test(`the schema refuses ${JSON.stringify(wrong)}`, { skip }, () => {
    assert.match(refusal(wrong as Record<string, unknown>), message)
  })
}

test('the schema takes every default of the program, written out', { skip }, () => {
  const { admin, ...defaults } = parse(read('config/defaults.yaml'))
  render({ config: { ...defaults, admin: { port: admin.port } } })
})

test('helm lint finds a wrong key of the operator file', { skip }, () => {
  const file = scratchFile('wrong.yaml')
  writeFileSync(file, JSON.stringify({ config: { mint: { ratePerSeconds: 1 } } }))
  const { status, stdout, stderr } = lint(file)
  assert.equal(status, 1)
  assert.match(stdout + stderr, /ratePerSeconds/)
})

// What is shipped

test('the package holds the chart, and neither tests nor examples', { skip }, () => {
  helm('package', CHART, '--destination', scratchFile('package'))
  const { stdout } = spawnSync('tar', ['-tzf', scratchFile('package/rdt-sidecar-0.1.0.tgz')], { encoding: 'utf8' })
  const files = stdout.trim().split('\n')
  for (const file of ['values.schema.json', 'files/alerts.yaml', 'files/dashboard.json', 'templates/NOTES.txt'])
    assert.ok(files.includes(`rdt-sidecar/${file}`), file)
  assert.doesNotMatch(stdout, /\/(ci|examples)\/|ignore$/m)
})
