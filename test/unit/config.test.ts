import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
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

const SECRETS = path.join(FIXTURES, '../secrets')
const SHOP = `[{id: shop-eu, clientId: amzn1.x, clientSecretFile: ${SECRETS}/client-secret, refreshTokenFile: ${SECRETS}/refresh-token}]`
const ANONYMOUS = { SIDECAR_AUTH_INSECURE_ALLOW_ANONYMOUS: 'true' }

test('secrets come by file, less their line break, or by environment; nothing that prints a configuration shows them', (t) => {
  const byFile = configFrom({ ...ANONYMOUS, SIDECAR_SELLERS: SHOP })
  const byEnvironment = configFrom({
    ...ANONYMOUS,
    SIDECAR_SELLERS: '[{id: shop-eu, clientId: amzn1.x}]',
    SIDECAR_SELLERS_SHOP_EU_CLIENT_SECRET: 'simulated-secret\n',
    SIDECAR_SELLERS_SHOP_EU_REFRESH_TOKEN: 'Atzr|seller-a',
  })
  const folder = folderOf(t)
  const spaced = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 })
    return path.join(folder, name)
  }
  const files = [spaced('secret', '\n simulated-secret\t\r\n\r\n'), spaced('token', 'Atzr|seller-a\r\n')] as const
  const row = { id: 'shop-eu', clientId: 'amzn1.x', clientSecretFile: files[0], refreshTokenFile: files[1] }
  const bySpacedFile = configFrom({ ...ANONYMOUS, SIDECAR_SELLERS: JSON.stringify([row]) })
  for (const config of [byFile, byEnvironment, bySpacedFile]) {
    const [seller] = config.sellers
    assert.equal(seller?.clientSecret.reveal(), 'simulated-secret')
    assert.equal(seller?.refreshToken.reveal(), 'Atzr|seller-a')
    for (const text of [JSON.stringify(config), inspect(config, { depth: null })])
      assert.doesNotMatch(text, /simulated-secret|Atzr\|seller-a/)
  }
})

test('a secret by file and by variable at once, and a variable of no seller, are mistakes', () => {
  const variables = { SIDECAR_SELLERS_SHOP_EU_CLIENT_SECRET: 'x', SIDECAR_SELLERS_SHOP_REFRESH_TOKEN: 'x' }
  assert.deepEqual([...problemsWith(undefined, { ...ANONYMOUS, SIDECAR_SELLERS: SHOP, ...variables })].sort(), [
    'SIDECAR_SELLERS_SHOP_REFRESH_TOKEN: unknown variable: no seller has the id that it names',
    'sellers.0.clientSecretFile: is set, and SIDECAR_SELLERS_SHOP_EU_CLIENT_SECRET too: set one of them',
  ])
})

test('with sellers, each way of proving oneself is enough for itself; a socket only for its own listener', () => {
  const problems = (env: Record<string, string>) => problemsWith(undefined, { SIDECAR_SELLERS: SHOP, ...env }).length
  assert.equal(problems({}), 1)
  assert.equal(problems(ANONYMOUS), 0)
  assert.equal(problems({ SIDECAR_SOCKET_PATH: '/tmp/rdt.sock' }), 0)
  assert.equal(problems({ SIDECAR_AUTH_CALLER_TOKEN_FILE: `${SECRETS}/two-lines` }), 0)
  assert.equal(problems({ SIDECAR_AUTH_CALLERS: `[{name: orders, tokenFile: ${SECRETS}/two-lines}]` }), 0)
  const listeners = '[{socketPath: /tmp/rdt.sock, endpoint: na}, {port: 0, endpoint: na}]'
  assert.equal(problems({ SIDECAR_LISTENERS: listeners }), 1)
})

