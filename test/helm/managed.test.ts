import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { request as tlsRequest } from 'node:https'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { stringify } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { run, servingWith, simulating } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import { CHART, notes, parentChart, plainChart, type Rendered, refusal, render, scratchFile, the } from './chart.ts'
import { callerTokenOf, certificate, mount } from './mounts.ts'
import { envOf, type Pod, podsOf, sidecarOf } from './pods.ts'

// Managed sellers: what the chart gives the sidecar and its callers, and what it refuses.

const skip = needs('helm')
const skipTls = needs('helm', 'openssl')

const SELLER = {
  id: 'shop',
  clientId: 'amzn1.application-oa2-client.0123',
  clientSecretFile: '/etc/rdt-sidecar/secrets/amazon/client-secret',
  refreshTokenFile: '/etc/rdt-sidecar/secrets/amazon/refresh-token',
}
type Values = Record<string, unknown>
const managed = ({ config = {}, ...more }: Values = {}): Values => ({
  config: { sellers: [SELLER], ...(config as object) },
  secrets: [{ name: 'amazon' }],
  ...more,
})
const inShop = (values: Values): readonly Rendered[] => render({ 'rdt-sidecar': values }, { chart: plainChart() })
const alone = (values: Values): readonly Rendered[] => render({ mode: 'standalone', ...values })
const podOf = (objects: readonly Rendered[]): Pod => podsOf([the(objects, 'Deployment')])[0] as Pod
const appOf = ({ spec }: Pod): Rendered => spec.containers[0]
const volumesOf = ({ spec }: Pod, name: string): readonly Rendered[] =>
  spec.volumes.filter((volume: Rendered) => volume.name === name)
const ciValues = (file: string): string => path.join(CHART, 'ci', file)

/** The program with what was rendered, before the simulator; `seenBy` tells paths of a container on this machine. */
const started = async (
  t: TestContext,
  objects: readonly Rendered[],
  config: Rendered,
  more: Record<string, string>,
) => {
  const pod = podOf(objects)
  const amazon = await simulating(t)
  const { env, seenBy } = mount(pod, objects, config)
  const own = { SIDECAR_ADMIN_PORT: '0', SIDECAR_LWA_ENDPOINT: `${amazon}/auth/o2/token`, SIDECAR_ENDPOINT: amazon }
  const sidecar = await servingWith(t, { ...env, ...own, ...more })
  return { ...sidecar, port: Number(sidecar.base.split(':').at(-1)), env, pod, seenBy }
}

const ADDRESS = '/orders/v0/orders/902-1845936-5435001/address'

/** Over TLS where a `ca` is given; the answer's status and error, and whether personal data came. */
const ask = async (options: RequestOptions & { ca?: string; cert?: string; key?: string; servername?: string }) => {
  const send = options.ca === undefined ? request : tlsRequest
  const sent = send({ host: '127.0.0.1', path: ADDRESS, agent: false, ...options }).end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += chunk
  return [answer.statusCode, answer.headers['x-rdt-error'] ?? text.includes('AddressLine1')]
}

test('a container of the pod reads the token that the sidecar has made, and calls without any credential', {
  skip,
}, async (t) => {
  const values = managed({ callerToken: { create: true } })
  const { base, pod, seenBy } = await started(t, inShop(values), undefined, { SIDECAR_PORT: '0' })
  const token = readFileSync(seenBy(appOf(pod))('/run/rdt-sidecar/caller/token'), 'utf8').trim()
  const call = async (headers: Record<string, string>) => (await fetch(base + ADDRESS, { headers })).status
  assert.equal(await call({ 'x-rdt-caller-token': token }), 200)
  assert.equal(await call({}), 403)
  const file = seenBy(sidecarOf(pod))('/run/rdt-sidecar/caller/token')
  assert.equal(statSync(file).mode & 0o777, 0o440)
})

test('a token that was there stays when the sidecar is started anew', { skip }, async (t) => {
  const objects = inShop(managed({ callerToken: { create: true } }))
  const pod = podOf(objects)
  const { env, seenBy } = mount(pod, objects, undefined)
  const file = seenBy(appOf(pod))('/run/rdt-sidecar/caller/token')
  writeFileSync(file, 'there-before\n')
  await servingWith(t, { ...env, SIDECAR_PORT: '0', SIDECAR_ADMIN_PORT: '0' })
  assert.equal(readFileSync(file, 'utf8'), 'there-before\n')
})

