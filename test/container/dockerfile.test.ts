import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { contextFiles, ignoredBy } from './context.ts'
import { parseDockerfile } from './dockerfile.ts'
import { problemsOf } from './rules.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const text = read('Dockerfile')
const context = contextFiles(ROOT)

test('the Dockerfile keeps to every rule', () => {
  assert.deepEqual(problemsOf(parseDockerfile(text), context), [])
})

const MISTAKES: Readonly<Record<string, readonly [written: string | RegExp, mistake: string, problem: RegExp]>> = {
  'a moving base': [/^ARG NODE_IMAGE=.*/m, 'ARG NODE_IMAGE=node:24-slim', /node:24-slim: not pinned/],
  'a base without a tag': ['FROM scratch', 'FROM gcr.io/distroless/cc-debian12', /cc-debian12: not pinned/],
  'a source that is not there': ['COPY config/', 'COPY settings/', /settings\/ is not in the build context/],
  'a source that only this machine has': ['COPY src/', 'COPY dist/', /dist\/ is not in the build context/],
  'a stage that is not there': ['--from=build', '--from=builder', /no stage builder/],
  'a stage that comes later': [' AS system', ' AS system\nCOPY --from=build /a /a', /no stage build before/],
  ADD: ['COPY LICENSE', 'ADD LICENSE', /ADD/],
  'a script that is downloaded and run': [
    'npm run build',
    'curl -fsS https://example.com | bash',
    /runs what it downloads/,
  ],
  'an install past the lock file': ['npm ci --omit', 'npm install --omit', /npm ci/],
  'an install that runs scripts of packages': ['npm ci --ignore-scripts', 'npm ci', /packages could run scripts/],
  'a secret as a build argument': ['ARG CREATED', 'ARG NPM_TOKEN\nARG CREATED', /NPM_TOKEN/],
  'a secret in the environment': ['ENV PATH', 'ENV CLIENT_SECRET=x PATH', /CLIENT_SECRET/],
  'an entrypoint that needs a shell': [/^ENTRYPOINT .*/m, 'ENTRYPOINT node dist/main.js', /ENTRYPOINT in shell form/],
  'a health check that needs a shell': [
    / CMD \["node".*healthcheck.*/,
    ' CMD node dist/main.js',
    /HEALTHCHECK in shell form/,
  ],
  'no health check': [/^HEALTHCHECK.*/m, '', /no HEALTHCHECK/],
  'a user by name': [/^USER .*/m, 'USER node', /USER node/],
  root: [/^USER .*/m, 'USER 0:0', /USER 0:0/],
  'no user': [/^USER .*/m, '', /USER root/],
}

for (const [mistake, [written, wrong, problem]] of Object.entries(MISTAKES))
  test(`${mistake} is refused`, () => {
    const changed = text.replace(written, wrong)
    assert.notEqual(changed, text)
    const problems = problemsOf(parseDockerfile(changed), context)
    assert.equal(problems.length, 1, problems.join('\n'))
    assert.match(problems[0] ?? '', problem)
  })

test('what the reader of Dockerfiles does not know is an error', () => {
  assert.throws(() => parseDockerfile('FROM scratch\nONBUILD RUN true'), /line 2: ONBUILD/)
  assert.throws(() => parseDockerfile('FROM scratch\nCMD ["a", b]'), SyntaxError)
  assert.throws(() => parseDockerfile('FROM $NOWHERE'), /unknown variable/)
  assert.throws(() => parseDockerfile('FROM scratch\nRUN true \\'), /never ends/)
})

test("the base's Node is the one that the lock file pins", () => {
  const [, tag] = /^ARG NODE_IMAGE=.*:(\d+\.\d+\.\d+)-/m.exec(text) ?? []
  assert.equal(tag, JSON.parse(read('package-lock.json')).packages['node_modules/node'].version)
})

test('the digest of the base can be given from outside', () => {
  const pinned = `node:24.21.0-bookworm-slim@sha256:${'0'.repeat(64)}`
  const dockerfile = parseDockerfile(text, { NODE_IMAGE: pinned })
  assert.deepEqual(new Set(dockerfile.stages.map(({ base }) => base)), new Set([pinned, 'scratch']))
  assert.deepEqual(problemsOf(dockerfile, context), [])
})

test("the version in the labels is the package's", () => {
  assert.equal(/^ARG VERSION=(.*)$/m.exec(text)?.[1], JSON.parse(read('package.json')).version)
})

test('the build context is what the Dockerfile copies and no more', () => {
  const copied = parseDockerfile(text).stages.flatMap(({ instructions }) =>
    instructions
      .filter(({ keyword, flags }) => keyword === 'COPY' && !('from' in flags))
      .flatMap(({ words }) => words.slice(0, -1)),
  )
  const unused = context.filter(
    (file) => !copied.some((source) => file === source || (source.endsWith('/') && file.startsWith(source))),
  )
  assert.deepEqual(unused, [])
})

test('.dockerignore is read as Docker reads it: the last line that fits decides, folders with all they hold', () => {
  const ignored = ignoredBy('# comment\n*\n!src\nsrc/**/*.log\n!a?.txt\n')
  const kept = ['src/main.ts', 'src/cli/serve.ts', 'ab.txt'].filter((file) => !ignored(file))
  assert.deepEqual(kept, ['src/main.ts', 'src/cli/serve.ts', 'ab.txt'])
  for (const file of ['node_modules/x', '.env', 'src/a.log', 'src/cli/b.log', 'abc.txt', 'srcs/a'])
    assert.ok(ignored(file), file)
})
