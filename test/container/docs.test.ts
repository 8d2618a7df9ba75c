import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { pairOf, type Scope } from './dockerfile.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const page = readFileSync(path.join(ROOT, 'docs/container.md'), 'utf8')
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)
const runs = blocks('sh')
  .flatMap((text) => text.replaceAll('\\\n', '').split('\n'))
  .filter((line) => line.startsWith('docker run'))
const { services } = parse(blocks('yaml')[0] ?? '')
const sidecar = services['rdt-sidecar']

const settingsOf = (env: Scope) => {
  const result = loadConfig(undefined, env)
  assert.ok(result.ok, JSON.stringify(result))
  return result.config.settings
}
const secondsOf = (text: string | undefined): number => Number(/^(\d+)s?$/.exec(text ?? '')?.[1])
const DRAIN_S = settingsOf({}).drain.maxMs / 1000

test('the examples of docker run are accepted configurations of the image of this version', () => {
  assert.equal(runs.length, 3)
  for (const line of runs) {
    const variables = [...line.matchAll(/ -e (\S+)/g)].map(([, variable = '']) => pairOf(variable))
    const settings = settingsOf(Object.fromEntries(variables.map(([name, value]) => [name, value ?? ''])))
    assert.ok(line.includes(` rdt-sidecar:${version}`), line)
    if (line.includes(' -p ')) assert.deepEqual([settings.host, settings.admin.host], ['0.0.0.0', '0.0.0.0'])
    if (line.includes(' -d ')) assert.ok(secondsOf(/--stop-timeout (\d+)/.exec(line)?.[1]) > DRAIN_S, line)
  }
})

test('the example of Compose gives both one loopback, no rights, and time to drain', () => {
  const { SIDECAR_CONFIG: file, ...env } = sidecar.environment
  assert.equal(sidecar.image, `rdt-sidecar:${version}`)
  assert.equal(sidecar.volumes[0].split(':')[1], path.dirname(file))
  assert.equal(settingsOf(env).admin.host, '0.0.0.0')
  assert.deepEqual(
    [sidecar.read_only, sidecar.cap_drop, sidecar.security_opt],
    [true, ['ALL'], ['no-new-privileges:true']],
  )
  assert.ok(secondsOf(sidecar.stop_grace_period) > DRAIN_S)
  const { host, port } = settingsOf(env)
  assert.equal(services.app.environment.SP_API_BASE_URL, `http://${host}:${port}`)
  assert.equal(services.app.network_mode, 'service:rdt-sidecar')
})

test('the page says of the image what the Dockerfile says', () => {
  const dockerfile = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8')
  const said = (pattern: RegExp): string => pattern.exec(dockerfile)?.[1] ?? assert.fail(`${pattern}`)
  assert.ok(page.includes(`NODE_IMAGE=${said(/^ARG NODE_IMAGE=(.*)$/m)}@sha256:`))
  assert.ok(page.includes(`\`${said(/^USER (.*)$/m)}\``))
  assert.ok(page.includes(`\`NODE_OPTIONS=${said(/NODE_OPTIONS=(\S+)/)}\``))
  assert.ok(page.includes(`every ${said(/--interval=(\d+)s/)} s`))
  for (const [, port] of page.matchAll(/-p 127\.0\.0\.1:\d+:(\d+)/g))
    assert.ok(said(/^EXPOSE (.*)$/m).includes(`${port}`))
})
