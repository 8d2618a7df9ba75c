/** The chart through the real helm. Its caches and all that is built go to a folder of this process, never into the tree. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'

export const CHART = path.join(import.meta.dirname, '../../helm')
/** Helm built by `go install` takes itself to be of Kubernetes 1.20. */
const KUBERNETES = ['--kube-version', '1.30.0']

// biome-ignore lint/suspicious/noExplicitAny: what a chart renders is checked by schemas, not by types.
export type Rendered = any
/** Values, or the path of a file that holds them. */
export type Values = Readonly<Record<string, unknown>> | string

const scratch = mkdtempSync(path.join(tmpdir(), 'rdt-helm-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

/** A path in this process's folder. */
export const scratchFile = (name: string): string => path.join(scratch, name)

const run = (args: readonly string[], input?: string) => {
  const homes = { HELM_CACHE_HOME: 'cache', HELM_CONFIG_HOME: 'config', HELM_DATA_HOME: 'data' }
  const env = Object.fromEntries(Object.entries(homes).map(([name, folder]) => [name, scratchFile(folder)]))
  const { status, stdout, stderr, error } = spawnSync('helm', args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 60_000,
    ...(input !== undefined && { input }),
  })
  if (error) throw error
  return { status, stdout, stderr }
}

export const helm = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = run(args)
  assert.equal(status, 0, `helm ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

/** `helm lint --strict`: the exit code and all that it says. */
export const lint = (valuesFile?: string, chart = CHART) =>
  run(['lint', '--strict', ...KUBERNETES, ...(valuesFile === undefined ? [] : ['--values', valuesFile]), chart])

type Source = { readonly chart?: string; readonly release?: string; readonly only?: string }

const template = (values: Values, { chart = CHART, release = 'shop', only }: Source) => {
  const show = only === undefined ? [] : ['--show-only', only]
  const [file, input] = typeof values === 'string' ? [values] : ['-', JSON.stringify(values)]
  return run(['template', release, chart, ...KUBERNETES, '--namespace', 'orders', '--values', file, ...show], input)
}

/** The text that `helm template` prints. */
export const renderText = (values: Values, source: Source = {}): string => {
  const { status, stdout, stderr } = template(values, source)
  assert.equal(status, 0, stderr)
  return stdout
}

export const render = (values: Values, source: Source = {}): readonly Rendered[] =>
  parseAllDocuments(renderText(values, source)).flatMap((document) => {
    assert.deepEqual(document.errors, [])
    return document.toJS() ?? []
  })

/** What helm says when it refuses to render. */
export const refusal = (values: Values, source: Source = {}): string => {
  const { status, stderr } = template(values, source)
  assert.notEqual(status, 0, 'it was rendered')
  return stderr
}

/** The one object of this kind (and name). */
export const the = (objects: readonly Rendered[], kind: string, name?: string): Rendered => {
  const found = objects.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name))
  assert.equal(found.length, 1, `${found.length} objects are ${kind} ${name ?? ''}`)
  return found[0]
}

/** A chart that depends on ours, built for real by `helm dependency build`. */
export const parentChart = (
  name: string,
  dependencies: readonly Readonly<Record<string, unknown>>[],
  templates: Readonly<Record<string, string>>,
): string => {
  const folder = scratchFile(name)
  mkdirSync(path.join(folder, 'templates'), { recursive: true })
  const own = { name: 'rdt-sidecar', version: '0.1.0', repository: `file://${CHART}` }
  const chart = {
    apiVersion: 'v2',
    name,
    version: '1.0.0',
    dependencies: dependencies.map((one) => ({ ...own, ...one })),
  }
  writeFileSync(path.join(folder, 'Chart.yaml'), stringify(chart))
  for (const [file, text] of Object.entries(templates)) writeFileSync(path.join(folder, 'templates', file), text)
  helm('dependency', 'build', folder)
  return folder
}

let example: string | undefined
/** The example chart, built in a copy. */
export const exampleChart = (): string => {
  if (example) return example
  cpSync(CHART, scratchFile('copy'), { recursive: true })
  const folder = scratchFile('copy/examples/shop')
  for (const built of ['charts', 'Chart.lock']) rmSync(path.join(folder, built), { recursive: true, force: true })
  helm('dependency', 'build', folder)
  example = folder
  return folder
}

const CALLER_MOUNTS = `shop:1
          volumeMounts: {{- include "rdt-sidecar.callerMounts" $ | nindent 12 }}`

let plain: string | undefined
/** The Deployment of the example in a chart that sets no value; its container has what sidecar and callers share. */
export const plainChart = (): string => {
  const deployment = readFileSync(path.join(CHART, 'examples/shop/templates/deployment.yaml'), 'utf8')
  plain ??= parentChart('plain', [{}], { 'deployment.yaml': deployment.replace('{{ .Values.image }}', CALLER_MOUNTS) })
  return plain
}

/** NOTES.txt, which `helm template` leaves out. */
export const notes = (values: Values): string => {
  const chart = scratchFile('notes')
  cpSync(CHART, chart, { recursive: true })
  const text = readFileSync(path.join(CHART, 'templates/NOTES.txt'), 'utf8')
  const as = `{{- define "notes" }}${text}{{ end }}\nnotes: {{ include "notes" . | toJson }}\n`
  writeFileSync(path.join(chart, 'templates/notes.yaml'), as)
  const [rendered] = render(values, { chart, only: 'templates/notes.yaml' })
  return rendered.notes
}
