/** Files of caller tokens, with a real `serve`: it makes one, it takes over what changes in one. */
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { makeCallerToken } from '../../src/config/caller-token.ts'
import { loadConfig } from '../../src/config/load.ts'
import { FREE, folderFor, printed, run, start } from '../support/cli.ts'
import { sellerFiles, servingManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { metric } from '../support/metric.ts'

const OPEN = '/sellers/v1/marketplaceParticipations'

const managedEnv = (folder: string, file: string) => ({
  ...FREE,
  SIDECAR_SELLERS: JSON.stringify([sellerFiles(folder).row('seller-a')]),
  SIDECAR_AUTH_CALLER_TOKEN_FILE: file,
  SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE: 'true',
})

test('a caller token is replaced without a restart and without a gap, as Kubernetes swaps it', async (t) => {
  const folder = folderFor(t)
  const mount = (name: string, text: string): void => {
    mkdirSync(path.join(folder, name))
    writeFileSync(path.join(folder, name, 'token'), text, { mode: 0o440 })
    symlinkSync(name, path.join(folder, '..new'))
    renameSync(path.join(folder, '..new'), path.join(folder, '..data'))
  }
  mount('..1', 'first-token\n')
  const file = path.join(folder, 'token')
  symlinkSync('..data/token', file)
  const sidecar = await servingManaged(t, { env: { SIDECAR_AUTH_CALLER_TOKEN_FILE: file } })
  const statuses = async () => {
    const answers = ['first-token', 'second-token'].map((token) => sidecar.ask(OPEN, token))
    return (await Promise.all(answers)).map(({ status }) => status).join()
  }
  const usedAt = (line: number) =>
    metric(sidecar, `rdt_secret_last_success_timestamp_seconds{secret="auth.callerTokenFile.${line}"}`)
  assert.equal(await statuses(), '200,403')
  mount('..2', 'first-token\r\nsecond-token\r\n')
  await until(async () => (await statuses()) === '200,200')
  assert.ok((await usedAt(1)) > 0 && (await usedAt(2)) > 0)
  const [audited] = await printed(sidecar, /^\{.*"event":"configuration","by":"file".*$/m)
  assert.deepEqual(JSON.parse(audited).changed, ['auth.callerTokenFile'])
  mount('..3', 'second-token')
  await until(async () => (await statuses()) === '403,200')
  assert.ok((await usedAt(1)) > 0) // it was used before, as line 2
  mount('..4', 'one\ntwo\nthree\n') // refused: what was in force stays
  await until(async () => (await metric(sidecar, 'rdt_config_last_reload_successful')) === 0)
  assert.equal(await statuses(), '403,200')
})

test('serve makes the file where it is missing, before it is ready, and keeps one that is there', async (t) => {
  const folder = folderFor(t)
  const file = path.join(folder, 'caller-token')
  const env = { SIDECAR_AUTH_CALLER_TOKEN_FILE: file, SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE: 'true' }
  const checked = await run(t, ['check-config'], managedEnv(folder, file))
  assert.deepEqual([checked.code, existsSync(file)], [0, false])
  const sidecar = await servingManaged(t, { env })
  assert.equal((await fetch(`${sidecar.admin}/readyz`)).status, 200)
  const text = readFileSync(file, 'utf8')
  assert.match(text, /^[\w-]{43}\n$/)
  assert.equal((statSync(file).mode & 0o777).toString(8), '440')
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('caller-token')),
    ['caller-token'],
  )
  assert.equal((await sidecar.ask(OPEN, text.trim())).status, 200)
  assert.equal((await sidecar.ask(OPEN, 'x')).status, 403)
  // Gone, it is not missed: those who have read it go on.
  rmSync(file)
  await until(async () => (await metric(sidecar, 'rdt_config_last_reload_successful')) === 0)
  assert.match(sidecar.out(), /auth\.callerTokenFile: the file is not there: it is made by a restart only/)
  assert.equal((await sidecar.ask(OPEN, text.trim())).status, 200)
  sidecar.child.kill('SIGTERM')
  await sidecar.finished
  const next = await servingManaged(t, { env })
  const made = readFileSync(file, 'utf8')
  assert.notEqual(made, text)
  next.child.kill('SIGTERM')
  await next.finished
  const third = await servingManaged(t, { env })
  assert.equal((await third.ask(OPEN, made.trim())).status, 200)
  assert.equal(readFileSync(file, 'utf8'), made)
})

test('where one is there, nothing need be made beside it', async (t) => {
  const folder = folderFor(t)
  const file = path.join(folder, 'x'.repeat(250)) // a longer name there cannot be
  writeFileSync(file, 'token', { mode: 0o440 })
  const sidecar = await servingManaged(t, {
    env: { SIDECAR_AUTH_CALLER_TOKEN_FILE: file, SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE: 'true' },
  })
  assert.equal((await sidecar.ask(OPEN, 'token')).status, 200)
})

test('whatever the umask, the group can read it', async (t) => {
  const folder = folderFor(t)
  const file = path.join(folder, 'caller-token')
  const umask = process.umask(0o077) // children have it from us
  try {
    start(t, ['serve'], managedEnv(folder, file))
  } finally {
    process.umask(umask)
  }
  await until(() => existsSync(file))
  assert.equal((statSync(file).mode & 0o777).toString(8), '440')
})

test('a folder that is missing is told in one line, exit 1', async (t) => {
  const folder = folderFor(t)
  const file = path.join(folder, 'nowhere', 'caller-token')
  const { code, err } = await run(t, ['serve'], managedEnv(folder, file))
  assert.deepEqual([code, err], [1, 'auth.callerTokenFile: the file cannot be made (ENOENT)\n'])
})

test('one that another process makes at the same time is taken', (t) => {
  const folder = folderFor(t)
  const file = path.join(folder, 'caller-token')
  const loaded = loadConfig(undefined, managedEnv(folder, file))
  writeFileSync(file, 'token')
  assert.equal(makeCallerToken(loaded), true)
  assert.equal(readFileSync(file, 'utf8'), 'token')
})

test('a link to nowhere in its place is told, in the place of a sidecar that trusts nobody', async (t) => {
  const folder = folderFor(t)
  const file = path.join(folder, 'caller-token')
  symlinkSync('nowhere', file)
  const { code, err } = await run(t, ['serve'], managedEnv(folder, file))
  assert.deepEqual([code, err], [1, 'auth.callerTokenFile: the file cannot be made (EEXIST)\n'])
})
