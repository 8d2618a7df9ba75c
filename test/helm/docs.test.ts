import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { needs } from '../support/tools.ts'
import { notes, parentChart, render, scratchFile } from './chart.ts'
import { problemsOf } from './kubernetes.ts'
import { looseEnds, type Pod, podsOf, sidecarOf } from './pods.ts'

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

test('the standalone quick start renders good objects, at the address it names', { skip }, async () => {
  const objects = render(parse(block('standalone.yaml')), { release: 'tokens' })
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

test('the values for metrics render what they name', { skip }, () => {
  const file = scratchFile('metrics.yaml')
  writeFileSync(file, block('metrics.yaml'))
  const kinds = render(file).map(({ kind }) => kind)
  assert.deepEqual(kinds.sort(), ['ConfigMap', 'ConfigMap', 'PodMonitor', 'PrometheusRule'])
})

test('links lead to what is there', () => {
  for (const [, link = ''] of page.matchAll(/\]\(([^)#]+)\)/g))
    assert.ok(existsSync(path.join(import.meta.dirname, '../../docs', link)), link)
})
