import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { rootCertificates } from 'node:tls'
import { inspect } from 'node:util'
import { changedKeys, needingRestart } from '../../src/config/changes.ts'
import { loadConfig } from '../../src/config/load.ts'
import { configFrom } from '../support/pair.ts'

const KEY_FILE = path.join(import.meta.dirname, '../fixtures/secrets/store-key')
const envOf = (url: string, more: Record<string, string> = {}) => ({
  SIDECAR_STORE_URL: url,
  SIDECAR_STORE_KEY_FILE: KEY_FILE,
  ...more,
})
const INSECURE = { SIDECAR_STORE_INSECURE_PLAINTEXT: 'true' }
const problemsWith = (env: Record<string, string>): readonly string[] => {
  const result = loadConfig(undefined, env)
  return result.ok ? [] : result.problems.map((problem) => `${problem.path}: ${problem.message}`)
}

/** What writes files that only the test's user can read. */
const writerIn = (t: TestContext) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 })
    return path.join(folder, name)
  }
}

test('without store.url there is no store', () => {
  assert.equal(configFrom({}).store, undefined)
})

test('store.url: where the store is', (t) => {
  const passwordFile = writerIn(t)('password', 'x')
  const addressOf = (url: string) => {
    const user = url.includes('@') ? { SIDECAR_STORE_PASSWORD_FILE: passwordFile } : undefined
    const { store } = configFrom(envOf(url, { ...INSECURE, ...user }))
    return [store?.tls, store?.username, store?.host, store?.port, store?.db]
  }
  const plain = (host: string) => [false, undefined, host, 6379, 0]
  assert.deepEqual(addressOf('redis://127.0.0.1'), plain('127.0.0.1'))
  assert.deepEqual(addressOf('redis://127.0.0.1/'), plain('127.0.0.1'))
  assert.deepEqual(addressOf('REDIS://Cache.Internal'), plain('cache.internal'))
  assert.deepEqual(addressOf('redis://my_cache-0'), plain('my_cache-0'))
  assert.deepEqual(addressOf('redis://[::1]'), plain('::1'))
  assert.deepEqual(addressOf('redis://[2001:DB8::0:1]'), plain('2001:db8::1'))
  assert.deepEqual(addressOf('redis://0x7f.1'), plain('127.0.0.1'))
  assert.deepEqual(addressOf('rediss://cache:80/15'), [true, undefined, 'cache', 80, 15])
  assert.deepEqual(addressOf('rediss://side%20car%40eu@[::1]:6380/2'), [true, 'side car@eu', '::1', 6380, 2])
})

test('what is no such URL is refused, and not repeated', () => {
  const bad = [
    ...[
      'cache',
      'cache:6379',
      'redis:cache',
      'redis:/cache',
      'redis://',
      'redis:///0',
      'http://cache',
      'unix:///cache',
    ],
    ...['redis+tls://cache', 'redis://@cache', 'redis://cache:', 'redis://cache:0', 'redis://cache:65536'],
    ...['redis://cache:6379:1', 'redis://::1', 'redis://[::1', 'redis://[:::]', 'redis://[cache]', 'redis://256.0.0.1'],
    ...[
      'redis://cache/x',
      'redis://cache/-1',
      'redis://cache/1.5',
      'redis://cache/1/2',
      'redis://cache/%30',
      'redis://cache/1e1',
    ],
    ...[
      'redis://cache/0?db=1',
      'redis://cache?',
      'redis://cache#',
      'redis://cache/0#x',
      'redis://ca%41che',
      'redis://c ache',
    ],
    ...['redis://cache,cache', 'redis://bücher', 'redis://%zz@cache', 'redis://a@b@cache', 'redis://cache\\n'],
  ]
  const refusal =
    'store.url: must be redis://[user@]host[:port][/db], or rediss://… for TLS (no password, nothing after the number)'
  for (const url of bad) assert.deepEqual(problemsWith(envOf(JSON.stringify(url), INSECURE)), [refusal], url)
})