test('a container of the pod calls over the shared socket, whose folder is the proof', { skip }, async (t) => {
  const config = { socketPath: '/run/rdt-sidecar/socket/data.sock' }
  const { pod, seenBy } = await started(t, inShop(managed({ config })), undefined, {})
  const socketPath = seenBy(appOf(pod))(config.socketPath)
  assert.deepEqual(await ask({ socketPath }), [200, true])
  assert.equal(statSync(socketPath).mode & 0o777, 0o660)
})

test('standalone: TLS by the name of the Service, the token of a Secret; other names and no token are refused', {
  skip: skipTls,
}, async (t) => {
  const values = managed({ callerToken: { secretName: 'caller' }, tls: { secretName: 'tls' } })
  const objects = render({ mode: 'standalone', ...values })
  const { port } = await started(t, objects, undefined, { SIDECAR_PORT: '0' })
  const servername = 'shop-rdt-sidecar.orders.svc'
  const headers = { host: `${servername}:8080`, 'x-rdt-caller-token': callerTokenOf('caller') }
  const tls = { ca: certificate().cert, port, servername }
  assert.deepEqual(await ask({ ...tls, headers }), [200, true])
  for (const host of ['shop-rdt-sidecar', 'shop-rdt-sidecar.orders', 'shop-rdt-sidecar.orders.svc.cluster.local'])
    assert.deepEqual(await ask({ ...tls, headers: { ...headers, host } }), [200, true])
  assert.deepEqual(await ask({ ...tls, headers: { ...headers, host: 'evil.example.com' } }), [421, 'foreign-host'])
  assert.deepEqual(await ask({ ...tls, headers: { host: servername } }), [403, 'untrusted-caller'])
  await assert.rejects(ask({ port, headers }), /socket hang up|ECONNRESET/)
})

test('standalone: mutual TLS and callers with tokens of their own, as helm/ci has it', {
  skip: skipTls,
}, async (t) => {
  const { port } = await started(t, render(ciValues('standalone-mutual-tls-values.yaml')), undefined, {
    SIDECAR_PORT: '0',
    SIDECAR_AUTH_HOSTS: '[shop-rdt-sidecar]',
  })
  const { cert, key } = certificate()
  const headers = { host: 'shop-rdt-sidecar', 'x-rdt-caller-token': callerTokenOf('caller-orders') }
  const tls = { ca: cert, port, servername: 'shop-rdt-sidecar', headers }
  assert.deepEqual(await ask({ ...tls, cert, key }), [200, true])
  await assert.rejects(ask(tls), /certificate required|ECONNRESET|socket hang up/)
})

// Volumes

test('callers read what the sidecar writes, at the same place; in memory, and small', { skip }, () => {
  const config = { socketPath: '/run/rdt-sidecar/socket/data.sock' }
  const pod = podOf(inShop(managed({ config, callerToken: { create: true } })))
  const shared = (container: Rendered) =>
    container.volumeMounts
      .filter(({ mountPath }: Rendered) => mountPath.startsWith('/run/'))
      .map(({ name, mountPath, readOnly }: Rendered) => [name, mountPath, readOnly])
  const rows = (readOnly: boolean) => [
    ['rdt-sidecar-caller', '/run/rdt-sidecar/caller', readOnly],
    ['rdt-sidecar-socket', '/run/rdt-sidecar/socket', readOnly],
  ]
  assert.deepEqual(shared(sidecarOf(pod)), rows(false))
  assert.deepEqual(shared(appOf(pod)), rows(true))
  for (const name of ['rdt-sidecar-caller', 'rdt-sidecar-socket'])
    assert.deepEqual(volumesOf(pod, name), [{ name, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }])
})

test('of a Secret with a caller token both see that key alone', { skip }, () => {
  const pod = podOf(inShop(managed({ callerToken: { secretName: 'ours', key: 'rdt' } })))
  const [{ secret }] = volumesOf(pod, 'rdt-sidecar-caller')
  assert.deepEqual([secret.secretName, secret.items], ['ours', [{ key: 'rdt', path: 'token' }]])
  for (const container of [sidecarOf(pod), appOf(pod)])
    assert.equal(container.volumeMounts.at(-1).readOnly, true, container.name)
})

test('where nothing is shared, callers get no mount', { skip }, () => {
  assert.equal(appOf(podOf(inShop({}))).volumeMounts, null)
})

