import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { folderFor } from '../support/cli.ts'
import { freePort, serveHttp } from '../support/listen.ts'
import { needs } from '../support/tools.ts'
import { nameOf, packages, ROOT, shipped } from './lock.ts'

// A real npm, and a registry that knows of the vulnerabilities that a test wants it to.

const BULK = '/-/npm/v1/security/advisories/bulk'

type Result = { readonly code: unknown; readonly out: string }

/** `npm run audit` against this registry, with nothing that another test has cached. */
const audit = (t: TestContext, registry: string, env: Readonly<Record<string, string>> = {}): Promise<Result> => {
  const npmSettings = { npm_config_registry: registry, npm_config_cache: folderFor(t), npm_config_fetch_retries: '0' }
  const options = { cwd: ROOT, env: { ...process.env, AUDIT_REQUIRED: '', ...npmSettings, ...env } }
  return new Promise((resolve) => {
    const program = path.join(import.meta.dirname, 'audit.ts')
    execFile(process.execPath, [program], options, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out: `${out}${err}` }),
    )
  })
}

type Asked = Readonly<Record<string, readonly string[]>>

/** A registry whose audit knows something of these packages, each with its severity; what it was asked is kept. */
const registryKnowing = async (t: TestContext, severities: Readonly<Record<string, string>>) => {
  const asked: Asked[] = []
  const answer: RequestListener = async (req, res) => {
    if (req.url !== BULK) return res.writeHead(404).end('{}')
    const body = await buffer(req)
    const installed: Asked = JSON.parse(String(req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body))
    asked.push(installed)
    const known = Object.entries(severities).filter(([name]) => installed[name])
    const advisories = known.map(([name, severity], id) => [
      name,
      [
        {
          id,
          severity,
          title: `a hole in ${name}`,
          url: `https://advisories.example/${name}`,
          vulnerable_versions: '*',
        },
      ],
    ])
    return res.setHeader('content-type', 'application/json').end(JSON.stringify(Object.fromEntries(advisories)))
  }
  return { registry: await serveHttp(t, answer), asked }
}

const linesOf = (found: readonly (readonly [string, { readonly version: string }])[]): readonly string[] =>
  [...new Set(found.map(([place, { version }]) => `${nameOf(place)}@${version}`))].sort()

const WITHOUT_AUDIT: Readonly<Record<string, (t: TestContext) => Promise<string>>> = {
  'a registry that offers no audit': (t) => serveHttp(t, (_, res) => res.writeHead(405, { allow: 'GET, HEAD' }).end()),
  'a registry that answers with a page': (t) => serveHttp(t, (_, res) => res.end('<html>sign in</html>')),
  'a registry that nobody answers at': async () => `http://127.0.0.1:${await freePort()}`,
}

describe('npm run audit', { skip: needs('npm'), concurrency: 3 }, () => {
  test('where nothing is known that is said of both, with exit code 0; every package was asked about', async (t) => {
    const { registry, asked } = await registryKnowing(t, {})
    const { code, out } = await audit(t, registry)
    const said = [...out.matchAll(/^npm audit: (.*) \((.*)\): nothing known$/gm)]
    const both = ['what ships', 'all, tools of development included']
    assert.deepEqual([code, said.map(([, what]) => what)], [0, both], out)
    const page = readFileSync(path.join(ROOT, 'docs/SECURITY.md'), 'utf8')
    for (const [, , levels = '?'] of said) assert.ok(page.includes(`npm audit ${levels}`), levels)

    const questions = asked.map((one) =>
      Object.entries(one)
        .flatMap(([name, versions]) => versions.map((version) => `${name}@${version}`))
        .sort(),
    )
    assert.deepEqual(questions, [linesOf(shipped), linesOf(packages)])
  })

  test('a finding of any level in what ships fails, and is named with its advisory', async (t) => {
    const { registry } = await registryKnowing(t, { qs: 'low' }) // tools of development use it too
    const { code, out } = await audit(t, registry)
    assert.equal(code, 1, out)
    assert.match(out, /^npm audit: what ships \(.*\): findings: \d/m)
    assert.ok(out.includes('  qs *, low: a hole in qs, https://advisories.example/qs\n'), out)
  })

  for (const [severity, expected] of Object.entries({ moderate: 0, high: 1 }))
    test(`a finding in a tool of development: ${severity}, exit code ${expected}`, async (t) => {
      const { registry } = await registryKnowing(t, { supertest: severity })
      const { code, out } = await audit(t, registry)
      assert.equal(code, expected, out)
      assert.match(out, /^npm audit: what ships \(.*\): nothing known$/m)
      assert.equal(out.includes('  supertest *, high: a hole in supertest'), expected === 1, out)
    })

  for (const [what, registryFor] of Object.entries(WITHOUT_AUDIT))
    test(`${what}: passes, but is not said to be clean`, async (t) => {
      const registry = await registryFor(t)
      const { code, out } = await audit(t, registry)
      assert.equal(code, 0, out)
      assert.match(out, /^npm audit: NOTHING WAS CHECKED: .*\n$/)
      assert.ok(out.includes(registry), out)
    })

  test('where an audit is required, a registry that offers none fails', async (t) => {
    const registry = await serveHttp(t, (_, res) => res.writeHead(405).end())
    const { code, out } = await audit(t, registry, { AUDIT_REQUIRED: 'true' })
    assert.equal(code, 1, out)
    assert.match(out, /NOTHING WAS CHECKED/)
  })

  test('an npm that fails by itself is not taken for a registry without an audit', async (t) => {
    const registry = await serveHttp(t, (_, res) => res.end('{}'))
    const { code, out } = await audit(t, registry, { npm_config_global: 'true' })
    assert.equal(code, 1)
    assert.doesNotMatch(out, /NOTHING WAS CHECKED|nothing known/)
    assert.match(out, /npm audit .* failed/)
  })
})
