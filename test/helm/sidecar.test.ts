import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { run } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import {
  exampleChart,
  parentChart,
  plainChart,
  type Rendered,
  refusal,
  render,
  renderText,
  scratchFile,
  the,
} from './chart.ts'
import { envOf, type Pod, podsOf, sidecarOf } from './pods.ts'

const skip = needs('helm')

const shop = (values: object = {}): readonly Rendered[] => render({ 'rdt-sidecar': values }, { chart: plainChart() })
const refused = (values: object): string => refusal({ 'rdt-sidecar': values }, { chart: plainChart() })
const podOf = (objects: readonly Rendered[], kind = 'Deployment'): Pod => {
  const [pod] = podsOf([the(objects, kind)])
  assert.ok(pod)
  return pod
}

test('the container is a native sidecar: an init container that is kept running', { skip }, () => {
  const pods = podsOf(render({}, { chart: exampleChart() }))
  assert.equal(pods.length, 2)
  for (const { spec } of pods) {
    assert.deepEqual(
      spec.initContainers.map(({ name, restartPolicy }: Rendered) => [name, restartPolicy]),
      [['rdt-sidecar', 'Always']],
    )
    assert.equal(spec.containers.length, 1)
  }
})

test('the service starts only when the sidecar serves', { skip }, () => {
  const { startupProbe } = sidecarOf(podOf(shop()))
  assert.deepEqual(startupProbe.httpGet, { path: '/readyz', port: 'rdt-admin' })
  const { startupProbe: patient } = sidecarOf(podOf(shop({ startupSeconds: 90 })))
  assert.equal(patient.periodSeconds * patient.failureThreshold, 90)
})

test('readiness is that of serving, liveness that of the process: a draining sidecar is not restarted', {
  skip,
}, () => {
  const { readinessProbe, livenessProbe } = sidecarOf(podOf(shop()))
  assert.equal(readinessProbe.httpGet.path, '/readyz')
  assert.equal(livenessProbe.httpGet.path, '/livez')
})

test('it is stopped after the service, by Kubernetes: no preStop keeps it waiting', { skip }, () => {
  assert.equal(sidecarOf(podOf(shop())).lifecycle, undefined)
})

test('a Job has it too, and is not kept from completing: the sidecar is no ordinary container', { skip }, () => {
  const job = podOf(render({}, { chart: exampleChart() }), 'CronJob')
  assert.equal(job.spec.restartPolicy, 'Never')
  assert.deepEqual(
    job.spec.containers.map(({ name }: Rendered) => name),
    ['report'],
  )
  assert.equal(sidecarOf(job).restartPolicy, 'Always')
})

test('the pod alone reaches the data port, the kubelet and Prometheus reach the admin port', { skip }, () => {
  const sidecar = sidecarOf(podOf(shop({ config: { port: 8180, admin: { port: 9190 } } })))
  const { SIDECAR_HOST, SIDECAR_ADMIN_HOST, SIDECAR_ADMIN_PORT } = envOf(sidecar)
  assert.deepEqual([SIDECAR_HOST, SIDECAR_ADMIN_HOST, SIDECAR_ADMIN_PORT], ['127.0.0.1', '0.0.0.0', '9190'])
  assert.deepEqual(sidecar.ports, [{ name: 'rdt-admin', containerPort: 9190 }])
})

test('a ConfigMap of yours cannot open the data port: the environment goes before the file', { skip }, async (t) => {
  const values = { existingConfigMap: { name: 'ours' } }
  const file = scratchFile('open.yaml')
  writeFileSync(file, 'host: 0.0.0.0\ninsecureListen: true\nadmin: { host: 127.0.0.1 }\n')
  const env = { ...envOf(sidecarOf(podOf(shop(values)))), SIDECAR_CONFIG: file }
  const { out } = await run(t, ['print-config'], env)
  const { host, admin } = parse(out)
  assert.deepEqual([host, admin.host], ['127.0.0.1', '0.0.0.0'])
})

for (const host of ['0.0.0.0', '::', '10.1.2.3', 'localhost.example.com', '127.0.0.1.example.com', '1270.0.0.1']) {
  test(`a data listener on ${host} is refused, said in one place or the other`, { skip }, () => {
    const message = `config.host: ${host} is not loopback`
    assert.ok(refused({ config: { host, insecureListen: true } }).includes(message))
    const listeners = [{ port: 8080, endpoint: 'na', host }]
    assert.ok(refused({ config: { listeners, insecureListen: true } }).includes(message))
  })
}

