import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { folderFor, lwaToken, run, serving, simulating } from '../support/cli.ts'
import { sellerFiles } from '../support/managed.ts'
import { after, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'

type Line = Readonly<Record<string, unknown>>

/** A sidecar as a process, its configuration file, and a simulated Amazon. */
const reloading = async (t: TestContext, yaml: string, file = path.join(folderFor(t), 'sidecar.yaml')) => {
  const url = await simulating(t)
  const token = await lwaToken(url)
  writeFileSync(file, yaml)
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: url }, ['--config', file])
  const lines = (): readonly Line[] =>
    sidecar
      .out()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  const reloads = (): readonly Line[] =>
    lines().filter(({ log, event, by }) => log === 'audit' && event === 'configuration' && by !== 'start')
  const next = async (since: number): Promise<Line> => {
    for (let i = 0; i < 3000; i += 1) {
      const reload = reloads()[since]
      if (reload) return reload
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error('it was not read again')
  }
  return {
    ...sidecar,
    amazon: url,
    file,
    lines,
    reloads,
    /** Does what should have it read again, and resolves to what the audit stream says of that. */
    after: async (change: () => void | Promise<void>): Promise<Line> => {
      const since = reloads().length
      await change()
      return next(since)
    },
    hangup: () => void sidecar.child.kill('SIGHUP'),
    good: (): Promise<number> => metric(sidecar, 'rdt_config_last_reload_successful'),
    verdict: async (target: string): Promise<string | null> => {
      const answer = await fetch(sidecar.base + target, { headers: { 'x-amz-access-token': token } })
      await answer.arrayBuffer()
      return answer.headers.get('x-rdt-verdict')
    },
    configuration: async (): Promise<string> =>
      ((await (await fetch(`${sidecar.admin}/status`)).json()) as { configuration: string }).configuration,
  }
}

test('SIGHUP has the file read again: rows, policy and levels are taken over without a restart', async (t) => {
  const one = await reloading(t, 'log: { level: info }')
  assert.equal(await one.verdict('/orders/v0/orders/1/address'), 'minted')
  assert.equal(await one.verdict('/new/v1/things/1'), 'not-restricted')
  const before = await one.configuration()
  const said = await one.after(() => {
    writeFileSync(
      one.file,
      `operations: { new-v1.getThing: { method: GET, path: "/new/v1/things/{thingId}" }, orders-v0.getOrderAddress: { mode: skip } }
log: { level: error }
rdt: { scope: specific }`,
    )
    one.hangup()
  })
  assert.deepEqual(
    [said['by'], said['outcome'], said['changed']],
    ['signal', 'in force', ['operations', 'rdt.scope', 'log.level']],
  )
  const countOf = (route: string) => metric(one, `rdt_http_request_duration_seconds_count{route="${route}"}`)
  assert.deepEqual([await countOf('new-v1.getThing'), await countOf('orders-v0.getOrderAddress')], [0, 1])
  assert.equal(await one.verdict('/orders/v0/orders/1/address'), 'skipped;operation')
  assert.equal(await one.verdict('/orders/v0/orders/1'), 'minted')
  assert.equal(await one.verdict('/orders/v0/orders/2'), 'minted') // each its own
  assert.equal(await one.verdict('/new/v1/things/1'), 'minted')
  assert.equal(await one.good(), 1)
  assert.equal(await metric(one, 'rdt_http_request_duration_seconds_count{route="new-v1.getThing"}'), 1)
  assert.notEqual(await one.configuration(), before)
  assert.equal(one.lines().filter(({ msg }) => msg === 'call').length, 2) // those before
})

test('a file that is changed is read again by itself; a bad one is refused as a whole, and the last good one kept', async (t) => {
  const one = await reloading(t, 'rdt: { scope: generic }')
  const before = await one.configuration()
  const refused = await one.after(() =>
    writeFileSync(one.file, 'rdt: { scope: specific, onMintFailure: sometimes }\nlog: { audit: false }'),
  )
  assert.deepEqual([refused['by'], refused['outcome']], ['file', 'refused'])
  assert.match(String(refused['problems']), /^rdt\.onMintFailure: /)
  assert.equal(await one.good(), 0)
  assert.equal(await one.configuration(), before)
  assert.equal(await one.verdict('/orders/v0/orders/1'), 'minted')
  assert.equal(await one.verdict('/orders/v0/orders/2'), 'hit') // generic, as before
  const mended = await one.after(() => writeFileSync(one.file, 'rdt: { scope: specific }'))
  assert.deepEqual([mended['outcome'], mended['changed']], ['in force', ['rdt.scope']])
  assert.equal(await one.good(), 1)
  assert.equal(await one.verdict('/orders/v0/orders/2'), 'minted')
})