test('two aliases in a pod share nothing with each other', { skip }, () => {
  const include = (what: string, alias: string) =>
    `{{- include "rdt-sidecar.${what}" $.Subcharts.${alias} | nindent 4 }}`
  const both = (what: string) => ['one', 'two'].map((alias) => include(what, alias)).join('')
  const template = `
apiVersion: v1
kind: Pod
metadata: { name: app }
spec:
  initContainers: ${both('container')}
  containers:
  - name: app
    image: app
    volumeMounts: ${both('callerMounts')}
  volumes: ${both('volumes')}
`
  const chart = parentChart('both', [{ alias: 'one' }, { alias: 'two' }], { 'pod.yaml': template })
  const callerToken = { create: true }
  const two = managed({ callerToken, config: { port: 8081, admin: { port: 9091 } } })
  const [pod] = podsOf(render({ one: managed({ callerToken }), two }, { chart }))
  assert.deepEqual(
    pod?.spec.containers[0].volumeMounts.map(({ name, mountPath }: Rendered) => [name, mountPath]),
    [
      ['one-caller', '/run/one/caller'],
      ['two-caller', '/run/two/caller'],
    ],
  )
  const paths = pod?.spec.initContainers.map((one: Rendered) => envOf(one)['SIDECAR_AUTH_CALLER_TOKEN_FILE'])
  assert.deepEqual(paths, ['/run/one/caller/token', '/run/two/caller/token'])
})

const modesOf = ({ spec }: Pod): readonly number[] =>
  spec.volumes.flatMap(({ secret }: Rendered) => (secret ? [secret.defaultMode] : []))

test('Secrets are closed to others where the pod is ours and its group known; elsewhere where you say so', {
  skip,
}, () => {
  const callerToken = { secretName: 'caller' }
  const ours = podOf(alone(managed({ callerToken, tls: { secretName: 'tls' } })))
  assert.equal(ours.spec.securityContext.fsGroup, 65_532)
  assert.deepEqual(modesOf(ours), [0o440, 0o440, 0o440])
  const unknown = podOf(alone(managed({ callerToken, tls: { secretName: 'tls' }, runAsGroup: null })))
  assert.equal('fsGroup' in unknown.spec.securityContext, false)
  assert.deepEqual(modesOf(unknown), [0o444, 0o444, 0o444])
  assert.deepEqual(modesOf(podOf(inShop(managed({ callerToken })))), [0o444, 0o444])
  assert.deepEqual(modesOf(podOf(inShop(managed({ callerToken, secretsMode: '0440' })))), [0o440, 0o440])
})

test('the program warns of Secrets that everybody can read, and not of others', { skip }, async (t) => {
  const check = async (more: Values) => {
    const objects = inShop(managed({ callerToken: { create: true }, ...more }))
    return (await run(t, ['check-config'], mount(podOf(objects), objects, undefined).env)).out
  }
  assert.match(await check({}), /Unsafe: sellers\.0\.clientSecretFile: everybody on this machine can read the file/)
  assert.doesNotMatch(await check({ secretsMode: '0440' }), /Unsafe/)
})

// Names and notes

test('hosts of yours stay beside the names of the Service; a sidecar in your pod needs none', { skip }, () => {
  const values = managed({ callerToken: { secretName: 'caller' }, config: { auth: { hosts: ['sp-api.example.com'] } } })
  const hostsOf = (objects: readonly Rendered[]): readonly string[] =>
    JSON.parse(envOf(sidecarOf(podOf(objects)))['SIDECAR_AUTH_HOSTS'] ?? '[]')
  const ours = ['shop-rdt-sidecar', 'shop-rdt-sidecar.orders', 'shop-rdt-sidecar.orders.svc']
  const plain = { ...values, config: { sellers: [SELLER], insecureListen: true } }
  assert.deepEqual(hostsOf(alone(plain)), [...ours, `${ours[2]}.cluster.local`])
  const config = { auth: { hosts: ['sp-api.example.com'] }, insecureListen: true }
  assert.deepEqual(hostsOf(alone(managed({ ...values, config }))), [...hostsOf(alone(plain)), 'sp-api.example.com'])
  assert.deepEqual(hostsOf(alone({ config: { insecureListen: true } })), [])
  assert.deepEqual(hostsOf(inShop(values)), [])
})

test('beside an existing ConfigMap the hosts are repeated, and the Service is known by its names all the same', {
  skip,
}, () => {
  const config = { insecureListen: true, auth: { hosts: ['sp-api.example.com'] } }
  const values = { existingConfigMap: { name: 'ours' }, config, callerToken: { secretName: 'caller' } }
  const env = envOf(sidecarOf(podOf(alone(values))))
  assert.match(String(env['SIDECAR_AUTH_HOSTS']), /^\["shop-rdt-sidecar",.*"sp-api\.example\.com"\]$/)
  assert.equal(env['SIDECAR_AUTH_CALLER_TOKEN_FILE'], '/run/rdt-sidecar/caller/token')
  const more = { ...config, auth: { allowForwarded: true } }
  assert.match(refused({ mode: 'standalone', ...values, config: more }), /config\.auth\.allowForwarded: has no effect/)
})

