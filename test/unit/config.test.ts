import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { variableOf } from '../../src/config/environment.ts'
import { loadConfig } from '../../src/config/load.ts'
import { keyPaths } from '../../src/config/schema.ts'
import { configFrom } from '../support/pair.ts'

const FIXTURES = path.join(import.meta.dirname, '../fixtures/config')
const problemsWith = (file: string | undefined, env: Record<string, string> = {}): readonly string[] => {
  const result = loadConfig(file, env)
  return result.ok ? [] : result.problems.map((problem) => `${problem.path}: ${problem.message}`)
}

for (const name of readdirSync(FIXTURES)) {
  const file = path.join(FIXTURES, name)
  test(`a configuration mistake is told with its place: ${name}`, () => {
    const [first = ''] = readFileSync(file, 'utf8').split('\n')
    const expected = first.slice(2).replace('FILE', file).replace('CWD', process.cwd())
    assert.deepEqual(problemsWith(file), [expected])
  })
}

test('all problems are told at once: file, environment, catalogue and contradictions', () => {
  const problems = problemsWith(path.join(FIXTURES, 'row-overlaps.yaml'), {
    SIDECAR_HOST: '0.0.0.0',
    SIDECAR_MINT_BURST: 'many',
    SIDECAR_TYPO: '1',
    SIDECAR_LOG_LEVEL: '[',
  })
  const places = problems.map((problem) => problem.slice(0, problem.indexOf(': ')))
  assert.deepEqual(places.sort(), ['SIDECAR_LOG_LEVEL', 'SIDECAR_TYPO', 'host', 'mint.burst', 'operations.my.op'])
})

test('every key can be set by its environment variable, and no two share one', () => {
  const variables = keyPaths().map(variableOf)
  assert.equal(new Set(variables).size, variables.length)
  assert.ok(variables.includes('SIDECAR_MINT_RATE_PER_SECOND'))
  assert.ok(variables.includes('SIDECAR_RDT_EXPIRY_MARGIN_MS'))
})

test('the environment goes before the file, the file before the defaults', () => {
  const file = path.join(FIXTURES, '../config-good.yaml')
  const { settings } = configFrom({ SIDECAR_MINT_BURST: '500', SIDECAR_RDT_DATA_ELEMENTS: '[buyerInfo]' }, file)
  assert.equal(settings.mint.burst, 500)
  assert.equal(settings.mint.ratePerSecond, 5)
  assert.equal(settings.mint.maxWaitMs, 10_000)
  assert.deepEqual(settings.rdt.dataElements, ['buyerInfo'])
})

test('wide ranges are legal: a burst of 500, a timeout of 500 ms', () => {
  assert.deepEqual(problemsWith(undefined, { SIDECAR_MINT_BURST: '500', SIDECAR_MINT_TIMEOUT_MS: '500' }), [])
})

test('rows are added, changed and removed by id', () => {
  const { operations } = configFrom({}, path.join(FIXTURES, '../config-good.yaml'))
  const byId = new Map(operations.map((operation) => [operation.id, operation]))
  assert.equal(byId.has('shipping-v1.getShipment'), false)
  assert.equal(byId.get('orders-v0.getOrder')?.scope, 'specific')
  assert.equal(byId.get('orders-v0.getOrder')?.path, '/orders/v0/orders/{orderId}')
  assert.deepEqual(byId.get('new-v1.getThing')?.takes, ['buyerInfo'])
  assert.equal(byId.get('new-v1.getThing')?.rdt, 'required')
  assert.equal(operations.length, 32)
})

test('several listeners take the place of one', () => {
  const result = loadConfig(undefined, {
    SIDECAR_LISTENERS: '[{port: 8081, endpoint: na}, {port: 8082, endpoint: eu-sandbox}]',
  })
  assert.ok(result.ok)
  assert.deepEqual(
    result.config.listeners.map(({ host, port, endpoint }) => [host, port, endpoint.origin, endpoint.sandbox]),
    [
      ['127.0.0.1', 8081, 'https://sellingpartnerapi-na.amazon.com', false],
      ['127.0.0.1', 8082, 'https://sandbox.sellingpartnerapi-eu.amazon.com', true],
    ],
  )
})

test('a variable that Kubernetes makes for a Service named sidecar is told apart', () => {
  const [problem] = problemsWith(undefined, { SIDECAR_SERVICE_HOST: '10.0.0.1' })
  assert.match(problem ?? '', /enableServiceLinks: false/)
})

test('the configuration is frozen to its last leaf', () => {
  const config = configFrom({})
  assert.ok(Object.isFrozen(config.settings.mint) && Object.isFrozen(config.operations[0]?.takes))
})

test('config/defaults.yaml holds every key of the schema and no other, each with a comment above its section or itself', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../config/defaults.yaml'), 'utf8')
  const leaves = (tree: unknown, prefix: string[] = []): string[] =>
    typeof tree === 'object' && tree !== null && !Array.isArray(tree) && Object.keys(tree).length > 0
      ? Object.entries(tree).flatMap(([key, value]) => leaves(value, [...prefix, key]))
      : [prefix.join('.')]
  assert.deepEqual(
    leaves(parse(text)).sort(),
    keyPaths()
      .map((key) => key.join('.'))
      .sort(),
  )
})

test('hosts in the environment are taken as they stand: :: and [::1] are something else in YAML', () => {
  const hostsOf = (host: string) => {
    const loaded = loadConfig(undefined, {
      SIDECAR_HOST: host,
      SIDECAR_ADMIN_HOST: host,
      SIDECAR_INSECURE_LISTEN: 'true',
    })
    return loaded.ok && [loaded.config.settings.host, loaded.config.settings.admin.host]
  }
  for (const host of ['::', '::1', '0.0.0.0', 'localhost']) assert.deepEqual(hostsOf(host), [host, host])
  assert.deepEqual(hostsOf('"::"'), ['::', '::'])
})
