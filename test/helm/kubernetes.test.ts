import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf } from './kubernetes.ts'
import { looseEnds } from './pods.ts'

// The checks of the other files can fail.

const container = { name: 'app', image: 'app:1', securityContext: { readOnlyRootFilesystem: true } }
const podWith = (more: object, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'app', labels: { app: 'app' } },
  spec: { containers: [{ ...container, ...more }], ...spec },
})

test('a good object has no problems', async () => {
  const lifecycle = { preStop: { sleep: { seconds: 5 } } }
  assert.deepEqual(await problemsOf(podWith({ lifecycle, resources: { limits: { memory: '1Gi' } } })), [])
})

test('a wrong type is a problem', async () => {
  const [problem] = await problemsOf(podWith({ ports: [{ containerPort: 'eighty' }] }))
  assert.match(String(problem), /containerPort must be integer/)
})

test('a missing field is a problem', async () => {
  const [problem] = await problemsOf({ ...podWith({}), spec: {} })
  assert.match(String(problem), /containers/)
})

test('a field that Kubernetes does not know is a problem, at any depth', async () => {
  assert.deepEqual(await problemsOf(podWith({ securityContext: { readOnlyRootFileSystem: true } })), [
    'unknown field: .spec.containers.0.securityContext.readOnlyRootFileSystem',
  ])
  assert.deepEqual(await problemsOf(podWith({}, { terminationGraceSeconds: 5 })), [
    'unknown field: .spec.terminationGraceSeconds',
  ])
})

test('a kind or a version that does not exist is a problem', async () => {
  assert.deepEqual(await problemsOf({ apiVersion: 'apps/v1', kind: 'Deploymnt' }), ['unknown kind: apps/v1 Deploymnt'])
  assert.deepEqual(await problemsOf({ apiVersion: 'autoscaling/v9', kind: 'HorizontalPodAutoscaler' }), [
    'unknown kind: autoscaling/v9 HorizontalPodAutoscaler',
  ])
})

test("the Prometheus Operator's objects are checked too", async () => {
  const monitor = (endpoint: object) => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: { name: 'app' },
    spec: { selector: {}, podMetricsEndpoints: [endpoint] },
  })
  assert.deepEqual(await problemsOf(monitor({ port: 'admin', interval: '30s' })), [])
  assert.match(String(await problemsOf(monitor({ interval: 'often' }))), /interval/)
  assert.match(String(await problemsOf(monitor({ porte: 'admin' }))), /porte/)
})

test('mounts without a volume, probes of no port and selectors of no pod are loose ends', () => {
  const service = (targetPort: string, app: string) => ({
    kind: 'Service',
    metadata: { name: 's' },
    spec: { selector: { app }, ports: [{ targetPort }] },
  })
  const probe = { readinessProbe: { httpGet: { port: 'admin' } }, volumeMounts: [{ name: 'config' }] }
  assert.deepEqual(looseEnds([podWith(probe), service('data', 'app'), service('data', 'other')]), [
    'Pod app: no volume config',
    'Pod app: no port admin',
    'Service s: no port data',
    'Service s: selects no pod',
  ])
})