test('a Service of TLS says so', { skip }, () => {
  const protocols = (values: Values) =>
    the(alone(values), 'Service', 'shop-rdt-sidecar').spec.ports.map(({ appProtocol }: Rendered) => appProtocol)
  assert.deepEqual(protocols({ tls: { secretName: 'tls' } }), ['https'])
  assert.deepEqual(protocols({ config: { insecureListen: true } }), ['http'])
})

test('the notes tell callers of managed sellers what to send, and of TLS', { skip }, () => {
  const callerToken = { secretName: 'caller', key: 'rdt' }
  const text = notes({ mode: 'standalone', ...managed({ callerToken, tls: { secretName: 'tls' } }) })
  assert.match(text, /https:\/\/shop-rdt-sidecar\.orders\.svc:8080/)
  assert.match(text, /x-rdt-seller: shop and x-rdt-caller-token with the first line of rdt in the Secret caller\./)
  const socketPath = '/run/rdt-sidecar/socket/data.sock'
  const inPod = notes(managed({ config: { socketPath } }))
  assert.match(inPod, /the socket \/run\/rdt-sidecar\/socket\/data\.sock/)
  assert.match(inPod, /volumeMounts: \{\{- include "rdt-sidecar\.callerMounts" \$/)
  assert.doesNotMatch(notes({}), /callerMounts|http:\/\/127\.0\.0\.1:0/)
})

// What is refused

const refused = (values: Values): string => refusal(values)

/** With the program's own settings, which refuse it too: nothing is forbidden that would work. */
const CONTRADICTIONS: readonly (readonly [Values, RegExp])[] = [
  [{ sellers: [SELLER] }, /config\.sellers: whoever reaches the listener could call in their name/],
  [
    {
      sellers: [SELLER],
      listeners: [
        { socketPath: '/run/rdt-sidecar/socket/a', endpoint: 'na' },
        { port: 1, endpoint: 'eu' },
      ],
    },
    /config\.sellers: whoever reaches/,
  ],
  [
    { sellers: [SELLER], auth: { insecureAllowAnonymous: true, callerTokenFile: '/x' } },
    /config\.auth\.insecureAllowAnonymous: is set, and callers' tokens too/,
  ],
  [{ auth: { insecureAllowAnonymous: true } }, /config\.auth\.insecureAllowAnonymous: is about callers of managed/],
  [{ auth: { callerTokenFile: '/x' } }, /config\.auth: is about callers of managed sellers, and there are none/],
  [{ auth: { callers: [{ name: 'a', tokenFile: '/x' }] } }, /config\.auth: is about callers of managed sellers/],
  [
    { auth: { createCallerTokenFile: true } },
    /config\.auth\.createCallerTokenFile: is set, but config\.auth\.callerTok/,
  ],
  [
    { sellers: [{ ...SELLER, refreshTokenFile: undefined }], auth: { callerTokenFile: '/x' } },
    /config\.sellers\.0\.refreshTokenFile: is missing/,
  ],
  [{ tls: { certFile: '/x' } }, /config\.tls\.keyFile: is missing/],
  [{ tls: { clientCaFile: '/x' } }, /config\.tls\.certFile: is missing/],
  [{ socketPath: '/run/rdt-sidecar/socket/a', port: 8080 }, /config\.port: is set, and config\.socketPath too/],
  [
    { socketPath: '/run/rdt-sidecar/socket/a', listeners: [{ port: 1, endpoint: 'na' }] },
    /config\.socketPath: is set, and config\.listeners too/,
  ],
  [{ listeners: [{ endpoint: 'na' }] }, /config\.listeners\.0: must have a port or a socketPath, and not both/],
  [
    { listeners: [{ endpoint: 'na', port: 1, socketPath: '/run/rdt-sidecar/socket/a' }] },
    /config\.listeners\.0: must have a port or a socketPath, and not both/,
  ],
]

for (const [config, message] of CONTRADICTIONS)
  test(`the chart refuses what the program refuses: ${JSON.stringify(config)}`, { skip }, () => {
    assert.match(refused({ config, secrets: [{ name: 'amazon' }] }), message)
    const file = scratchFile('refused.yaml')
    writeFileSync(file, stringify(config))
    const loaded = loadConfig(file, {})
    const problems = loaded.ok ? [] : loaded.problems.map((one) => `config.${one.path}: ${one.message}`)
    assert.ok(
      problems.some((one) => !/cannot be read/.test(one)),
      problems.join('\n'),
    )
  })

const OF_THE_CHART: readonly (readonly [Values, RegExp])[] = [
  [{ callerToken: { create: true } }, /callerToken: is about callers of managed sellers, and there are none/],
  [
    managed({ callerToken: { create: true, secretName: 'x' } }),
    /callerToken\.create: is set, and callerToken\.secretName/,
  ],
  [
    managed({ mode: 'standalone', config: { insecureListen: true }, callerToken: { create: true } }),
    /callerToken\.create: each pod would make a token that callers in other pods cannot read/,
  ],
  [
    managed({ callerToken: { create: true }, config: { auth: { callerTokenFile: '/x' } } }),
    /config\.auth\.callerTokenFile: is set, and callerToken too/,
  ],
  [
    managed({ callerToken: { create: true }, secrets: [{ name: 'amazn' }] }),
    /config\.sellers\.0\.\w+: the Secret amazon is not mounted: add it to secrets/,
  ],
  [
    { tls: { clientCaSecretName: 'ca' } },
    /config\.tls\.certFile: is missing: TLS needs a certificate and its key\. Or set tls\.secretName/,
  ],
  [
    { tls: { secretName: 'tls' }, config: { tls: { certFile: '/x', keyFile: '/y' } } },
    /config\.tls\.certFile: is set, and tls\.secretName too/,
  ],
  [{ config: { socketPath: '/tmp/data.sock' } }, /\/tmp\/data\.sock is in no folder that is shared/],
  [
    { mode: 'standalone', config: { insecureListen: true, socketPath: '/run/rdt-sidecar/socket/a' } },
    /config\.socketPath: \/run\/rdt-sidecar\/socket\/a is a file, which the Service/,
  ],
  [
    { env: [{ name: 'SIDECAR_SELLERS_SHOP_CLIENT_SECRET', value: 'x' }] },
    /env: SIDECAR_SELLERS_SHOP_CLIENT_SECRET is a secret, which has no place in values/,
  ],
  ...['SELLERS', 'SOCKET_PATH', 'TLS_CERT_FILE', 'AUTH_CALLER_TOKEN_FILE', 'AUTH_HOSTS'].map(
    (name): [Values, RegExp] => [
      { env: [{ name: `SIDECAR_${name}`, value: '[]' }] },
      new RegExp(`env: the chart must know SIDECAR_${name}`),
    ],
  ),
]

for (const [values, message] of OF_THE_CHART)
  test(`the chart refuses ${JSON.stringify(values).slice(0, 110)}`, { skip }, () => {
    assert.match(refused(values), message)
  })

test('a secret of Amazon’s in the values is refused, wherever it is, and not said again', { skip }, () => {
  const CANARY = '0123CANARY'
  const seller = (more: object) =>
    managed({ callerToken: { create: true }, config: { sellers: [{ ...SELLER, ...more }] } })
  for (const [key, values] of [
    ['config', seller({ clientId: `amzn1.oa2-cs.v1.${CANARY}` })],
    ['config', seller({ clientSecretFile: `amzn1.oa2-cs.v1.${CANARY}` })],
    ['config', seller({ refreshTokenFile: `Atzr|${CANARY}` })],
    ['env', { env: [{ name: 'OURS', value: `Atza|${CANARY}` }] }],
  ] as const) {
    const said = refused(values)
    assert.match(said, new RegExp(`${key}: holds a client secret or a token of Amazon, which has no place in values`))
    assert.doesNotMatch(said, /CANARY/)
  }
})

test('a socket in a volume of yours is none of the chart’s business', { skip }, () => {
  const socket = { config: { socketPath: '/run/ours/data.sock' } }
  const volume = {
    extraVolumes: [{ name: 'ours', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'ours', mountPath: '/run/ours' }],
  }
  const pod = podOf(inShop({ ...socket, ...volume }))
  assert.deepEqual(volumesOf(pod, 'rdt-sidecar-socket'), [])
})

test('TLS takes the place of insecureListen, from a Secret or from files that are named', { skip }, () => {
  const files = { certFile: '/etc/rdt-sidecar/secrets/tls/tls.crt', keyFile: '/etc/rdt-sidecar/secrets/tls/tls.key' }
  alone({ tls: { secretName: 'tls' } })
  alone({ config: { tls: files }, secrets: [{ name: 'tls' }] })
  assert.match(refused({ mode: 'standalone' }), /Set tls\.secretName/)
})
