import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { needs } from '../support/tools.ts'
import { CHART, notes, plainChart, type Rendered, refusal, render, scratchFile, the } from './chart.ts'
import { certificate, mount } from './mounts.ts'
import { envOf, type Pod, podsOf, sidecarOf } from './pods.ts'

// A store that pods share: what the chart gives the sidecar, and what it refuses.

const skip = needs('helm')

const REDIS = 'rediss://redis.example.com'
const KEY = { key: { secretName: 'rdt-store' } }
type Values = Record<string, unknown>
const alone = (values: Values): readonly Rendered[] =>
  render({ mode: 'standalone', ...values, config: { insecureListen: true, ...(values['config'] as object) } })
const inShop = (values: Values): readonly Rendered[] => render({ 'rdt-sidecar': values }, { chart: plainChart() })
const podOf = (objects: readonly Rendered[]): Pod => podsOf([the(objects, 'Deployment')])[0] as Pod
const fromFile = (file: string): readonly Rendered[] => render(path.join(CHART, 'ci', file))

/** What the program makes of it. */
const storeOf = (objects: readonly Rendered[], config?: Rendered) => {
  const { env } = mount(podOf(objects), objects, config)
  const { SIDECAR_CONFIG: file, ...rest } = env
  const loaded = loadConfig(file, rest)
  assert.ok(loaded.ok, JSON.stringify(loaded))
  return loaded.config.store
}

test('address, key, password and authorities reach the program, of Secrets that are mounted once', {
  skip: needs('helm', 'openssl'),
}, () => {
  const objects = fromFile('standalone-store-values.yaml')
  const { password, keys, ...rest } = storeOf(objects) ?? assert.fail('no store')
  const address = { tls: true, username: 'rdt', host: 'redis.example.com', port: 6380, db: 2 }
  assert.deepEqual(rest, { ...address, ca: certificate().cert, share: 0.1, timeoutMs: 250 })
  assert.deepEqual([password?.reveal(), keys.length], ['password-of-redis', 1])
  const secrets = podOf(objects).spec.volumes.flatMap(({ secret }: Rendered) => secret?.secretName ?? [])
  assert.deepEqual(secrets, ['corporate-ca', 'rdt-store'])
})

test('without a store nothing of one is rendered', { skip }, () => {
  const names = Object.keys(envOf(sidecarOf(podOf(alone({})))))
  assert.deepEqual(
    names.filter((name) => name.includes('STORE')),
    [],
  )
  assert.equal(storeOf(alone({})), undefined)
})

test('beside an existing ConfigMap the Secrets are the chart’s, and the rest is in that file', { skip }, () => {
  const existingConfigMap = { name: 'ours' }
  const store = { url: REDIS, share: 0.5 }
  const config = { insecureListen: true, store }
  assert.equal(storeOf(alone({ existingConfigMap, store: KEY }), config)?.share, 0.5)
  const values = { mode: 'standalone', existingConfigMap, store: KEY, config }
  assert.match(refusal(values), /config\.store\.share: has no effect beside existingConfigMap/)
})

test('files that another way has brought are named in the configuration', { skip }, () => {
  const keyFile = '/etc/rdt-sidecar/secrets/ours/key'
  const config = { store: { url: REDIS, keyFile } }
  assert.equal(storeOf(inShop({ config, secrets: [{ name: 'ours' }] }))?.keys.length, 1)
  assert.match(refusal({ config }), /config\.store\.keyFile: the Secret ours is not mounted: add it to secrets/)
})

// NetworkPolicy

const PEER = { podSelector: { matchLabels: { app: 'redis' } } }
const policyOf = (url: string): Rendered => {
  const networkPolicy = { enabled: true, dataFrom: [PEER], storeTo: [PEER] }
  const objects = alone({ store: KEY, networkPolicy, config: { store: { url, insecurePlaintext: true } } })
  return the(objects, 'NetworkPolicy').spec.egress.at(-1)
}

for (const [url, port] of [
  ['redis://redis.orders.svc', 6379],
  ['rediss://redis:6380', 6380],
  ['redis://redis:7000/1', 7000],
  ['redis://10.0.0.5/3', 6379],
  ['redis://[fd00::5]', 6379],
  ['redis://[fd00::5]:7001', 7001],
] as const)
  test(`the NetworkPolicy lets pods out to ${url}`, { skip }, () => {
    assert.deepEqual(policyOf(url), { to: [PEER], ports: [{ protocol: 'TCP', port }] })
  })

// What is refused

