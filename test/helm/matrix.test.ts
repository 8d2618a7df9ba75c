import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { run, servingWith } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import { CHART, exampleChart, lint, plainChart, type Rendered, render, renderText } from './chart.ts'
import { problemsOf } from './kubernetes.ts'
import { mount } from './mounts.ts'
import { containersOf, looseEnds, podsOf, sidecarOf } from './pods.ts'

// Every file of helm/ci: alone where it is standalone, in the pod of a parent where it is a sidecar.

const skip = needs('helm')
const FILES = readdirSync(path.join(CHART, 'ci'))
const valuesOf = (file: string) => parse(readFileSync(path.join(CHART, 'ci', file), 'utf8'))

type Case = { readonly values: Rendered; readonly args: Parameters<typeof render> }

const caseOf = (file: string): Case => {
  const values = valuesOf(file)
  if (values.mode === 'standalone') return { values, args: [path.join(CHART, 'ci', file)] }
  return { values, args: [{ 'rdt-sidecar': values }, { chart: plainChart() }] }
}

const isOperatorFile = ({ kind, data }: Rendered): boolean => kind === 'ConfigMap' && data['config.yaml'] !== undefined

/** On ports that are free; sockets are in folders of this process anyway. */
const freePorts = ({ listeners, socketPath }: Rendered, here: (text: string) => string): Record<string, string> => {
  const one = socketPath ? {} : { SIDECAR_PORT: '0' }
  const several = () =>
    here(JSON.stringify(listeners.map((row: Rendered) => (row.socketPath ? row : { port: 0, endpoint: row.endpoint }))))
  return { SIDECAR_ADMIN_PORT: '0', ...(listeners ? { SIDECAR_LISTENERS: several() } : one) }
}

for (const file of FILES) {
  test(`${file}: helm lint --strict is content`, { skip }, () => {
    const { status, stdout, stderr } = lint(path.join(CHART, 'ci', file))
    assert.equal(status, 0, stdout + stderr)
    assert.doesNotMatch(stdout + stderr, /\[(WARNING|ERROR)\]|Fail:/)
  })

  test(`${file}: every object is one that Kubernetes takes, and they fit together`, { skip }, async () => {
    const objects = render(...caseOf(file).args)
    assert.ok(podsOf(objects).length > 0)
    for (const object of objects) {
      assert.deepEqual(await problemsOf(object), [], `${object.kind} ${object.metadata?.name}`)
    }
    assert.deepEqual(looseEnds(objects), [])
  })

  test(`${file}: our containers keep to the restricted profile`, { skip }, () => {
    const { values, args } = caseOf(file)
    const objects = render(...args)
    const standalone = values.mode === 'standalone'
    const pods = podsOf(objects)
    const user = values.runAsUser === null ? {} : { runAsUser: 65_532, runAsGroup: 65_532 }
    for (const container of standalone ? pods.flatMap(containersOf) : pods.map(sidecarOf)) {
      assert.deepEqual(container.securityContext, {
        runAsNonRoot: true,
        ...user,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      })
    }
    for (const { spec } of standalone ? pods : []) {
      assert.equal(spec.automountServiceAccountToken, false)
      assert.equal(spec.enableServiceLinks, false)
    }
  })

  test(`${file}: no Secret is rendered; Secrets are mounted as files, read-only`, { skip }, () => {
    const { values, args } = caseOf(file)
    const objects = render(...args)
    assert.doesNotMatch(renderText(...args), /kind: Secret|secretKeyRef|secretRef/)
    for (const pod of podsOf(objects).filter((one) => containersOf(one).some(({ args }) => args?.[0] === 'serve'))) {
      const secrets = pod.spec.volumes.filter(({ secret }: Rendered) => secret)
      const mounts = sidecarOf(pod).volumeMounts
      const mounted = secrets.map(({ name, secret }: Rendered) => {
        const { mountPath, readOnly } = mounts.find((mount: Rendered) => mount.name === name)
        return [secret.secretName, mountPath, readOnly]
      })
      const { secretName, clientCaSecretName } = values.tls ?? {}
      const { key, password, ca } = values.store ?? {}
      const named = [
        ...(values.secrets ?? []).map(({ name }: Rendered) => name),
        ...[secretName, clientCaSecretName, key?.secretName, password?.secretName, ca?.secretName],
      ]
      const expected = [...new Set(named.filter(Boolean))].map((name) => [
        name,
        `/etc/rdt-sidecar/secrets/${name}`,
        true,
      ])
      const caller = values.callerToken?.secretName
      assert.deepEqual(mounted, [...expected, ...(caller ? [[caller, '/run/rdt-sidecar/caller', true]] : [])])
    }
  })

  test(`${file}: the program takes the configuration, starts with it, and answers the probes`, {
    skip: needs('helm', 'openssl'),
  }, async (t) => {
    const { values, args } = caseOf(file)
    const objects = render(...args)
    const [pod] = podsOf(objects)
    assert.ok(pod)
    const { env, seenBy } = mount(pod, objects, values.config)
    assert.equal(objects.some(isOperatorFile), values.existingConfigMap === undefined)
    const { code, err } = await run(t, ['check-config'], env)
    assert.equal(code, 0, err)
    const ports = freePorts(values.config, seenBy(sidecarOf(pod)))
    const sidecar = await servingWith(t, { ...env, ...ports, SIDECAR_LOG_LEVEL: 'info' })
    const { startupProbe, readinessProbe, livenessProbe } = sidecarOf(pod)
    for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) {
      assert.equal((await fetch(sidecar.admin + httpGet.path)).status, 200)
    }
    sidecar.child.kill('SIGTERM')
    assert.equal((await sidecar.finished).code, 0)
  })
}

test('the example passes helm lint --strict', { skip }, () => {
  const { status, stdout, stderr } = lint(undefined, exampleChart())
  assert.equal(status, 0, stdout + stderr)
})

test('names and labels hold with the longest release name that Helm allows', { skip }, () => {
  const release = 'r'.repeat(53)
  const everything = path.join(CHART, 'ci/standalone-everything-values.yaml')
  const objects = render(everything, { release })
  for (const { kind, metadata } of objects) {
    assert.match(metadata.name, /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/, kind)
    for (const value of Object.values(metadata.labels ?? {}))
      assert.match(String(value), /^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/, kind)
  }
})
