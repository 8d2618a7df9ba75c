import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { certificate } from '../helm/mounts.ts'
import { folderFor } from '../support/cli.ts'
import { needs } from '../support/tools.ts'
import { pairOf, type Scope } from './dockerfile.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const page = readFileSync(path.join(ROOT, 'docs/container.md'), 'utf8')
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)
const runs = blocks('sh')
  .flatMap((text) => text.replaceAll('\\\n', '').split('\n'))
  .filter((line) => line.startsWith('docker run'))
const variablesOf = (line: string): Scope =>
  Object.fromEntries(
    [...line.matchAll(/ -e (\S+)/g)].map(([, variable = '']) => {
      const [name, value] = pairOf(variable)
      return [name, value ?? '']
    }),
  )
const [operatorFile, ...composes] = [
  blocks('yaml').find((text) => text.startsWith('# rdt-sidecar/config.yaml')) ?? '',
  ...blocks('yaml').filter((text) => text.startsWith('services:')),
]

/** With files in a folder of the test in the place of what is mounted: the page's configuration, secrets, a certificate. */
const loaded = (t: TestContext, { SIDECAR_CONFIG, ...env }: Scope) => {
  const folder = folderFor(t)
  const here = (text: string): string =>
    text.replaceAll('/etc/rdt-sidecar/', `${folder}/`).replaceAll('/run/rdt-sidecar/caller/', `${folder}/caller/`)
  for (const name of ['secrets', 'caller']) mkdirSync(path.join(folder, name))
  const files: Scope = {
    'client-secret': 'secret',
    'refresh-token': 'Atzr|x',
    'caller-token': 'a token of the length that serve makes'.replaceAll(' ', '-'),
  }
  if (env['SIDECAR_TLS_CERT_FILE'])
    Object.assign(files, { 'tls.crt': certificate().cert, 'tls.key': certificate().key })
  for (const [name, text] of Object.entries(files))
    writeFileSync(path.join(folder, 'secrets', name), text ?? '', { mode: 0o440 })
  const file = SIDECAR_CONFIG === undefined ? undefined : here(SIDECAR_CONFIG)
  if (file !== undefined) writeFileSync(file, here(operatorFile))
  return loadConfig(file, Object.fromEntries(Object.entries(env).map(([name, value = '']) => [name, here(value)])))
}
const settingsOf = (t: TestContext, env: Scope) => {
  const result = loaded(t, env)
  assert.ok(result.ok, JSON.stringify(result))
  return result.config.settings
}
const secondsOf = (text: string | undefined): number => Number(/^(\d+)s?$/.exec(text ?? '')?.[1])
const drainSeconds = (t: TestContext): number => settingsOf(t, {}).drain.maxMs / 1000

test('the examples of docker run are accepted configurations of the image of this version', {
  skip: needs('openssl'),
}, (t) => {
  assert.equal(runs.length, 4)
  for (const line of runs) {
    const env = variablesOf(line)
    const settings = settingsOf(t, env)
    assert.ok(line.includes(` rdt-sidecar:${version}`), line)
    if (line.includes(' -p ')) assert.deepEqual([settings.host, settings.admin.host], ['0.0.0.0', '0.0.0.0'])
    if (line.includes(' -d ')) assert.ok(secondsOf(/--stop-timeout (\d+)/.exec(line)?.[1]) > drainSeconds(t), line)
    const name = /--name (\S+) --network shop/.exec(line)?.[1]
    if (name) assert.deepEqual([settings.auth.hosts, loaded(t, env).warnings], [[name], []])
  }
})

for (const [i, text] of composes.entries())
  test(`the ${i === 0 ? 'first' : 'second'} example of Compose gives both one loopback, no rights, and time to drain`, (t) => {
    const { services } = parse(text)
    const sidecar = services['rdt-sidecar']
    const env: Scope = sidecar.environment
    const { SIDECAR_CONFIG: file = '', ...own } = env
    assert.equal(sidecar.image, `rdt-sidecar:${version}`)
    assert.equal(sidecar.volumes[0].split(':')[1], path.dirname(file))
    assert.deepEqual(
      [sidecar.read_only, sidecar.cap_drop, sidecar.security_opt],
      [true, ['ALL'], ['no-new-privileges:true']],
    )
    assert.ok(secondsOf(sidecar.stop_grace_period) > drainSeconds(t))
    const { host, port, admin } = settingsOf(t, i === 0 ? own : env)
    assert.equal(admin.host, '0.0.0.0')
    assert.equal(services.app.environment.SP_API_BASE_URL, `http://${host}:${port}`)
    assert.equal(services.app.network_mode, 'service:rdt-sidecar')
  })

test('app and sidecar share the volume of the caller token: the sidecar writes, the app reads by its group', (t) => {
  const { services, volumes } = parse(composes[1] ?? '')
  const { environment, volumes: mounts } = services['rdt-sidecar']
  const { SIDECAR_AUTH_CALLER_TOKEN_FILE: file } = environment
  const [volume, folder] = mounts[1].split(':')
  assert.equal(path.dirname(file), folder)
  assert.deepEqual(services.app.volumes, [`${volume}:${folder}:ro`])
  assert.equal(services.app.environment.CALLER_TOKEN_FILE, file)
  const [, group] = /gid=(\d+)/.exec(volumes[volume].driver_opts.o) ?? []
  assert.deepEqual([...services.app.group_add, `${group}:${group}`], [group, '65532:65532'])
  assert.equal(settingsOf(t, environment).auth.createCallerTokenFile, true)
  const { SIDECAR_AUTH_CALLER_TOKEN_FILE: _, SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE: __, ...rest } = environment
  settingsOf(t, { ...rest, SIDECAR_SOCKET_PATH: /SIDECAR_SOCKET_PATH: ([^`]+)/.exec(page)?.[1] })
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