/** With the program's own settings, which refuse it too: nothing is forbidden that would work. */
const CONTRADICTIONS: readonly (readonly [store: Values, message: RegExp])[] = [
  [{ url: REDIS }, /store\.key\.secretName: is missing: nothing is kept in the store but encrypted/],
  [{ url: 'redis.example.com:6379' }, /config\.store\.url: must be redis:\/\//],
  [{ url: 'redis://one:6379,two:6379', keyFile: '/x' }, /config\.store\.url: must be redis:\/\//],
  [{ url: 'rediss://rdt@redis', keyFile: '/x' }, /store\.password\.secretName: is missing: config\.store\.url names a/],
  [{ url: 'redis://redis', keyFile: '/x' }, /config\.store\.url: redis:\/\/ to a host that is not loopback/],
  [{ url: 'redis://127.0.0.1.example.com', keyFile: '/x' }, /config\.store\.url: redis:\/\/ to a host that is not/],
  [
    { url: 'redis://[::1]', keyFile: '/x', caFile: '/y' },
    /config\.store\.caFile: is set, but config\.store\.url is not/,
  ],
  [{ keyFile: '/x' }, /config\.store\.keyFile: is set, but config\.store\.url does not say where the store is/],
  [{ passwordFile: '/x' }, /config\.store\.passwordFile: is set, but config\.store\.url does not say/],
  [{ caFile: '/x' }, /config\.store\.caFile: is set, but config\.store\.url does not say/],
  [{ share: 0.5 }, /config\.store\.share: is set, but config\.store\.url does not say/],
  [{ insecurePlaintext: true }, /config\.store\.insecurePlaintext: is set, but config\.store\.url does not say/],
]

const problemsWith = (store: Values): readonly string[] => {
  const file = scratchFile('refused.yaml')
  writeFileSync(file, stringify({ store }))
  const loaded = loadConfig(file, {})
  const problems = loaded.ok ? [] : loaded.problems.map(({ path: place, message }) => `${place}: ${message}`)
  return problems.filter((one) => !/cannot be read/.test(one))
}

for (const [store, message] of CONTRADICTIONS)
  test(`the chart refuses what the program refuses: ${JSON.stringify(store)}`, { skip }, () => {
    assert.match(refusal({ config: { store } }), message)
    assert.notDeepEqual(problemsWith(store), [])
  })

for (const url of ['redis://LOCALHOST', 'redis://127.0.0.2:6380/1', 'redis://[::1]', 'REDISS://rdt@redis', REDIS])
  test(`the chart takes what the program takes: ${url}`, { skip }, () => {
    const store = { url, keyFile: '/x', passwordFile: '/y' }
    inShop({ config: { store } })
    assert.deepEqual(problemsWith(store), [])
  })

test('a password in the address is refused, and not said again', { skip }, () => {
  for (const url of ['rediss://:canary@redis', 'rediss://rdt:canary@redis/1', 'rediss://rdt:can/ary@redis']) {
    const said = refusal({ config: { store: { url } }, store: KEY })
    assert.match(said, /config\.store\.url: holds a password, which has no place in values/)
    assert.doesNotMatch(said, /ary/)
    assert.match(problemsWith({ url }).join(), /store\.url: holds a password/)
  }
})

const policy = { enabled: true, podSelector: { app: 'shop' } }
const OF_THE_CHART: readonly (readonly [Values, RegExp])[] = [
  [{ store: KEY }, /store\.key\.secretName: is set, but config\.store\.url does not say where the store is/],
  [{ store: { password: { secretName: 'x' } } }, /store\.password\.secretName: is set, but config\.store\.url does/],
  [
    { store: KEY, config: { store: { url: REDIS, keyFile: '/x' } } },
    /config\.store\.keyFile: is set, and store\.key\.secretName too: set one of them/,
  ],
  [
    { store: { ...KEY, ca: { secretName: 'ca' } }, config: { store: { url: 'redis://localhost' } } },
    /store\.ca\.secretName: is set, but config\.store\.url is not rediss:\/\//,
  ],
  [
    { store: KEY, config: { store: { url: REDIS } }, networkPolicy: policy },
    /networkPolicy\.storeTo: say where the store is; it could not be reached/,
  ],
  [
    { networkPolicy: { ...policy, storeTo: [PEER] } },
    /networkPolicy\.storeTo: is set, but config\.store\.url does not/,
  ],
  [
    { existingConfigMap: { name: 'ours' }, store: KEY, networkPolicy: { ...policy, storeTo: [PEER] } },
    /networkPolicy\.storeTo: is set, .* repeat there what the file of existingConfigMap says/,
  ],
  [{ store: { key: { secretName: 'x', key: 'a/b' } } }, /'\/store\/key\/key'/],
  [{ store: { key: 'c2VjcmV0' } }, /'\/store\/key': got string, want object/],
  ...['URL', 'KEY_FILE', 'PASSWORD_FILE', 'CA_FILE', 'INSECURE_PLAINTEXT'].map((name): [Values, RegExp] => [
    { env: [{ name: `SIDECAR_STORE_${name}`, value: 'x' }] },
    new RegExp(`env: the chart must know SIDECAR_STORE_${name}: set store`),
  ]),
]

for (const [values, message] of OF_THE_CHART)
  test(`the chart refuses ${JSON.stringify(values).slice(0, 110)}`, { skip }, () => {
    assert.match(refusal(values), message)
  })

test('with a store the notes speak of one plan for all, and warn of none for each', { skip }, () => {
  const values = { store: KEY, config: { insecureListen: true, store: { url: REDIS } } }
  const standalone = notes({ mode: 'standalone', replicaCount: 10, ...values })
  assert.match(standalone, /All replicas share RDTs and one usage plan/)
  assert.doesNotMatch(standalone, /WARNING/)
  assert.match(notes({ store: KEY, config: { store: { url: REDIS } } }), /All pods share RDTs and one usage plan/)
  assert.doesNotMatch(notes({}), /All pods share/)
})