test('a file with an alias of nothing is refused like any other that is no YAML', async (t) => {
  const one = await reloading(t, '{}')
  const refused = await one.after(() => writeFileSync(one.file, 'rdt: { scope: *CANARY }'))
  assert.deepEqual(refused['problems'], [
    `${one.file}: is not valid YAML: Unresolved alias (the anchor must be set before the alias)`,
  ])
  assert.equal(await one.verdict('/orders/v0/orders/1'), 'minted')
})

test('a key that needs a restart keeps the whole file from being taken over, and is named', async (t) => {
  const one = await reloading(t, 'mint: { burst: 5 }')
  const said = await one.after(() => {
    writeFileSync(one.file, 'mint: { burst: 6 }\nrdt: { scope: specific }')
    one.hangup()
  })
  assert.deepEqual(said['problems'], ['mint.burst: has changed: it is taken over by a restart only'])
  assert.equal(await one.good(), 0)
  assert.equal(await one.verdict('/orders/v0/orders/1'), 'minted')
  assert.equal(await one.verdict('/orders/v0/orders/2'), 'hit')
})

test('a file that is being written is not read half', async (t) => {
  for (;;) {
    const one = await reloading(t, 'rdt: { scope: generic }')
    let longestPauseMs = 0
    const said = await one.after(async () => {
      for (let i = 0; i < 30; i += 1) {
        const from = performance.now()
        writeFileSync(one.file, `rdt: { scope: specific, # ${'x'.repeat(i)}`)
        await after(100)
        longestPauseMs = Math.max(longestPauseMs, performance.now() - from)
      }
      writeFileSync(one.file, 'rdt: { scope: specific }')
    })
    if (longestPauseMs > 800) continue // the machine was too busy: for so long it did stand still
    assert.deepEqual([said['outcome'], said['changed']], ['in force', ['rdt.scope']])
    return
  }
})

test('a file that has become empty is taken for one that is being written', async (t) => {
  const one = await reloading(t, 'rdt: { scope: specific }')
  const said = await one.after(async () => {
    writeFileSync(one.file, '')
    await after(4000)
    assert.deepEqual(one.reloads(), [])
    writeFileSync(one.file, '{}')
  })
  assert.deepEqual([said['outcome'], said['changed']], ['in force', ['rdt.scope']])
})

test('one that stays empty is told, and changes nothing: the configuration, and a secret', async (t) => {
  const refusedAsEmpty = async (one: Awaited<ReturnType<typeof reloading>>, file: string) => {
    const text = readFileSync(file, 'utf8')
    const before = await one.configuration()
    const refused = await one.after(() => writeFileSync(file, ''))
    assert.deepEqual([refused['by'], refused['outcome'], await one.good()], ['file', 'refused', 0])
    assert.equal(await one.configuration(), before)
    const mended = await one.after(() => writeFileSync(file, text))
    assert.deepEqual([mended['outcome'], mended['changed'], await one.good()], ['in force', [], 1])
    assert.equal(one.reloads().length, 2)
    return refused['problems']
  }
  const folder = folderFor(t)
  const row = sellerFiles(folder).row('seller-a')
  const managed = JSON.stringify({ sellers: [row], auth: { insecureAllowAnonymous: true } })
  const [plain, another] = await Promise.all([reloading(t, 'rdt: { scope: specific }'), reloading(t, managed)])
  const problems = await Promise.all([refusedAsEmpty(plain, plain.file), refusedAsEmpty(another, row.clientSecretFile)])
  assert.deepEqual(problems, [
    [`${plain.file}: has become empty`],
    [`${row.clientSecretFile}: has become empty`, 'sellers.0.clientSecretFile: the file is empty'],
  ])
})

test('a mode that is mended is seen: the file may not have been readable until then', async (t) => {
  const one = await reloading(t, 'rdt: { scope: generic }')
  const said = await one.after(() => chmodSync(one.file, 0o440))
  assert.deepEqual([said['by'], said['changed']], ['file', []])
})

