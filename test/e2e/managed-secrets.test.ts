/**
 * Secrets of managed sellers are in no output. Canaries that do not look like Amazon's: what the redactor would take out of a line
 * must not get there in the first place.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { request } from 'node:https'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { loadConfig } from '../../src/config/load.ts'
import { selfSigned, noOpenssl as skip } from '../support/certificates.ts'
import { FREE, folderFor, printed, run, servingWith, start } from '../support/cli.ts'
import { serveHttp } from '../support/listen.ts'
import { CALLER_TOKEN, CLIENT_ID, startManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'

const SECRET = 'plain-CANARYSECRET'
const REFRESH = 'plain-CANARYREFRESH'
const CALLER = 'plain-CANARYCALLER'
const SECRETS = /CANARY|caller-token-of-the-test/
assert.match(CALLER_TOKEN, SECRETS)

const ORDER = '/orders/v0/orders/1'
const OPEN = '/sellers/v1/marketplaceParticipations'
const MINT = '/tokens/2021-03-01/restrictedDataToken'
const ADMIN_PAGES = ['/', '/metrics', '/status', '/readyz', '/livez', `/explain?method=GET&path=${ORDER}`]

type Answer = (form: string, res: ServerResponse) => void

const echo =
  (status: number, error?: string): Answer =>
  (form, res) => {
    const body = { error, error_description: form, message: form, errors: [{ code: form, message: form }] }
    res.writeHead(status, `${status === 200 ? 'OK' : encodeURIComponent(form).slice(0, 80)}`, {
      location: `http://127.0.0.1:1/?${form}`,
      'x-amzn-requestid': form,
      'content-type': 'application/json',
    })
    res.end(JSON.stringify(body))
  }
const tokens: Answer = (_form, res) => {
  res.end(JSON.stringify({ access_token: 'plain-CANARYACCESS', token_type: 'bearer', expires_in: 3600 }))
}

/** An Amazon whose Login answers as told, and says back all that it was told. */
const talkativeAmazon = async (t: TestContext, lwa: Answer) => {
  const asked: string[] = []
  const seen: string[] = []
  const url = await serveHttp(t, async (req: IncomingMessage, res) => {
    const body = Buffer.concat(await req.toArray()).toString()
    const isMint = req.url === MINT
    if (req.url === '/auth/o2/token') {
      asked.push(body)
      return lwa(body, res)
    }
    seen.push(String(req.headers['x-amz-access-token']))
    if (isMint) return void res.end('{"restrictedDataToken":"plain-CANARYRDT","expiresIn":3600}')
    res.end('{"payload":{}}')
  })
  return { url, asked, seen }
}

const seller = (folder: string) => {
  const file = (name: string): string => path.join(folder, name)
  const write = (name: string, text: string): void => writeFileSync(file(name), text, { mode: 0o600 })
  write('client-secret', SECRET)
  write('refresh-token', REFRESH)
  const row = { id: 'seller-a', clientId: CLIENT_ID }
  return {
    write,
    row: { ...row, clientSecretFile: file('client-secret'), refreshTokenFile: file('refresh-token') },
  }
}

const LOGINS: Readonly<Record<string, Answer>> = {
  success: tokens,
  invalid_client: echo(401, 'invalid_client'),
  invalid_grant: echo(400, 'invalid_grant'),
  unauthorized_client: echo(400, 'unauthorized_client'),
  'an error that is none': echo(400, SECRET),
  'a redirect': echo(302),
  'a 200 without a token': echo(200),
  'a 429': echo(429),
  'a 500': echo(500),
  'a token that cannot be sent': (_form, res) => res.end(JSON.stringify({ access_token: `${SECRET}\n${SECRET}` })),
  'no JSON': (form, res) => res.end(form),
  'no answer': (_form, res) => void res.socket?.destroy(),
  'half an answer': (form, res) => {
    res.writeHead(200, { 'content-length': 10_000 })
    res.write(form, () => res.socket?.destroy())
  },
}

