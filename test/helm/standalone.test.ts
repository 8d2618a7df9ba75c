import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printed, run, start } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import { notes, type Rendered, refusal, render, the } from './chart.ts'
import { envOf, type Pod, podsOf, sidecarOf } from './pods.ts'

const skip = needs('helm')

const values = ({ config = {}, ...more }: Record<string, unknown> = {}) => ({
  mode: 'standalone',
  config: { insecureListen: true, ...(config as object) },
  ...more,
})
const standalone = (more?: Record<string, unknown>): readonly Rendered[] => render(values(more))
const deployment = (more?: Record<string, unknown>): Rendered => the(standalone(more), 'Deployment')
const sidecar = (more?: Record<string, unknown>): Rendered => sidecarOf(podsOf([deployment(more)])[0] as Pod)
const kindsOf = (objects: readonly Rendered[]): readonly string[] => objects.map(({ kind }) => kind).sort()

test('tokens in the clear on a network must be said', { skip }, () => {
  const said = refusal({ mode: 'standalone' })
  assert.match(said, /config\.insecureListen: a standalone sidecar listens on the pod's address/)
  assert.match(refusal({ mode: 'standalone', config: { insecureListen: false } }), /config\.insecureListen/)
})

test('it listens on the pod address; on loopback, where no Service reaches it, is refused', { skip }, () => {
  assert.equal(envOf(sidecar())['SIDECAR_HOST'], '0.0.0.0')
  assert.equal(envOf(sidecar({ config: { host: '::' } }))['SIDECAR_HOST'], '::')
  assert.match(refusal(values({ config: { host: '127.0.0.1' } })), /config\.host: 127\.0\.0\.1 is loopback/)
})

test('it is an ordinary container with a port for each listener', { skip }, () => {
  const listeners = [
    { port: 8080, endpoint: 'na' },
    { port: 8081, endpoint: 'eu' },
  ]
  const { restartPolicy, ports } = sidecar({ config: { listeners } })
  assert.equal(restartPolicy, undefined)
  assert.deepEqual(ports, [
    { name: 'rdt-data', containerPort: 8080 },
    { name: 'rdt-data-1', containerPort: 8081 },
    { name: 'rdt-admin', containerPort: 9090 },
  ])
  const service = the(standalone({ config: { listeners } }), 'Service', 'shop-rdt-sidecar')
  assert.deepEqual(
    service.spec.ports.map(({ port, targetPort }: Rendered) => [port, targetPort]),
    [
      [8080, 'rdt-data'],
      [8081, 'rdt-data-1'],
    ],
  )
})

test('the admin port is in no Service that callers use', { skip }, () => {
  const objects = standalone({ config: { port: 8200 } })
  const data = the(objects, 'Service', 'shop-rdt-sidecar').spec
  assert.deepEqual(
    data.ports.map(({ port }: Rendered) => port),
    [8200],
  )
  const admin = the(objects, 'Service', 'shop-rdt-sidecar-admin').spec
  assert.equal(admin.clusterIP, 'None')
  assert.deepEqual(
    admin.ports.map(({ port }: Rendered) => port),
    [9090],
  )
})

test('a roll takes no pod away before its successor is ready', { skip }, () => {
  assert.deepEqual(deployment().spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
})

for (const [maxMs, preStopSeconds, seconds] of [
  [30_000, 5, 40],
  [45_500, 10, 61],
  [0, 0, 5],
] as const) {
  test(`the grace period holds preStop ${preStopSeconds} s, a drain of ${maxMs} ms, and the exit`, { skip }, () => {
    const more = { config: { drain: { maxMs } }, preStopSeconds }
    assert.equal(deployment(more).spec.template.spec.terminationGracePeriodSeconds, seconds)
    const preStop = preStopSeconds === 0 ? undefined : { sleep: { seconds: preStopSeconds } }
    assert.deepEqual(sidecar(more).lifecycle?.preStop, preStop)
  })
}

test('pods have no token of the API server', { skip }, () => {
  const objects = standalone()
  assert.equal(the(objects, 'ServiceAccount').automountServiceAccountToken, false)
  for (const { spec } of podsOf(objects)) assert.equal(spec.automountServiceAccountToken, false)
})

test('a ServiceAccount is made, or named, or none', { skip }, () => {
  const named = (serviceAccount: object) => deployment({ serviceAccount }).spec.template.spec.serviceAccountName
  assert.equal(named({}), 'shop-rdt-sidecar')
  assert.equal(named({ create: false, name: 'ours' }), 'ours')
  assert.equal(named({ create: false }), 'default')
})

test('an autoscaler counts the replicas in the place of the Deployment', { skip }, () => {
  assert.equal(deployment({ replicaCount: 3 }).spec.replicas, 3)
  const objects = standalone({ autoscaling: { enabled: true, maxReplicas: 7 } })
  assert.equal('replicas' in the(objects, 'Deployment').spec, false)
  const { scaleTargetRef, minReplicas, maxReplicas } = the(objects, 'HorizontalPodAutoscaler').spec
  assert.equal(scaleTargetRef.name, the(objects, 'Deployment').metadata.name)
  assert.deepEqual([minReplicas, maxReplicas], [2, 7])
})

test('a disruption takes one pod at a time, and never a broken one hostage', { skip }, () => {
  const { maxUnavailable, unhealthyPodEvictionPolicy } = the(standalone(), 'PodDisruptionBudget').spec
  assert.deepEqual([maxUnavailable, unhealthyPodEvictionPolicy], [1, 'AlwaysAllow'])
  const without = standalone({ podDisruptionBudget: { enabled: false } })
  assert.equal(kindsOf(without).includes('PodDisruptionBudget'), false)
})

test('pods spread over zones and nodes; a constraint of yours keeps its own selector', { skip }, () => {
  const spreadOf = (more?: Record<string, unknown>) => deployment(more).spec.template.spec.topologySpreadConstraints
  const { matchLabels } = deployment().spec.selector
  assert.deepEqual(
    spreadOf().map(({ topologyKey, labelSelector }: Rendered) => [topologyKey, labelSelector.matchLabels]),
    [
      ['topology.kubernetes.io/zone', matchLabels],
      ['kubernetes.io/hostname', matchLabels],
    ],
  )
  const labelSelector = { matchLabels: { ours: 'yes' } }
  const own = { maxSkew: 2, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule', labelSelector }
  assert.deepEqual(spreadOf({ topologySpreadConstraints: [own] }), [own])
})

test('the image goes by digest, by tag, or by the version of the chart', { skip }, () => {
  const image = (more: object) => sidecar({ image: { repository: 'example.com/rdt', ...more } }).image
  assert.equal(image({}), 'example.com/rdt:0.1.0')
  assert.equal(image({ tag: '2' }), 'example.com/rdt:2')
  const digest = `sha256:${'a'.repeat(64)}`
  assert.equal(image({ tag: '2', digest }), `example.com/rdt@${digest}`)
})

test('a new version of the chart alone replaces no pod', { skip }, () => {
  const { metadata } = deployment().spec.template
  assert.deepEqual(Object.keys(metadata.labels).sort(), [
    'app.kubernetes.io/instance',
    'app.kubernetes.io/name',
    'app.kubernetes.io/part-of',
    'rdt-sidecar/rdt-sidecar',
  ])
})

test('labels and annotations of yours cannot break what selects the pods', { skip }, () => {
  const podLabels = { 'rdt-sidecar/rdt-sidecar': 'other', team: 'orders' }
  const objects = standalone({ podLabels, podAnnotations: { 'checksum/rdt-sidecar': 'x', note: 'y' } })
  const { metadata } = the(objects, 'Deployment').spec.template
  assert.equal(metadata.labels.team, 'orders')
  assert.equal(metadata.labels['rdt-sidecar/rdt-sidecar'], 'shop-rdt-sidecar')
  assert.equal(metadata.annotations.note, 'y')
  assert.match(metadata.annotations['checksum/rdt-sidecar'], /^[0-9a-f]{64}$/)
})

test('helm test waits for the admin port of the Service, under the same restrictions', { skip }, () => {
  const objects = standalone({ config: { admin: { port: 9099 } } })
  const pod = the(objects, 'Pod')
  assert.equal(pod.metadata.annotations['helm.sh/hook'], 'test')
  const [container] = pod.spec.containers
  assert.deepEqual(container.args, ['wait', '--timeout', '60s'])
  const { metadata, spec } = the(objects, 'Service', 'shop-rdt-sidecar-admin')
  const expected = { SIDECAR_ADMIN_HOST: metadata.name, SIDECAR_ADMIN_PORT: String(spec.ports[0].port) }
  assert.deepEqual(envOf(container), expected)
})

test('what helm test runs ends well where a sidecar is ready, and not where none is', { skip }, async (t) => {
  const [{ args, env }] = the(standalone(), 'Pod').spec.containers
  const running = start(t, ['serve'], { SIDECAR_PORT: '0', SIDECAR_ADMIN_PORT: '0' })
  const [line] = await printed(running, /^\{.*"msg":"serving".*$/m)
  const port = String(JSON.parse(line).admin.port)
  const here = { ...envOf({ env }), SIDECAR_ADMIN_HOST: 'localhost', SIDECAR_ADMIN_PORT: port }
  assert.equal((await run(t, args, here)).code, 0)
  running.child.kill('SIGTERM')
  await running.finished
  assert.equal((await run(t, [args[0], args[1], '1s'], here)).code, 1)
})

// NetworkPolicy

const PEER = { podSelector: { matchLabels: { app: 'shop' } } }
const MONITORING = { namespaceSelector: { matchLabels: { name: 'monitoring' } } }
const policy = (more: object): Rendered =>
  the(standalone({ networkPolicy: { enabled: true, dataFrom: [PEER], ...more } }), 'NetworkPolicy').spec
const portsOf = ({ ports }: Rendered): readonly number[] => ports.map(({ port }: Rendered) => port)

test('a NetworkPolicy says who may call, and refuses to say nobody', { skip }, () => {
  assert.match(refusal(values({ networkPolicy: { enabled: true } })), /networkPolicy\.dataFrom: say who may call/)
})

test('callers reach the data port alone, Prometheus the admin port alone', { skip }, () => {
  const { podSelector, policyTypes, ingress } = policy({ adminFrom: [MONITORING] })
  assert.deepEqual(podSelector.matchLabels, deployment().spec.selector.matchLabels)
  assert.deepEqual(policyTypes, ['Ingress', 'Egress'])
  const rules = ingress.map((rule: Rendered) => [rule.from, portsOf(rule)])
  const tester = { podSelector: { matchLabels: { 'rdt-sidecar/test': 'shop-rdt-sidecar' } } }
  assert.deepEqual(rules, [
    [[PEER], [8080]],
    [[tester], [9090]],
    [[MONITORING], [9090]],
  ])
  assert.equal(the(standalone(), 'Pod').metadata.labels['rdt-sidecar/test'], 'shop-rdt-sidecar')
})

test('no rule lets everybody in', { skip }, () => {
  for (const rule of policy({}).ingress) assert.ok(rule.from.length > 0)
})

test('it goes out to DNS and to port 443 of public addresses, not to the cluster or to metadata', { skip }, () => {
  const [dns, https, ...more] = policy({}).egress
  assert.deepEqual(portsOf(dns), [53, 53])
  assert.deepEqual(portsOf(https), [443])
  assert.deepEqual(more, [])
  const [{ ipBlock }] = https.to
  assert.equal(ipBlock.cidr, '0.0.0.0/0')
  for (const range of ['10.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'])
    assert.ok(ipBlock.except.includes(range), range)
})

test('more rules of yours are added', { skip }, () => {
  const rule = { to: [PEER], ports: [{ protocol: 'TCP', port: 9700 }] }
  assert.deepEqual(policy({ extraEgress: [rule] }).egress.at(-1), rule)
})

// NOTES.txt

test('the notes name the address and the next step', { skip }, () => {
  const text = notes(values())
  assert.match(text, /http:\/\/shop-rdt-sidecar\.orders\.svc:8080/)
  assert.match(text, /helm -n orders test shop/)
  assert.match(text, /localhost:9090.*\n.*kubectl -n orders port-forward deployment\/shop-rdt-sidecar 9090/)
  assert.doesNotMatch(text, /WARNING/)
})

test('the notes warn where replicas together mint faster than the plan', { skip }, () => {
  assert.match(notes(values({ replicaCount: 2 })), /WARNING: up to 2 replicas mint 1 a second each/)
  assert.match(notes(values({ autoscaling: { enabled: true } })), /WARNING: up to 4 replicas/)
  const mint = { ratePerSecond: 0.25, burst: 2 }
  assert.doesNotMatch(notes(values({ replicaCount: 4, config: { mint } })), /WARNING/)
})

test('the notes of the sidecar mode say that nothing runs yet, and what to include', { skip }, () => {
  const text = notes({ mode: 'sidecar' })
  assert.match(text, /This runs nothing by itself/)
  for (const name of ['container', 'volumes', 'podAnnotations', 'podLabels'])
    assert.ok(text.includes(`{{- include "rdt-sidecar.${name}" $`), name)
})