test('a password in the URL is refused with where it goes, and not repeated, however it was written', () => {
  const passwords = [
    ...[':CANARY@', 'default:CANARY@', 'default:CA/NARY@', 'default:CANARY@CANARY@', ':CANARY:CANARY@', 'x:CANARY?#@'],
    ...['CANARY:@', 'default%3ACANARY@', ':CANARY\n@', ':@CANARY@', ':CANARY%zz@'],
  ]
  const refusal =
    'store.url: holds a password, which has no place in it: name the file that holds it in store.passwordFile'
  for (const password of passwords)
    for (const scheme of ['redis', 'rediss', 'http']) {
      const url = `${scheme}://${password}cache:6379/0`
      const result = loadConfig(undefined, envOf(JSON.stringify(url), INSECURE))
      assert.ok(!result.ok)
      assert.deepEqual(problemsWith(envOf(JSON.stringify(url), INSECURE)), [refusal], url)
      assert.doesNotMatch(JSON.stringify(result), /NARY/, url)
    }
  const others = [
    'rediss://CANARY@cache',
    'redis://cache?password=CANARY',
    'redis:CANARY@cache',
    '{ redis://:CANARY@cache: }',
  ]
  for (const url of others) {
    const problems = problemsWith(envOf(url))
    assert.equal(problems.length, 1, url)
    assert.doesNotMatch(problems.join(), /CANARY/, url)
  }
})

const BYTES = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - i))
const OTHER = Buffer.alloc(32, 7)

test('store.keyFile: one or two keys of 32 bytes, in base64 or hex; what it holds is in no message', (t) => {
  const write = writerIn(t)
  const keysIn = (text: string) => {
    const result = loadConfig(undefined, envOf('redis://127.0.0.1', { SIDECAR_STORE_KEY_FILE: write('key', text) }))
    if (result.ok) return result.config.store?.keys.map((key) => key.reveal())
    for (const line of text.split('\n').filter(Boolean))
      assert.ok(!JSON.stringify(result.problems).includes(line), line)
    return result.problems.map(({ path, message }) => `${path}: ${message}`)
  }
  const [base64, hex, base64url] = [BYTES.toString('base64'), BYTES.toString('hex'), BYTES.toString('base64url')]
  const forms = [base64, base64.replace('=', ''), hex, hex.toUpperCase(), base64url, `${base64url}=`]
  for (const form of forms) {
    assert.deepEqual(keysIn(`${form}\r\n`), [hex])
    assert.deepEqual(keysIn(`${form}\n\n ${OTHER.toString('hex')}\n`), [hex, OTHER.toString('hex')])
    for (const again of forms)
      assert.deepEqual(keysIn(`${form}\n${again}`), ['store.keyFile: the file holds the same key twice'])
  }
  const none =
    'store.keyFile: the file must hold keys of 32 random bytes, each a line of base64 or hex: openssl rand -base64 32'
  const wrong = [
    ...['a-passphrase', base64.slice(1), `${base64}=`, `A${base64}`, hex.slice(1), `${hex}0`, `0x${hex}`],
    ...[hex.replace('f', 'g'), base64url.replace('_', '/'), BYTES.subarray(1).toString('base64'), `key:${base64}`],
  ]
  for (const text of wrong) {
    assert.deepEqual(keysIn(text), [none], text)
    assert.deepEqual(keysIn(`${OTHER.toString('base64')}\n${text}`), [none], text)
  }
  assert.deepEqual(keysIn(''), ['store.keyFile: the file is empty'])
  assert.deepEqual(keysIn(`${hex}\n${base64}\n${OTHER.toString('hex')}`), [
    'store.keyFile: the file must hold 2 lines at most',
  ])
  assert.deepEqual(keysIn(hex.replace('e', ' ')), [
    'store.keyFile: the file must hold visible ASCII characters alone, without spaces',
  ])
})

test('what the files hold is read; nothing that prints a configuration shows password and keys', (t) => {
  const write = writerIn(t)
  const [ca = ''] = rootCertificates
  const config = configFrom(
    envOf('rediss://cache.internal', {
      SIDECAR_STORE_KEY_FILE: write('key', BYTES.toString('hex')),
      SIDECAR_STORE_PASSWORD_FILE: write('password', 'CANARY\n'),
      SIDECAR_STORE_CA_FILE: write('ca', ca),
      SIDECAR_STORE_SHARE: '0.25',
      SIDECAR_STORE_TIMEOUT_MS: '100',
    }),
  )
  const { store } = config
  assert.deepEqual(
    [store?.password?.reveal(), store?.keys.map((key) => key.reveal()), store?.ca, store?.share, store?.timeoutMs],
    ['CANARY', [BYTES.toString('hex')], ca, 0.25, 100],
  )
  for (const text of [JSON.stringify(config), inspect(config, { depth: null })])
    assert.ok(!text.includes('CANARY') && !text.includes(BYTES.toString('hex')))
  const bare = configFrom(envOf('redis://127.0.0.1')).store
  assert.deepEqual(
    [bare?.password, bare?.keys.length, bare?.ca, bare?.share, bare?.timeoutMs],
    [undefined, 1, undefined, undefined, 250],
  )
})

