/** Files that are watched from what was read on: nothing that changes between the two is missed. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { createFileWatch } from '../../src/config/watch.ts'
import { folderFor } from '../support/cli.ts'
import { sellerFiles } from '../support/managed.ts'
import { until } from '../support/many.ts'

test('a secret that changes after it was read, and before it is watched, is read again', async (t) => {
  const folder = folderFor(t)
  const files = sellerFiles(folder)
  const file = path.join(folder, 'sidecar.yaml')
  writeFileSync(file, JSON.stringify({ auth: { insecureAllowAnonymous: true }, sellers: [files.row('seller-a')] }))
  const load = () => loadConfig(file, {})
  const secrets: (string | undefined)[] = []
  const read = () => {
    const loaded = load()
    if (loaded.ok) secrets.push(loaded.config.sellers[0]?.clientSecret.reveal())
    return loaded.files
  }
  const before = read()
  files.write('seller-a', 'another-secret')
  const watch = createFileWatch(
    () => watch.watch(read()),
    () => assert.fail(),
  )
  watch.watch(before)
  await until(() => secrets.length > 1)
  assert.deepEqual(secrets, ['simulated-secret', 'another-secret'])
})