test('a drain takes as long as the file last said', async (t) => {
  const one = await reloading(t, 'drain: { maxMs: 600000 }')
  await fetch(`${one.amazon}/_simulator/control`, {
    method: 'POST',
    body: JSON.stringify({ fail: [{ on: 'call', times: 1, as: 'hang' }] }),
  })
  const cut = assert.rejects(one.verdict('/sellers/v1/marketplaceParticipations'))
  await until(async () => (await metric(one, 'rdt_http_requests_in_flight')) === 1)
  await one.after(() => {
    writeFileSync(one.file, 'drain: { maxMs: 100 }')
    one.hangup()
  })
  one.child.kill('SIGTERM')
  await cut
  assert.equal((await one.finished).code, 1)
})

test('that the audit stream is turned off is its last line; that it is turned on, its first', async (t) => {
  const one = await reloading(t, '{}')
  const off = await one.after(() => {
    writeFileSync(one.file, 'log: { audit: false }')
    one.hangup()
  })
  assert.deepEqual(off['changed'], ['log.audit'])
  await one.verdict('/orders/v0/orders/1')
  await until(() => one.lines().some(({ msg }) => msg === 'call'))
  assert.equal(one.lines().filter(({ event }) => event === 'swap').length, 0)
  const on = await one.after(() => {
    writeFileSync(one.file, 'log: { audit: true }')
    one.hangup()
  })
  assert.deepEqual(on['changed'], ['log.audit'])
})

test('a file that SIGHUP had read is not read a second time', async (t) => {
  const one = await reloading(t, '{}')
  await one.after(() => {
    writeFileSync(one.file, 'rdt: { scope: specific }')
    one.hangup()
  })
  await after(3500) // three looks
  assert.equal(one.reloads().length, 1)
})

test('healthcheck and shutdown do not mind a file that was refused, unless it is about the admin listener', async (t) => {
  const one = await reloading(t, '{}')
  await one.after(() => {
    writeFileSync(one.file, 'rdt: { scope: wrong }')
    one.hangup()
  })
  const env = { SIDECAR_ADMIN_PORT: String(one.adminPort), SIDECAR_CONFIG: one.file }
  const healthy = await run(t, ['healthcheck'], env)
  assert.deepEqual([healthy.code, healthy.err], [0, ''])
  writeFileSync(one.file, 'admin: { host: 7 }')
  const wrong = await run(t, ['healthcheck'], env)
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /^admin\.host: /)
  writeFileSync(one.file, 'rdt: { scope: wrong }')
  assert.equal((await run(t, ['shutdown'], env)).code, 0)
  assert.equal((await one.finished).code, 0)
})

test('a mounted ConfigMap is seen: its folder’s symbolic link is swapped', async (t) => {
  const folder = folderFor(t)
  const write = (name: string, scope: string): void => {
    mkdirSync(path.join(folder, name))
    writeFileSync(path.join(folder, name, 'sidecar.yaml'), `rdt: { scope: ${scope} }`)
  }
  write('..1', 'generic')
  symlinkSync('..1', path.join(folder, '..data'))
  const file = path.join(folder, 'sidecar.yaml')
  symlinkSync('..data/sidecar.yaml', file)
  const one = await reloading(t, 'rdt: { scope: generic }', file)
  write('..2', 'specific')
  const said = await one.after(() => {
    symlinkSync('..2', path.join(folder, '..new'))
    renameSync(path.join(folder, '..new'), path.join(folder, '..data'))
  })
  assert.deepEqual([said['by'], said['changed']], ['file', ['rdt.scope']])
})

test('the catalogue is watched too, also one that a reload names; a file that is gone changes nothing', async (t) => {
  const shipped = readFileSync(path.join(import.meta.dirname, '../../config/restricted-operations.yaml'), 'utf8')
  const folder = folderFor(t)
  const catalogue = path.join(folder, 'catalogue.yaml')
  const row = '\nnew-v1.getThing: { method: GET, path: "/new/v1/things/{thingId}" }\n'
  writeFileSync(catalogue, shipped)
  const one = await reloading(t, '{}')
  await one.after(() => writeFileSync(one.file, `operationsFile: ${catalogue}`))
  const said = await one.after(() => writeFileSync(catalogue, shipped + row))
  assert.deepEqual(said['changed'], ['operations'])
  assert.equal(await one.verdict('/new/v1/things/1'), 'minted')
  const gone = await one.after(() => rmSync(catalogue))
  assert.match(String(gone['problems']), /catalogue\.yaml: cannot be read \(ENOENT\)/)
  assert.equal(await one.verdict('/new/v1/things/2'), 'hit')
})