for (const [what, login] of Object.entries(LOGINS)) {
  test(`no secret in any output, whatever Login with Amazon answers: ${what}`, async (t) => {
    const amazon = await talkativeAmazon(t, login)
    const pair = await startManaged(t, {
      endpoint: amazon.url,
      rows: { 'seller-a': seller(folderFor(t)).row },
      env: { SIDECAR_LWA_ENDPOINT: `${amazon.url}/auth/o2/token` },
    })
    const outputs: string[] = []
    const keep = async (answer: Promise<Response>, body = true): Promise<number> => {
      const { status, statusText, headers } = await answer
      outputs.push(statusText, inspect([...headers]))
      const text = await (await answer).text()
      if (body) outputs.push(text)
      return status
    }
    const body = JSON.stringify({ restrictedResources: [{ method: 'GET', path: ORDER }] })
    const good = [await keep(pair.ask(ORDER)), await keep(pair.ask(ORDER)), await keep(pair.ask(OPEN))]
    good.push(await keep(pair.ask(MINT, undefined, { method: 'POST', body }), false)) // what is handed out is the answer
    const as = (headers: Record<string, string>) => keep(pair.call(ORDER, undefined, { headers }))
    const bad = [
      await as({ 'x-rdt-caller-token': `${CALLER_TOKEN}x` }),
      await as({ 'x-rdt-caller-token': CALLER_TOKEN, 'x-rdt-seller': 'nobody' }),
      await as({ 'x-rdt-caller-token': CALLER_TOKEN, 'x-rdt-seller': `${SECRET} ${REFRESH}` }),
      await as({ 'x-rdt-caller-token': CALLER_TOKEN, 'x-rdt-scope': SECRET }),
      await as({ 'x-rdt-caller-token': CALLER_TOKEN, 'x-forwarded-for': SECRET }),
      await as({ 'x-rdt-caller-token': CALLER_TOKEN, 'x-rdt-seller': 'seller-a', 'x-amz-access-token': SECRET }),
      await keep(pair.call(`${ORDER}%2F${SECRET}?${SECRET}`, undefined, { headers: {} })),
    ]
    assert.deepEqual(bad, [403, 403, 400, 400, 400, 400, 400])
    for (const status of good) assert.equal(status === 200, what === 'success', String(status))
    assert.ok(amazon.asked.every((form) => form.includes(SECRET) && form.includes(REFRESH)) && amazon.asked.length > 0)
    if (what === 'success') assert.deepEqual(new Set(amazon.seen), new Set(['plain-CANARYACCESS', 'plain-CANARYRDT']))
    for (const page of ADMIN_PAGES) outputs.push(await (await fetch(pair.admin + page)).text())
    outputs.push(await (await fetch(`${pair.admin}/flush`, { method: 'POST' })).text())
    await pair.close()
    assert.ok(pair.lines.some((line) => line.includes('"access-token"')))
    for (const text of [...outputs, ...pair.lines]) assert.doesNotMatch(text, SECRETS)
  })
}

test('a bug whose message quotes a secret is told by its place', async (t) => {
  const amazon = await talkativeAmazon(t, tokens)
  const pair = await startManaged(t, {
    endpoint: amazon.url,
    rows: { 'seller-a': seller(folderFor(t)).row },
    env: { SIDECAR_LWA_ENDPOINT: `${amazon.url}/auth/o2/token` },
    overrides: {
      random: () => {
        throw Object.assign(new TypeError(`received '${amazon.asked.at(-1)}'\n${SECRET}\n    at ${SECRET}`), {
          code: 'ERR_X',
          SECRET,
        })
      },
    },
  })
  const answer = await pair.ask(OPEN)
  assert.deepEqual([answer.status, answer.headers.get('x-rdt-error')], [500, 'internal'])
  assert.doesNotMatch(await answer.text(), SECRETS)
  await pair.close()
  const bug = pair.lines.map((line) => JSON.parse(line)).find(({ msg }) => /^a bug/.test(msg))
  assert.match(bug.stack, /^TypeError \(ERR_X\)\n +at .*managed-secrets\.test\.ts/)
  for (const line of pair.lines) assert.doesNotMatch(line, SECRETS)
})

