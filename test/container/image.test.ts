import assert from 'node:assert/strict'
import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { PAGE_PATHS } from '../../src/admin/page.ts'
import { listen } from '../support/listen.ts'
import { until } from '../support/many.ts'
import { buildImage, type Image } from './build.ts'
import { cannotBuild } from './machine.ts'
import { type Container, memoryLimit, type RunOptions, runImage } from './run.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const MB = 1024 * 1024
const ARGS = { REVISION: 'abc1234', CREATED: '2026-01-02T03:04:05Z', SOURCE: 'https://git.example.com/rdt-sidecar' }

describe('the image', { skip: cannotBuild() }, () => {
  let image: Image
  before(() => {
    image = buildImage(ROOT, ARGS)
  })
  after(() => image?.remove())

  const run = (t: TestContext, options: RunOptions): Container => {
    const container = runImage(image, options)
    t.after(() => container.remove())
    return container
  }
  const under = (folder: string): readonly Entry[] => entriesOf(path.join(image.tree, folder))
  const filesUnder = (folder: string): readonly string[] =>
    under(folder)
      .filter(({ stat }) => !stat.isDirectory())
      .map(({ name }) => name)
      .sort()

  test('holds Node, the libraries it links with, the records and licences of their packages, and the program: no shell, no npm', () => {
    const system = filesUnder('').filter((name) => !name.startsWith('app/'))
    const libraries = system.filter((name) => /^(usr\/)?lib(64)?\//.test(name)).map((name) => path.basename(name))
    for (const name of libraries) assert.match(name, /^(ld-linux|lib(atomic|c|dl|gcc_s|m|pthread|rt|stdc\+\+)\.so)/)
    assert.ok(libraries.includes('libc.so.6') && libraries.includes('libstdc++.so.6'))
    const packages = readdirSync(path.join(image.tree, 'var/lib/dpkg/status.d'))
    assert.deepEqual(packages.sort(), ['libc6', 'libgcc-s1', 'libstdc++6'])
    assert.deepEqual(
      system.filter((name) => !libraries.includes(path.basename(name))),
      [
        ...['etc/debian_version', 'etc/nsswitch.conf', 'etc/os-release', 'usr/local/LICENSE', 'usr/local/bin/node'],
        ...packages.map((name) => `usr/share/doc/${name}/copyright`),
        ...packages.map((name) => `var/lib/dpkg/status.d/${name}`),
      ],
    )
  })

  test('holds of the program what was built of the sources, the configuration and the production dependencies', () => {
    assert.deepEqual(readdirSync(path.join(image.tree, 'app')).sort(), [
      ...['LICENSE', 'config', 'dist', 'node_modules', 'package.json'],
    ])
    const sources = entriesOf(path.join(ROOT, 'src')).filter(({ stat }) => stat.isFile())
    assert.deepEqual(filesUnder('app/dist'), sources.map(({ name }) => name.replace(/ts$/, 'js')).sort())
    assert.deepEqual(
      readdirSync(path.join(image.tree, 'app/config')).sort(),
      readdirSync(path.join(ROOT, 'config')).sort(),
    )
    const installed = filesUnder('app/node_modules').filter((name) =>
      /^(.*\/node_modules\/)?(@[^/]+\/)?[^/]+\/package\.json$/.test(name),
    )
    assert.deepEqual(
      installed,
      productionPackages()
        .map((name) => `${name}/package.json`)
        .sort(),
    )
  })

  test('holds no source, test, type or source map of a dependency, and no compiled addon', () => {
    const unwanted = /\.([cm]?ts|map|node)$|(^|\/)tests?\/|(^|\/)\.bin\//
    assert.deepEqual(
      filesUnder('app/node_modules').filter((name) => unwanted.test(name)),
      [],
    )
  })

  test('belongs to root; others read it and write nothing', () => {
    const wrong = under('').filter(({ stat }) => {
      const readable = stat.isDirectory() ? 0o555 : 0o444
      return stat.uid !== 0 || stat.gid !== 0 || (stat.mode & readable) !== readable || (stat.mode & 0o7022) !== 0
    })
    assert.deepEqual(
      wrong.map(({ name }) => name),
      [],
    )
  })

  test('is small', (t) => {
    const bytes = (folder: string) => under(folder).reduce((sum, { stat }) => sum + (stat.isFile() ? stat.size : 0), 0)
    const [app, all] = [bytes('app') / MB, bytes('') / MB]
    t.diagnostic(`/app ${app.toFixed(1)} MB, all ${all.toFixed(1)} MB`)
    assert.ok(app > 1 && app < 10, `/app: ${app} MB`)
    assert.ok(all > 100 && all < 150, `all: ${all} MB`)
  })

  test('says what it is', () => {
    const { version, license, description, name } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    const labels = {
      title: name,
      description,
      licenses: license,
      version,
      revision: ARGS.REVISION,
      created: ARGS.CREATED,
    }
    const base = /^ARG NODE_IMAGE=(.*)$/m.exec(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'))?.[1]
    const expected = { ...labels, source: ARGS.SOURCE, 'base.name': base }
    assert.deepEqual(
      image.labels,
      Object.fromEntries(Object.entries(expected).map(([key, value]) => [`org.opencontainers.image.${key}`, value])),
    )
    assert.deepEqual([image.user, image.ports, image.stopSignal], ['65532:65532', ['8080', '9090'], 'SIGTERM'])
  })

  test('serves, tells its health, and on SIGTERM finishes the call in flight and exits 0; as process 1, without rights, on a read-only root', async (t) => {
    let release = () => {}
    const arrived = Promise.withResolvers<void>()
    const amazon = createServer((_, res) => {
      release = () => res.end('{"payload":[]}')
      arrived.resolve()
    })
    const port = await listen(amazon)
    t.after(() => amazon.close())
    const host = ownLoopback()
    const container = run(t, {
      env: { SIDECAR_HOST: host, SIDECAR_ADMIN_HOST: host, SIDECAR_ENDPOINT: `http://amazon.test:${port}` },
      files: { '/etc/hosts': '127.0.0.1 amazon.test\n' },
    })
    const healthOf = async () => (await container.exec(image.healthcheck)).code
    await until(async () => (await healthOf()) === 0, 30_000)

    const status = readFileSync(`/proc/${await container.pid()}/status`, 'utf8')
    assert.match(status, /^Uid:\t65532\t65532\t65532\t65532\nGid:\t65532\t65532\t65532\t65532$/m)
    assert.match(status, /^NSpid:\t\d+\t1$/m)
    assert.match(status, /^CapInh:\t0+\nCapPrm:\t0+\nCapEff:\t0+$/m)
    assert.match(status, /^NoNewPrivs:\t1$/m)

    const admin = `http://${host}:${image.ports[1]}`
    for (const file of PAGE_PATHS) assert.equal((await fetch(admin + file)).status, 200, file)

    const call = fetch(`http://${host}:${image.ports[0]}/sellers/v1/marketplaceParticipations`)
    await arrived.promise
    await container.kill(image.stopSignal as NodeJS.Signals)
    await until(async () => (await healthOf()) === 1, 30_000)
    assert.equal((await fetch(`${admin}/livez`)).status, 200)
    release()
    assert.equal((await call).status, 200)
    const { code, out, err } = await container.ended
    assert.equal(code, 0, out + err)
  })

  test('serves the demo within 128 MB', async (t) => {
    const limit = memoryLimit(128 * MB)
    t.after(() => limit.remove())
    const { code, out, err } = await run(t, { cmd: ['demo', '--once'], cgroup: limit.join }).ended
    t.diagnostic(`the demo, simulator and all, took ${(limit.peak() / MB).toFixed()} MB`)
    assert.equal(code, 0, out + err)
    assert.match(out, /44 restricted calls, 44 of them with personal data/)
  })

  for (const limitMb of [256, 1024])
    test(`lets the heap grow to half of a limit of ${limitMb} MB`, async (t) => {
      const limit = memoryLimit(limitMb * MB)
      t.after(() => limit.remove())
      const print = ['-p', 'v8.getHeapStatistics().heap_size_limit']
      const { out } = await run(t, { entrypoint: ['node'], cmd: print, cgroup: limit.join }).ended
      const share = Number(out) / (limitMb * MB)
      assert.ok(share >= 0.5 && share < 0.55, `${out} bytes`)
    })

  test('runs as any other user, as OpenShift has it', async (t) => {
    const { code, err } = await run(t, { cmd: ['demo', '--once'], user: '1000650000:0' }).ended
    assert.equal(code, 0, err)
  })

  test('reads a mounted configuration', async (t) => {
    const at = '/etc/rdt-sidecar/config.yaml'
    const options = { cmd: ['print-config'], env: { SIDECAR_CONFIG: at }, files: { [at]: 'endpoint: fe\n' } }
    const { code, out, err } = await run(t, options).ended
    assert.equal(code, 0, err)
    assert.match(out, /^endpoint: fe$/m)
  })

  test('refuses a wrong configuration with exit code 2', async (t) => {
    const { code, err } = await run(t, { env: { SIDECAR_PROT: '8080' } }).ended
    assert.equal(code, 2)
    assert.match(err, /^SIDECAR_PROT: unknown variable/m)
  })

  /** Names of the packages that the lock file has for production. */
  const productionPackages = (): readonly string[] =>
    Object.entries<{ dev?: boolean }>(JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')).packages)
      .filter(([at, { dev }]) => at !== '' && !dev)
      .map(([at]) => at.replace(/^node_modules\//, ''))
})

type Entry = { readonly name: string; readonly stat: Stats }

const entriesOf = (folder: string): readonly Entry[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => ({
    name,
    stat: statSync(path.join(folder, name)),
  }))

/** An address that no other test listens on, so that the image's own ports can be used. */
const ownLoopback = (): string => `127.77.${process.pid % 250}.${1 + Math.floor(Math.random() * 250)}`