test('an admin listener on loopback is refused: the probes would never be answered', { skip }, () => {
  assert.match(refused({ config: { admin: { host: '127.0.0.1' } } }), /config\.admin\.host: 127\.0\.0\.1 is loopback/)
})

test('nothing of the standalone mode is rendered, whatever is set', { skip }, () => {
  const values = { autoscaling: { enabled: true }, replicaCount: 4, podDisruptionBudget: { enabled: true } }
  const own = shop(values).filter(({ metadata }) => metadata.name !== 'shop')
  assert.deepEqual(
    own.map(({ kind }) => kind),
    ['ConfigMap'],
  )
})

test('the configuration is mounted as a directory, so that a change reaches the running sidecar', { skip }, () => {
  const objects = shop({ config: { mint: { burst: 5 } } })
  const pod = podOf(objects)
  const { SIDECAR_CONFIG = '' } = envOf(sidecarOf(pod))
  const mount = sidecarOf(pod).volumeMounts.find(({ mountPath }: Rendered) =>
    SIDECAR_CONFIG.startsWith(`${mountPath}/`),
  )
  assert.equal(mount.subPath, undefined)
  assert.equal(mount.readOnly, true)
  const { configMap } = pod.spec.volumes.find(({ name }: Rendered) => name === mount.name)
  const map = the(objects, 'ConfigMap', configMap.name)
  assert.deepEqual(parse(map.data['config.yaml']), { mint: { burst: 5 } })
})

const checksum = (values: object): string | undefined =>
  podOf(shop(values)).metadata.annotations?.['checksum/rdt-sidecar']

test('pods are replaced when the configuration changes, and not otherwise', { skip }, () => {
  const before = checksum({ config: { mint: { burst: 5 } } })
  assert.match(String(before), /^[0-9a-f]{64}$/)
  assert.notEqual(checksum({ config: { mint: { burst: 6 } } }), before)
  assert.equal(checksum({ config: { mint: { burst: 5 } }, startupSeconds: 90 }), before)
})

test('where pods are to reload instead, or the file is not ours, no checksum is there', { skip }, () => {
  assert.equal(checksum({ rollOnConfigChange: false }), undefined)
  assert.equal(checksum({ existingConfigMap: { name: 'ours' } }), undefined)
})

test('an existing ConfigMap is used in the place of ours', { skip }, () => {
  const objects = shop({ existingConfigMap: { name: 'ours', key: 'my.yaml' }, config: {} })
  assert.deepEqual(
    objects.filter(({ kind }) => kind === 'ConfigMap'),
    [],
  )
  const pod = podOf(objects)
  assert.equal(pod.spec.volumes[0].configMap.name, 'ours')
  assert.equal(envOf(sidecarOf(pod))['SIDECAR_CONFIG'], '/etc/rdt-sidecar/config/my.yaml')
})

test('configuration beside an existing ConfigMap, which nobody would read, is refused', { skip }, () => {
  const said = refused({ existingConfigMap: { name: 'ours' }, config: { rdt: { scope: 'specific' } } })
  assert.match(said, /config\.rdt: has no effect beside existingConfigMap/)
})

test('ports that nobody could find, or twice the same, are refused', { skip }, () => {
  assert.match(refused({ config: { port: 0 } }), /port 0 is any free port/)
  assert.match(refused({ config: { port: 9090 } }), /two listeners share a port/)
})

test('one listener and several are not said together', { skip }, () => {
  const listeners = [{ port: 8080, endpoint: 'na' }]
  assert.match(refused({ config: { port: 8081, listeners } }), /config\.port: is set, and config\.listeners too/)
  assert.match(
    refused({ config: { endpoint: 'eu', listeners } }),
    /config\.endpoint: is set, and config\.listeners too/,
  )
})

test('environment that would contradict the chart is refused', { skip }, () => {
  for (const name of ['SIDECAR_HOST', 'SIDECAR_ADMIN_PORT', 'SIDECAR_INSECURE_LISTEN'])
    assert.ok(refused({ env: [{ name, value: '1' }] }).includes(`env: the chart must know ${name}`))
})

