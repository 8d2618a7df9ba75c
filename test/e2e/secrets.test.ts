import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLogger, redact } from '../../src/telemetry/logger.ts'
import { serveHttp } from '../support/listen.ts'
import { startPair } from '../support/pair.ts'

const LWA = `Atza|CANARYLWA${'a'.repeat(300)}`
const RDT = `Atz.sprdt|CANARYRDT${'b'.repeat(400)}`
const CANARIES = /CANARY(LWA|RDT|ORDER|QUERY|BODY|NAME)/

/** An Amazon that mints the canary RDT, and whose every second word is a canary too. */
const talkativeAmazon = async (t: TestContext): Promise<{ url: string; setStatus: (status: number) => void }> => {
  let mintStatus = 200
  const url = await serveHttp(t, (req, res) => {
    req.resume()
    const isMint = req.url === '/tokens/2021-03-01/restrictedDataToken'
    if (req.url?.includes('reset')) return void req.socket.destroy()
    res.writeHead(isMint ? mintStatus : 200, { 'content-type': 'application/json' })
    if (!isMint) return void res.end('{"payload":{"Name":"CANARYNAME"}}')
    const error = { errors: [{ code: 'InvalidInput', message: 'Could not match input arguments', details: '' }] }
    res.end(JSON.stringify(mintStatus === 200 ? { restrictedDataToken: RDT, expiresIn: 3600 } : error))
  })
  return {
    url,
    setStatus: (status) => {
      mintStatus = status
    },
  }
}

test('no token, id, query or body in any output, whatever happens', async (t) => {
  const amazon = await talkativeAmazon(t)
  const pair = await startPair(t, {
    endpoint: amazon.url,
    env: { SIDECAR_RDT_SCOPE: 'specific', SIDECAR_LIMITS_BODY_BYTES: '100' },
  })
  const outputs: string[] = []
  const call = async (target: string, init: RequestInit = {}): Promise<number> => {
    const answer = await pair.call(target, LWA, init)
    outputs.push(JSON.stringify([...answer.headers]), (await answer.text()).replace(/CANARY(NAME|ORDER)/g, '')) // the caller's own
    return answer.status
  }
  const post = (bytes: number): RequestInit => ({ method: 'POST', body: 'CANARYBODY'.padEnd(bytes) })
  assert.equal(await call('/orders/v0/orders/CANARYORDER/address?email=CANARYQUERY'), 200)
  assert.equal(await call('/orders/v0/orders/CANARYORDER/address'), 200)
  assert.equal(await call('/sellers/v1/CANARYORDER?email=CANARYQUERY'), 200)
  assert.equal(await call('/mfn/v0/shipments', post(50)), 200)
  assert.equal(await call('/mfn/v0/shipments', post(500)), 413)
  assert.equal(await call('/orders/v0/orders/CANARYORDER%2Faddress?x=CANARYQUERY'), 400)
  assert.equal(await call('/orders/v0/orders/1', { headers: { 'x-rdt-scope': 'CANARYQUERY' } }), 400)
  assert.equal(await call('/sellers/v1/reset/CANARYORDER?x=CANARYQUERY'), 502)
  for (const status of [400, 403, 500]) {
    amazon.setStatus(status)
    assert.ok((await call('/orders/v0/orders/CANARYORDER?x=CANARYQUERY')) >= 400)
  }
  for (const page of ['/metrics', '/status', '/readyz', '/livez', '/nothing?CANARYQUERY']) {
    outputs.push(await (await fetch(pair.admin + page)).text())
  }
  await pair.close()
  assert.ok(pair.lines.length >= 11)
  for (const text of [...outputs, ...pair.lines]) assert.doesNotMatch(text, CANARIES)
  for (const line of pair.lines) assert.doesNotMatch(line, /\/orders|\/sellers|\?/)
})