test('a caller token file may be yet to be made; both of its lines count', () => {
  const tokens = (file: string, create: string) =>
    configFrom({
      SIDECAR_SELLERS: SHOP,
      SIDECAR_AUTH_CALLER_TOKEN_FILE: file,
      SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE: create,
    }).callers.flatMap((caller) => caller.tokens.map((token) => token.reveal()))
  assert.deepEqual(tokens('/nowhere/token', 'true'), [])
  assert.throws(() => tokens('/nowhere/token', 'false'), /auth\.callerTokenFile.*cannot be read \(ENOENT\)/)
  assert.deepEqual(tokens(`${SECRETS}/two-lines`, 'false'), ['first-token', 'second-token'])
})

test('what is unsafe though legal is told: open files, plaintext, anonymous callers', (t) => {
  const folder = folderOf(t)
  const file = path.join(folder, 'secret')
  const warnings = (mode: number) => {
    writeFileSync(file, 'x')
    chmodSync(file, mode)
    const sellers = `[{id: shop, clientId: amzn1.x, clientSecretFile: ${file}, refreshTokenFile: ${file}}]`
    const env = { ...ANONYMOUS, SIDECAR_HOST: '0.0.0.0', SIDECAR_INSECURE_LISTEN: 'true', SIDECAR_SELLERS: sellers }
    return loadConfig(undefined, env).warnings.map((warning) => warning.path)
  }
  const others = ['insecureListen', 'auth.insecureAllowAnonymous']
  assert.deepEqual(warnings(0o440), others)
  assert.deepEqual(warnings(0o444), ['sellers.0.clientSecretFile', 'sellers.0.refreshTokenFile', ...others])
})

const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

test('so are a token that can be guessed, two rows of one selling partner, and secrets that leave in the clear', (t) => {
  const folder = folderOf(t)
  const fileOf = (name: string, text: string): string => {
    const file = path.join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const rowOf = (id: string, token: string, endpoint: string) => ({
    id,
    clientId: 'amzn1.x',
    clientSecretFile: fileOf('secret', 'x'),
    refreshTokenFile: fileOf(token, token),
    endpoint,
  })
  const warnings = (token: string, rows: readonly object[], lwa = 'https://api.amazon.com/auth/o2/token') =>
    loadConfig(undefined, {
      SIDECAR_SELLERS: JSON.stringify(rows),
      SIDECAR_AUTH_CALLER_TOKEN_FILE: fileOf('caller', token),
      SIDECAR_LWA_ENDPOINT: lwa,
    }).warnings.map((warning) => warning.path)
  const LONG = 'x'.repeat(20)
  const rows = [rowOf('a', 'one', 'eu'), rowOf('b', 'one', 'na'), rowOf('c', 'two', 'eu')]
  assert.deepEqual(warnings(LONG, rows), [])
  assert.deepEqual(warnings(LONG.slice(1), rows), ['auth.callerTokenFile'])
  assert.deepEqual(warnings(LONG, [...rows, rowOf('d', 'one', 'eu')]), ['sellers.3'])
  assert.deepEqual(warnings(LONG, [rowOf('a', 'one', 'http://127.0.0.1')], 'http://127.0.0.1'), [
    'lwa.endpoint',
    'endpoint',
  ])
})

test('what is wrong with YAML is told without the text, and never thrown', (t) => {
  const printed: unknown[] = []
  const listener = (warning: unknown) => void printed.push(warning)
  process.on('warning', listener)
  t.after(() => process.off('warning', listener))
  const texts = [
    ...['*CANARY', '*CANARY:', '!CANARY!x y', '|CANARY', '>CANARY', '"x" CANARY', '&x *CANARY', '[CANARY', '@CANARY'],
    ...['!CANARY x', '!!CANARY x', '!<CANARY> x', '"CANARY', 'b: CANARY', '- CANARY', ']CANARY', '&CANARY &CANARY x'],
  ]
  for (const text of texts) {
    const problems = problemsWith(undefined, { SIDECAR_CACHE_MAX_ENTRIES: text })
    assert.match(problems.join('\n'), /^(SIDECAR_CACHE_MAX_ENTRIES|cache\.maxEntries): /m, text)
    assert.doesNotMatch(problems.join('\n'), /CANARY(?!_|$)/, text)
  }
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => assert.deepEqual(printed, []))
})