test('a process that crashes tells the place too', async (t) => {
  const file = path.join(folderFor(t), 'crash.mjs')
  const crash = 'Object.assign(new Error(process.env.CANARY), { secret: process.env.CANARY })'
  for (const [how, code] of [
    ['throws', `throw ${crash}`],
    ['rejects', `Promise.reject(${crash})`],
    ['throws no error', 'throw process.env.CANARY'],
  ] as const) {
    writeFileSync(file, `process.on('SIGUSR2', () => { ${code} })`)
    const sidecar = start(t, ['serve'], { ...FREE, CANARY: SECRET }, ['--import', file])
    await printed(sidecar, /"msg":"serving"/)
    sidecar.child.kill('SIGUSR2')
    const { code: exit, out, err } = await sidecar.finished
    assert.equal(exit, 1, how)
    assert.match(err, /^a bug: (Error \(UNKNOWN\)\n +at .*crash\.mjs|string thrown)/, how)
    assert.doesNotMatch(out + err, SECRETS, how)
  }
})

test('serve does not start where Node itself would print the headers of what it sends', async (t) => {
  for (const sections of ['https', 'timer,HTTP', 'net', 'tls', '*', 'ht*']) {
    const { code, out, err } = await run(t, ['serve'], { ...FREE, NODE_DEBUG: sections })
    assert.deepEqual([code, out], [2, ''], sections)
    assert.match(err, /^NODE_DEBUG: Node would print tokens that are sent; take http, https, [^\n]+$/m, sections)
  }
  const sidecar = await servingWith(t, { ...FREE, NODE_DEBUG: 'undici' })
  assert.equal((await fetch(`${sidecar.admin}/readyz`)).status, 200)
})