test('a NetworkPolicy asks which pods, because it closes the service too', { skip }, () => {
  assert.match(refused({ networkPolicy: { enabled: true } }), /networkPolicy\.podSelector: say which pods/)
  const policy = the(shop({ networkPolicy: { enabled: true, podSelector: { app: 'shop' } } }), 'NetworkPolicy')
  assert.deepEqual(policy.spec.podSelector, { matchLabels: { app: 'shop' } })
  assert.equal(policy.spec.ingress, null)
})

// In charts of others

const POD = (context: string) => `
apiVersion: v1
kind: Pod
metadata:
  name: app
  labels: {{- include "rdt-sidecar.podLabels" ${context} | nindent 4 }}
  annotations: {{- include "rdt-sidecar.podAnnotations" ${context} | nindent 4 }}
spec:
  initContainers: {{- include "rdt-sidecar.container" ${context} | nindent 4 }}
  containers: [{ name: app, image: app }]
  volumes: {{- include "rdt-sidecar.volumes" ${context} | nindent 4 }}
`

test('the templates work inside range and with, by $', { skip }, () => {
  const inside = `{{- range list 1 }}{{ with "x" }}${POD('$')}{{ end }}{{ end }}`
  const chart = parentChart('inside', [{}], { 'pod.yaml': inside })
  assert.equal(sidecarOf(podsOf(render({}, { chart }))[0] as Pod).name, 'rdt-sidecar')
})

test('a wrong context is told, with what to give', { skip }, () => {
  for (const context of ['.', '.Values']) {
    const inside = `{{- with .Values }}${POD(context.replace('.Values', '$.Values'))}{{ end }}`
    const chart = parentChart(`wrong${context.length}`, [{}], { 'pod.yaml': inside })
    assert.match(refusal({ x: 1 }, { chart }), /rdt-sidecar: give the root context, which is \$ inside range and with/)
  }
})

test('an alias works as the name does', { skip }, () => {
  const chart = parentChart('aliased', [{ alias: 'tokens' }], { 'pod.yaml': POD('.') })
  const objects = render({ tokens: { config: { endpoint: 'fe' } } }, { chart })
  assert.equal(the(objects, 'ConfigMap', 'shop-tokens').data['config.yaml'].trim(), 'endpoint: fe')
  const [pod] = podsOf(objects)
  assert.equal(pod?.spec.volumes[0].configMap.name, 'shop-tokens')
  assert.equal(sidecarOf(pod as Pod).image, 'rdt-sidecar:0.1.0')
})

test('two aliases share a pod: each context gives its own, and none at all is told', { skip }, () => {
  const aliases = [{ alias: 'one' }, { alias: 'two' }]
  const both = ['$.Subcharts.one', '$.Subcharts.two']
  const included = (what: string) =>
    both.map((one) => `{{- include "rdt-sidecar.${what}" ${one} | nindent 4 }}`).join('')
  const template = `
apiVersion: v1
kind: Pod
metadata:
  name: app
  labels: ${included('podLabels')}
spec:
  initContainers: ${included('container')}
  containers: [{ name: app, image: app }]
  volumes: ${included('volumes')}
`
  const values = { two: { config: { port: 8081, admin: { port: 9091 } } } }
  const chart = parentChart('two', aliases, { 'pod.yaml': template })
  const [pod] = podsOf(render(values, { chart }))
  assert.deepEqual(pod?.metadata.labels, { 'rdt-sidecar/one': 'shop-one', 'rdt-sidecar/two': 'shop-two' })
  const rows = pod?.spec.initContainers.map((one: Rendered) => [one.name, one.ports[0].containerPort])
  assert.deepEqual(rows, [
    ['one', 9090],
    ['two', 9091],
  ])
  assert.deepEqual(
    pod?.spec.volumes.map(({ name }: Rendered) => name),
    ['one-config', 'two-config'],
  )
  const unsaid = parentChart('unsaid', aliases, { 'pod.yaml': POD('.') })
  assert.match(refusal(values, { chart: unsaid }), /2 dependencies are rdt-sidecar; say which/)
})

test('the container is not to be had in standalone mode', { skip }, () => {
  assert.match(
    refused({ mode: 'standalone', config: { insecureListen: true } }),
    /rdt-sidecar\.mode: must be sidecar where its container is included/,
  )
})

test("a parent's condition and its global values are no unknown values", { skip }, () => {
  const text = renderText({ global: { x: 1 }, 'rdt-sidecar': { enabled: true } }, { chart: exampleChart() })
  assert.match(text, /kind: Deployment/)
})
