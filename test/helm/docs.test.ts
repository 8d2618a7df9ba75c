import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { needs } from '../support/tools.ts'
import { notes, parentChart, render, scratchFile, the } from './chart.ts'
import { problemsOf } from './kubernetes.ts'
import { envOf, looseEnds, type Pod, podsOf, sidecarOf } from './pods.ts'

// The examples of docs/kubernetes.md.

const skip = needs('helm')
const page = readFileSync(path.join(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8')

const block = (name: string): string => {
  const [, text] = new RegExp(`\`\`\`yaml\n# ${name}\n([\\s\\S]*?)\`\`\``).exec(page) ?? []
  assert.ok(text, name)
  return text
}

test('the three steps make a good pod with the sidecar', { skip }, async () => {
  const { name, dependencies } = parse(block('Chart.yaml'))
  const [{ repository: _, ...dependency }] = dependencies
  const chart = parentChart(name, [dependency], { 'deployment.yaml': block('templates/deployment.yaml') })
  const objects = render(parse(block('values.yaml')), { chart })
  for (const object of objects) assert.deepEqual(await problemsOf(object), [])
  assert.deepEqual(looseEnds(objects), [])
  const { image, restartPolicy } = sidecarOf(podsOf(objects)[0] as Pod)
  assert.deepEqual([image, restartPolicy], ['registry.example.com/rdt-sidecar:0.1.0', 'Always'])
})

/** The three steps' template with the pod of managed sellers. */
const managedTemplate = (): string =>
  block('templates/deployment.yaml').replace(/ {4}spec:\n[\s\S]*?(?= {6}volumes:)/, block('managed pod'))

test('the quick start of managed sellers in a pod makes a good one, whose container reads the token', {
  skip,
}, async () => {
  const { name, dependencies } = parse(block('Chart.yaml'))
  const [{ repository: _, ...dependency }] = dependencies
  const chart = parentChart(`managed-${name}`, [dependency], { 'deployment.yaml': managedTemplate() })
  const objects = render(parse(block('managed.yaml')), { chart })
  for (const object of objects) assert.deepEqual(await problemsOf(object), [])
  assert.deepEqual(looseEnds(objects), [])
  const [pod] = podsOf(objects) as [Pod]
  const [{ volumeMounts }] = pod.spec.containers
  assert.ok(page.includes(`$(head -n 1 ${volumeMounts[0].mountPath}/token)`))
  assert.equal(sidecarOf(pod).env.at(-2).value, `${volumeMounts[0].mountPath}/token`)
})

test('the socket and the callers of the page are configurations that render', { skip }, async () => {
  const { config } = parse(block('socket.yaml'))
  const managed = parse(block('managed.yaml'))['rdt-sidecar']
  render({ ...managed, callerToken: {}, config: { ...managed.config, ...config } })
  const { callerToken: _, ...standalone } = parse(block('managed-standalone.yaml'))
  const { secrets, config: callers } = parse(block('callers.yaml'))
  render({ ...standalone, secrets, config: { ...standalone.config, ...callers } }, { release: 'tokens' })
})

for (const file of ['standalone.yaml', 'managed-standalone.yaml'])
  test(`${file} renders good objects, at the address that the page names`, { skip }, async () => {
    const objects = render(parse(block(file)), { release: 'tokens' })
    for (const object of objects) assert.deepEqual(await problemsOf(object), [])
    assert.ok(objects.some(({ kind, metadata }) => kind === 'Service' && metadata.name === 'tokens-rdt-sidecar'))
  })

test('the divided plan is one that the notes do not warn of', { skip }, () => {
  const { config, ...more } = parse(block('replicas.yaml'))
  assert.doesNotMatch(
    notes({ ...parse(block('standalone.yaml')), ...more, config: { ...config, insecureListen: true } }),
    /WARNING/,
  )
})

test('the store of the page is one that standalone pods can have, behind a NetworkPolicy', { skip }, async () => {
  const { mode, image, config: own, networkPolicy: callers } = parse(block('standalone.yaml'))
  const { store, config, networkPolicy } = parse(block('store.yaml'))
  const values = { mode, image, store, config: { ...own, ...config }, networkPolicy: { ...callers, ...networkPolicy } }
  const objects = render(values, { release: 'tokens' })
  for (const object of objects) assert.deepEqual(await problemsOf(object), [])
  assert.deepEqual(the(objects, 'NetworkPolicy').spec.egress.at(-1).ports, [{ protocol: 'TCP', port: 6380 }])
  const files = ['key', 'password', 'ca.crt'].map((name) => `/etc/rdt-sidecar/secrets/rdt-store/${name}`)
  const named = Object.values(envOf(sidecarOf(podsOf(objects)[0] as Pod)))
  assert.deepEqual(
    named.filter((value) => value.startsWith('/etc/rdt-sidecar/secrets/')),
    files,
  )
})

test('the values for metrics render what they name', { skip }, () => {
  const file = scratchFile('metrics.yaml')
  writeFileSync(file, block('metrics.yaml'))
  const kinds = render(file).map(({ kind }) => kind)
  assert.deepEqual(kinds.sort(), ['ConfigMap', 'ConfigMap', 'PodMonitor', 'PrometheusRule'])
})

test('links lead to what is there', () => {
  for (const [, link = ''] of page.matchAll(/\]\(([^)#]+)\)/g))
    assert.ok(existsSync(path.join(import.meta.dirname, '../../docs', link)), link)
  const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-'))
  for (const [, anchor = ''] of page.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(anchors.includes(anchor), anchor)
})