test('nor where callers mint for themselves, where a token is replaced, or where reports are read along', async (t) => {
  let refusing = false
  const url = await serveHttp(t, (req, res) => {
    req.resume()
    const isMint = req.url === '/tokens/2021-03-01/restrictedDataToken'
    const error = (details: string) =>
      JSON.stringify({ errors: [{ code: 'Unauthorized', message: `no CANARYNAME`, details }] })
    if (isMint && refusing) return void res.writeHead(400).end(error('CANARYNAME'))
    if (isMint) return void res.end(JSON.stringify({ restrictedDataToken: RDT, expiresIn: 3600 }))
    if (req.url?.includes('expired')) return void res.writeHead(403).end(error('CANARYNAME has expired'))
    res.end(JSON.stringify({ reportType: 'CANARYNAME', reportDocumentId: 'CANARYORDER' }))
  })
  const pair = await startPair(t, { endpoint: url, env: { SIDECAR_RDT_SCOPE: 'specific' } })
  const mint = (path: string) =>
    pair.call('/tokens/2021-03-01/restrictedDataToken', LWA, {
      method: 'POST',
      body: JSON.stringify({ restrictedResources: [{ method: 'GET', path }], targetApplication: 'amzn1.CANARYNAME' }),
    })
  const statuses = [
    await mint('/orders/v0/orders/CANARYORDER/address'),
    await pair.call('/orders/v0/orders/expired-CANARYORDER/address', LWA),
    await pair.call('/reports/2021-06-30/reports/CANARYORDER', LWA),
    await pair.call('/reports/2021-06-30/documents/CANARYORDER', LWA, {
      headers: { 'x-rdt-report-type': 'CANARYNAME' },
    }),
  ].map(({ status }) => status)
  refusing = true
  statuses.push((await mint('/orders/v0/orders/CANARYORDER')).status)
  assert.deepEqual(statuses, [200, 403, 200, 200, 400])
  for (const page of ['/metrics', '/status']) {
    assert.doesNotMatch(await (await fetch(pair.admin + page)).text(), CANARIES)
  }
  await pair.close()
  assert.ok(pair.lines.length >= 9)
  for (const line of pair.lines) assert.doesNotMatch(line, CANARIES)
})

test('an error that quotes a token reaches the log without it', async (t) => {
  const broken = (() => {
    throw Object.assign(new Error(`bad header ${LWA}`), { cause: { code: `E ${RDT}` } })
  }) as unknown as typeof fetch
  const pair = await startPair(t, { overrides: { fetch: broken } })
  const answer = await pair.call('/orders/v0/orders/1', LWA)
  assert.equal(answer.status, 503)
  assert.doesNotMatch(await answer.text(), CANARIES)
  await pair.close()
  for (const line of pair.lines) assert.doesNotMatch(line, CANARIES)
})

test('the redactor takes out whatever looks like a secret of Amazon', () => {
  const secrets = [LWA, RDT, 'Atzr|IwEBICANARY', 'amzn1.oa2-cs.v1.CANARY0123']
  for (const secret of secrets)
    for (const before of ['x ', '\n', '\t', 'x', '"', 'token=']) {
      const line = JSON.stringify({ msg: `${before}${secret}`, a: 1 })
      assert.equal(redact(line), JSON.stringify({ msg: `${before}[redacted]`, a: 1 }))
    }
  assert.equal(redact('/x?t=Atza%7CCANARY&y'), '/x?t=[redacted]')
})

test('it sits on the stream itself: log and audit lines alike', () => {
  const lines: string[] = []
  const logger = createLogger({ level: 'info', audit: true }, { write: (line) => void lines.push(line) })
  logger.info({ a: LWA }, `b ${RDT}`)
  logger.audit('mint', { code: LWA, nested: { resources: [RDT] } })
  assert.equal(lines.length, 2)
  for (const line of lines) {
    assert.doesNotMatch(line, CANARIES)
    assert.match(line, /\[redacted\].*\[redacted\]/)
  }
})
