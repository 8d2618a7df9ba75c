import assert from 'node:assert/strict'
import { cpSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { FREE, folderFor, printed, start } from '../support/cli.ts'
import { newKey } from '../support/fleet.ts'
import { freePort } from '../support/listen.ts'
import { loaded, tracing } from '../support/loaded.ts'
import { ROOT, shipped } from './lock.ts'

/** The sources in a folder of their own, with what `npm ci --omit=dev --ignore-scripts` would install and nothing else. */
const install = (t: TestContext): string => {
  const folder = realpathSync(folderFor(t))
  for (const place of ['src', 'config', 'package.json', ...shipped.map(([place]) => place)])
    cpSync(path.join(ROOT, place), path.join(folder, place), { recursive: true })
  return folder
}

test('packages that ship are all that the program needs, and all that it loads', async (t) => {
  const folder = install(t)
  const [trace, keyFile] = [path.join(folder, 'trace'), path.join(folder, 'key')]
  const flags = tracing(trace)
  const main = path.join(folder, 'src/main.ts')
  const demo = await start(t, ['demo', '--once'], {}, flags, main).finished
  assert.equal(demo.code, 0, demo.err)

  writeFileSync(keyFile, newKey(), { mode: 0o600 })
  const store = { SIDECAR_STORE_URL: `redis://127.0.0.1:${await freePort()}`, SIDECAR_STORE_KEY_FILE: keyFile }
  const sidecar = start(t, ['serve'], { ...FREE, ...store }, flags, main)
  await printed(sidecar, /"msg":"serving"/)
  sidecar.child.kill('SIGTERM')
  assert.equal((await sidecar.finished).code, 0)

  const home = pathToFileURL(folder).href
  const files = loaded(trace).filter((url) => !/^(node|data):/.test(url))
  assert.deepEqual(
    files.filter((url) => !url.startsWith(`${home}/`)),
    [],
  )
  const inPackages = new Set(files.map((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]))
  inPackages.delete(undefined) // sources
  const [, count] = /; (\d+) of them are loaded/.exec(readFileSync(path.join(ROOT, 'docs/SECURITY.md'), 'utf8')) ?? []
  assert.equal(Number(count), inPackages.size)
})