test('all that is wrong with the store is told at once', () => {
  const env = {
    SIDECAR_STORE_KEY_FILE: '/nowhere',
    SIDECAR_STORE_PASSWORD_FILE: '/nowhere',
    SIDECAR_STORE_CA_FILE: '/nowhere',
  }
  assert.deepEqual(
    problemsWith(envOf('redis://cache', env)).map((problem) => problem.slice(0, problem.indexOf(':'))),
    ['store.keyFile', 'store.passwordFile', 'store.caFile', 'store.caFile', 'store.url'],
  )
})

test('each setting of a store that is nowhere is a mistake; those with a default are none', () => {
  const alone = {
    KEY_FILE: 'store.keyFile',
    PASSWORD_FILE: 'store.passwordFile',
    CA_FILE: 'store.caFile',
    SHARE: 'store.share',
    INSECURE_PLAINTEXT: 'store.insecurePlaintext',
  }
  const values: Record<string, string> = { SHARE: '0.5', INSECURE_PLAINTEXT: 'true' }
  for (const [name, key] of Object.entries(alone))
    assert.deepEqual(problemsWith({ [`SIDECAR_STORE_${name}`]: values[name] ?? KEY_FILE }), [
      `${key}: is set, but store.url does not say where the store is`,
    ])
  assert.deepEqual(problemsWith({ SIDECAR_STORE_TIMEOUT_MS: '100' }), [])
})

test('authorities are for rediss:// alone', (t) => {
  const env = { SIDECAR_STORE_CA_FILE: writerIn(t)('ca', rootCertificates.slice(0, 2).join('\n')) }
  assert.deepEqual(problemsWith(envOf('rediss://127.0.0.1', env)), [])
  assert.deepEqual(problemsWith(envOf('redis://127.0.0.1', env)), [
    'store.caFile: is set, but store.url is not rediss://: nobody shows a certificate',
  ])
})

test('plaintext off loopback must be said, and is then told; it is fine on loopback', (t) => {
  const keyFile = writerIn(t)('key', BYTES.toString('hex'))
  const told = (url: string, more: Record<string, string> = {}) => {
    const result = loadConfig(undefined, envOf(url, { SIDECAR_STORE_KEY_FILE: keyFile, ...more }))
    return [...(result.ok ? [] : result.problems), ...result.warnings].map((one) => one.path)
  }
  for (const host of ['127.0.0.1', '127.9.9.9:6380', 'localhost', 'LOCALHOST', '[::1]', '[0::1]:1/2', '2130706433'])
    assert.deepEqual(told(`redis://${host}`), [], host)
  for (const host of ['cache', '0.0.0.0', '10.0.0.1', '[::]', '[fe80::1]', 'localhost.example', '127.0.0.1.example']) {
    assert.deepEqual(told(`redis://${host}`), ['store.url', 'store.insecurePlaintext'], host)
    assert.deepEqual(told(`redis://${host}`, INSECURE), ['store.insecurePlaintext'], host)
    assert.deepEqual(told(`rediss://${host}`), [], host)
  }
  chmodSync(keyFile, 0o644)
  assert.deepEqual(told('rediss://cache'), ['store.keyFile'])
})

test('what its files hold is taken over while serving, and named; its settings need a restart', (t) => {
  const write = writerIn(t)
  const [first = '', second = ''] = rootCertificates
  const configWith = (key: Buffer, password: string, ca: string, more: Record<string, string> = {}) =>
    configFrom(
      envOf('rediss://cache', {
        SIDECAR_STORE_KEY_FILE: write('key', key.toString('base64')),
        SIDECAR_STORE_PASSWORD_FILE: write('password', password),
        SIDECAR_STORE_CA_FILE: write('ca', ca),
        ...more,
      }),
    )
  const before = configWith(BYTES, 'one', first)
  const restarts = (after: ReturnType<typeof configWith>) => {
    const changed = changedKeys(before, after)
    return [changed, needingRestart(changed).map((problem) => problem.path)]
  }
  assert.deepEqual(restarts(configWith(BYTES, 'one', first)), [[], []])
  assert.deepEqual(restarts(configWith(OTHER, 'one', first)), [['store.key'], []])
  assert.deepEqual(restarts(configWith(BYTES, 'two', first)), [['store.password'], []])
  assert.deepEqual(restarts(configWith(BYTES, 'one', second)), [['store.ca'], []])
  const slower = { SIDECAR_STORE_TIMEOUT_MS: '500', SIDECAR_STORE_SHARE: '0.5' }
  const keys = ['store.share', 'store.timeoutMs']
  assert.deepEqual(restarts(configWith(BYTES, 'one', first, slower)), [keys, keys])
})