test('a serving process says none, whatever becomes of its files', { skip }, async (t) => {
  const folder = folderFor(t)
  const { write, row } = seller(folder)
  const file = (name: string): string => path.join(folder, name)
  const { certFile, keyFile, key: pem } = selfSigned(folder, 'localhost')
  const [, keyLine = 'none'] = pem.split('\n')
  const amazon = await talkativeAmazon(t, (form, res) =>
    /REFUSED/.test(form) ? echo(401, 'invalid_client')(form, res) : tokens(form, res),
  )
  write('caller-token', CALLER)
  const configuration = (more: object = {}) =>
    JSON.stringify({
      endpoint: amazon.url,
      lwa: { endpoint: `${amazon.url}/auth/o2/token` },
      log: { level: 'debug' },
      tls: { certFile, keyFile },
      auth: { callerTokenFile: file('caller-token') },
      sellers: [row],
      ...more,
    })
  write('sidecar.yaml', configuration())
  const sidecar = await servingWith(t, FREE, ['--config', file('sidecar.yaml')])
  const outputs: string[] = []
  const ask = async (target: string, callerToken = CALLER): Promise<number> => {
    const headers = { 'x-rdt-caller-token': callerToken }
    const req = request(sidecar.base.replace('http:', 'https:') + target, {
      headers,
      ca: readFileSync(certFile),
      servername: 'localhost',
      agent: false,
    }).end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    outputs.push(inspect(res.rawHeaders), Buffer.concat(await res.toArray()).toString())
    return res.statusCode ?? 0
  }
  /** Changes files and resolves when what comes of it is in the log. */
  const said = async (pattern: RegExp, change: () => void): Promise<void> => {
    const before = sidecar.out().length
    change()
    sidecar.child.kill('SIGHUP')
    await until(() => pattern.test(sidecar.out().slice(before)))
  }
  assert.deepEqual([await ask(ORDER), await ask(OPEN), await ask(OPEN, `${CALLER}x`)], [200, 200, 403])
  await said(/are used"/, () => write('client-secret', `${SECRET}-REFUSED`))
  await said(/have taken the place/, () => write('client-secret', `${SECRET}2`))
  await said(/another refresh token/, () => write('refresh-token', `${REFRESH}2`))
  assert.equal(await ask(ORDER), 200)
  const broken: readonly (readonly [name: string, text: string])[] = [
    ['client-secret', ''],
    ['client-secret', `${SECRET}\n${SECRET}`],
    ['refresh-token', `${REFRESH} ${REFRESH}`],
    ['refresh-token', `${REFRESH}\xff`],
    ['caller-token', `${CALLER}1\n${CALLER}2\n${CALLER}3`],
    [path.basename(keyFile), pem.replace('BEGIN', 'BEGUN')],
    [path.basename(keyFile), pem.split('\n').slice(0, 2).join('\n')],
    [path.basename(certFile), pem],
    ['sidecar.yaml', configuration({ sellers: [{ ...row, clientSecret: SECRET }] })],
    ['sidecar.yaml', configuration({ sellers: [{ ...row, clientSecretFile: SECRET }] })],
    ['sidecar.yaml', configuration({ auth: { callerTokenFile: CALLER } })],
    ['sidecar.yaml', configuration({ tls: { certFile, keyFile: pem } })],
    ['sidecar.yaml', `clientSecret: *${SECRET}`],
    ['sidecar.yaml', `# ${SECRET}\nclientSecret: !${SECRET} "${SECRET}`],
    ['sidecar.yaml', SECRET],
  ]
  for (const [name, text] of broken) {
    const good = readFileSync(file(name), 'latin1')
    await said(/configuration not reloaded/, () => write(name, text))
    await said(/configuration reloaded/, () => write(name, good))
    assert.equal(await ask(OPEN), 200, text)
  }
  for (const page of ADMIN_PAGES) outputs.push(await (await fetch(sidecar.admin + page)).text())
  outputs.push(readFileSync(`/proc/${sidecar.child.pid}/cmdline`, 'latin1'))
  sidecar.child.kill('SIGTERM')
  const { code, out, err } = await sidecar.finished
  assert.deepEqual([code, err], [0, ''])
  for (const text of [out, ...outputs]) {
    assert.doesNotMatch(text, SECRETS)
    assert.ok(!text.includes(keyLine))
  }
})

test('a secret in the wrong place of a configuration is not told', async (t) => {
  const folder = folderFor(t)
  const { row } = seller(folder)
  const auth = { callerTokenFile: path.join(folder, 'client-secret') }
  const withSeller = (more: object) => ({ auth, sellers: [{ ...row, ...more }] })
  const withAuth = (more: object) => ({ auth: more, sellers: [row] })
  const pem = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`
  const wrong: readonly (object | string)[] = [
    ...[{ clientSecret: SECRET }, { refreshToken: REFRESH }, { clientSecretFile: SECRET }].map(withSeller),
    ...[{ refreshTokenFile: `${REFRESH}\0` }, { clientId: SECRET }, { endpoint: SECRET }].map(withSeller),
    ...[{ id: `${SECRET} x` }, { default: SECRET }, { scope: SECRET }, { dataElements: [SECRET] }].map(withSeller),
    ...[{ clientSecretFile: [SECRET] }, { clientSecretFile: `./${SECRET}/${'x'.repeat(5000)}` }].map(withSeller),
    ...[{ callerTokenFile: CALLER }, { callerToken: CALLER }, { callers: CALLER }, { callers: [CALLER] }].map(withAuth),
    ...[{ callers: [{ name: 'a', tokenFile: CALLER }] }, { callers: [{ name: 'a', token: CALLER }] }].map(withAuth),
    ...[
      { ...auth, hosts: [`${CALLER} x`] },
      { ...auth, createCallerTokenFile: CALLER },
    ].map(withAuth),
    { tls: { certFile: pem, keyFile: pem } },
    { tls: { certFile: null, keyFile: SECRET } },
    { lwa: { endpoint: `https://shop:${SECRET}@api.amazon.com/` } },
    { lwa: { endpoint: SECRET } },
    { endpoint: `https://shop:${SECRET}@api.amazon.com/` },
    { rdt: { targetApplication: SECRET } },
    { sellers: SECRET },
    { sellers: [SECRET] },
    { sellers: { shop: SECRET } },
    { auth: SECRET },
    SECRET,
    `clientSecret: *${SECRET}`,
    `clientSecret: | ${SECRET}`,
    `clientSecret: "${SECRET}`,
    `clientSecret: !${SECRET}!`,
    `clientSecret: !<${SECRET}> x`,
    'clientSecret: "\\U-CANARY-"',
    `%YAML ${SECRET}\n---\nsellers: null`,
    `sellers: [{ clientSecret: ${SECRET}`,
    `sellers:\n  - clientSecret: !${SECRET} x\n    clientSecret ${SECRET}`,
  ]
  const file = path.join(folder, 'sidecar.yaml')
  for (const one of wrong) {
    writeFileSync(file, typeof one === 'string' ? one : JSON.stringify(one))
    const { ok, warnings, ...loaded } = loadConfig(file, {})
    assert.equal(ok, false, inspect(one))
    assert.doesNotMatch(inspect([warnings, 'problems' in loaded && loaded.problems], { depth: null }), SECRETS)
  }
  const variables = {
    SIDECAR_SELLERS: JSON.stringify([{ id: 'shop', clientId: CLIENT_ID, clientSecret: SECRET }]),
    SIDECAR_SELLERS_SHOP_CLIENT_SECRET: `${SECRET} ${SECRET}`,
    SIDECAR_SELLERS_SHOP_REFRESH_TOKEN: `${REFRESH}\n${REFRESH}`,
    SIDECAR_SELLERS_SHP_REFRESH_TOKEN: REFRESH,
    SIDECAR_AUTH_CALLER_TOKEN: CALLER,
    SIDECAR_AUTH_CALLER_TOKEN_FILE: `*${CALLER}`,
    SIDECAR_TLS_KEY_FILE: pem,
  }
  for (const args of [
    ['serve'],
    ['check-config'],
    ['print-config'],
    ['explain', 'GET', ORDER],
    ['wait', '--timeout', '1s'],
  ]) {
    const { code, out, err } = await run(t, args, { ...FREE, ...variables })
    assert.ok(code === 2 || args[0] === 'wait', `${args}: ${code}`)
    assert.doesNotMatch(out + err, SECRETS, args.join(' '))
  }
})

test('a good configuration is printed, checked and explained without them', async (t) => {
  const folder = folderFor(t)
  const { row, write } = seller(folder)
  write('caller-token', CALLER)
  const env = {
    SIDECAR_SELLERS: JSON.stringify([row, { id: 'shop', clientId: CLIENT_ID }]),
    SIDECAR_SELLERS_SHOP_CLIENT_SECRET: SECRET,
    SIDECAR_SELLERS_SHOP_REFRESH_TOKEN: REFRESH,
    SIDECAR_AUTH_CALLER_TOKEN_FILE: path.join(folder, 'caller-token'),
  }
  for (const args of [
    ['print-config'],
    ['check-config'],
    ['explain', 'GET', ORDER],
    ['explain', 'GET', ORDER, '--json'],
  ]) {
    const { code, out, err } = await run(t, args, env)
    assert.deepEqual([code, err], [0, ''])
    assert.doesNotMatch(out, SECRETS)
  }
})
