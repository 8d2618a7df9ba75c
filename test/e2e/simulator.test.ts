/** The simulator as a server: Amazon's edge, failures on purpose, controls, log, tools. Real sockets where it matters. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { Agent, get as httpGet } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import request from 'supertest'
import { createSimulator } from '../../src/simulator/simulator.ts'
import type { ControlPatch, FailureKind } from '../../src/simulator/types.ts'
import { DENIED, errorOf, LWA_PATH, MINT_PATH, ORDER, raw, setUp } from '../support/simulator-client.ts'

/** A listening simulator that is closed when the test ends. */
const listening = async (t: TestContext) => {
  const world = setUp()
  const base = await world.sim.listen()
  t.after(world.sim.close)
  const head = (line: string, ...headers: string[]): string =>
    [`${line} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n')
  const usual = ['Host: simulator', 'User-Agent: test', `x-amz-access-token: ${world.token}`]
  return { ...world, base, head, usual }
}

const statusOf = (answer: string): number => Number(answer.split(' ')[1])

describe("Amazon's edge", () => {
  const HTML = /^HTTP\/1\.1 400 .*content-type: text\/html.*<html>/s

  for (const header of ['Content-Length: 0', 'Content-Length: 2', 'Transfer-Encoding: chunked']) {
    it(`refuses a GET with ${header} with a web page`, async (t) => {
      const { base, head, usual } = await listening(t)
      const body = header.endsWith('2') ? '{}' : header.endsWith('d') ? '0\r\n\r\n' : ''
      assert.match(await raw(base, head(`GET ${ORDER}`, ...usual, header) + body), HTML)
    })
  }

  const odd: readonly [string, string][] = [
    ['two Host headers', ORDER],
    ['broken percent-encoding', '/orders/v0/orders/90%zz'],
    ['a percent sign at the end', '/orders/v0/orders/90%'],
    ['a fragment', `${ORDER}#a`],
    ['a backslash', '/orders/v0\\orders'],
    ['an absolute target', `http://elsewhere.example.com${ORDER}`],
  ]
  for (const [what, target] of odd) {
    it(`refuses ${what} with a web page`, async (t) => {
      const { base, head, usual } = await listening(t)
      const more = what.startsWith('two') ? ['Host: other'] : []
      assert.match(await raw(base, head(`GET ${target}`, ...usual, ...more)), HTML)
    })
  }

  it('refuses a request without a Host header, and what is not HTTP, with a web page', async (t) => {
    const { base, head, usual } = await listening(t)
    assert.match(await raw(base, head(`GET ${ORDER}`, ...usual.slice(1))), HTML)
    const answer = await raw(base, 'no such thing\r\n\r\n')
    assert.match(answer, HTML)
    assert.match(answer, /x-amzn-requestid: [0-9a-f-]{36}/i)
  })

  for (const path of [
    '//orders/v0/orders',
    '/orders//v0/orders',
    '/orders/./v0/orders',
    '/orders/v0/x/../orders',
    '/orders/v0/orders/',
    '/orders/v0/%2e%2E/v0/orders',
  ]) {
    it(`finds nothing at ${path}`, async (t) => {
      const { base, head, usual } = await listening(t)
      assert.equal(statusOf(await raw(base, head(`GET ${path}`, ...usual))), 404)
    })
  }

  it('reads percent-encoded unreserved characters as the characters they are', async (t) => {
    const { sim, base, head, usual } = await listening(t)
    assert.equal(statusOf(await raw(base, head('GET /%6Frders/v0/orders/902%2D1', ...usual))), 200)
    const last = sim.log().at(-1)
    assert.deepEqual([last?.operation, last?.target], ['orders-v0.getOrder', '/%6Frders/v0/orders/902%2D1'])
  })

  it('takes an RDT for a path in any equal spelling', async (t) => {
    const { base, head, usual, rdt } = await listening(t)
    const token = await rdt({ method: 'GET', path: '/orders/v0/orders/902%2D1/address' })
    const headers = [...usual.slice(0, 2), `x-amz-access-token: ${token}`]
    assert.equal(statusOf(await raw(base, head('GET /orders/v0/orders/90%32-1/address', ...headers))), 200)
    assert.equal(statusOf(await raw(base, head('GET /orders/v0/orders/902-2/address', ...headers))), 403)
  })

  for (const [what, agent] of [
    ['no', []],
    ['an empty', ['User-Agent: ']],
    ['an overlong', [`User-Agent: ${'a'.repeat(501)}`]],
  ] as const) {
    it(`refuses ${what} User-Agent, naming it, for calls; mints need none`, async (t) => {
      const { base, head, token } = await listening(t)
      const ask = (line: string) => raw(base, head(line, 'Host: a', `x-amz-access-token: ${token}`, ...agent))
      const answer = await ask(`GET ${ORDER}`)
      assert.equal(statusOf(answer), 400)
      assert.match(answer, /"code":"InvalidInput".*User-Agent/)
      assert.match(await ask(`POST ${MINT_PATH}`), /The body must be a JSON object/)
    })
  }

  it('takes headers of up to 64 KiB', async (t) => {
    const { base, head, usual } = await listening(t)
    assert.equal(statusOf(await raw(base, head(`GET ${ORDER}`, ...usual, `a: ${'b'.repeat(60_000)}`))), 200)
  })

  it('refuses bodies over 10 MiB, and counts them', async () => {
    const { sim, call, token } = setUp()
    const size = 10 * 1024 * 1024 + 1
    const answer = await call(token, 'POST', MINT_PATH).set('Content-Type', 'application/json').send('a'.repeat(size))
    assert.deepEqual([answer.status, sim.log().at(-1)?.bodyBytes], [413, size])
  })
})

describe('connections', () => {
  it('are kept and used again', async (t) => {
    const { base, token } = await listening(t)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const headers = { 'x-amz-access-token': token, 'User-Agent': 'test' }
    const ports = []
    for (let i = 0; i < 2; i += 1) {
      ports.push(
        await new Promise((resolve, reject) => {
          const req = httpGet(base + ORDER, { agent, headers }, (res) => {
            const port = res.socket.localPort
            res.resume().on('end', () => setImmediate(resolve, port))
          })
          req.on('error', reject)
        }),
      )
    }
    assert.equal(ports[0], ports[1])
  })

  it('of callers that leave half-way harm nobody', async (t) => {
    const { base, token, sim } = await listening(t)
    sim.control({ fail: [{ on: 'mint', times: 1, as: 503 }] })
    const leaving = new AbortController()
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode('{"restricted'))
        setImmediate(() => leaving.abort())
      },
    })
    const headers = { 'x-amz-access-token': token }
    const init = { method: 'POST', headers, body, duplex: 'half', signal: leaving.signal } as RequestInit
    await assert.rejects(fetch(base + MINT_PATH, init))
    const answer = await fetch(base + ORDER, { headers })
    assert.equal(answer.status, 200)
    assert.deepEqual([sim.log()[0]?.kind, sim.log()[0]?.status], ['mint', 0])
    const next = await fetch(base + MINT_PATH, { method: 'POST', headers, body: '{}' })
    assert.equal(next.status, 503, 'the failure to come was not spent on who left')
  })

  it('are destroyed by close, hanging ones too', async () => {
    const { sim, token } = setUp()
    const base = await sim.listen()
    sim.control({ fail: [{ on: 'call', times: 1, as: 'hang' }] })
    const hanging = fetch(base + ORDER, { headers: { 'x-amz-access-token': token } })
    hanging.catch(() => undefined)
    while (sim.log().length === 0) await new Promise((resolve) => setImmediate(resolve))
    await sim.close()
    await assert.rejects(hanging)
    await assert.rejects(fetch(base + ORDER))
  })

  it('cannot be had on a port in use: listen says so', async (t) => {
    const { base } = await listening(t)
    await assert.rejects(createSimulator().listen(Number(new URL(base).port)), { code: 'EADDRINUSE' })
  })
})

describe('failures on purpose', () => {
  const statuses = [400, 401, 403, 404, 415, 429, 500, 503] as const
  for (const as of statuses) {
    it(`answer ${as} to a mint and a call in Amazon's shape, and to LWA in OAuth's`, async () => {
      const { sim, call, token } = setUp()
      sim.control({ fail: (['mint', 'call', 'lwa'] as const).map((on) => ({ on, times: 1, as })) })
      for (const answer of [await call(token, 'POST', MINT_PATH, {}), await call(token, 'GET', ORDER)]) {
        assert.equal(answer.status, as)
        assert.deepEqual(Object.keys(answer.body.errors[0]).sort(), ['code', 'details', 'message'])
      }
      const lwa = await call(undefined, 'POST', LWA_PATH)
      assert.equal(lwa.status, as)
      assert.equal(typeof lwa.body.error, 'string')
    })
  }

  const bodies: readonly [FailureKind, string, RegExp][] = [
    ['garbage', 'application/json', /^(?!.*\}$).+/],
    ['html', 'text/html', /^<html>/],
    ['empty', 'application/json', /^\{\}$/],
  ]
  for (const [as, type, body] of bodies) {
    it(`answer 200 and ${as}`, async () => {
      const { sim, call, token } = setUp()
      sim.control({ fail: [{ on: 'mint', times: 1, as }] })
      const buffer = (res: NodeJS.ReadableStream, done: (error: Error | null, body: string) => void) => {
        let text = ''
        res.on('data', (chunk) => {
          text += chunk
        })
        res.on('end', () => done(null, text))
      }
      const answer = await call(token, 'POST', MINT_PATH)
        .buffer(true)
        .parse(buffer as never)
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, type])
      assert.match(String(answer.body), body)
    })
  }

  it('reset the connection before a byte is answered', async (t) => {
    const { sim, base, head, usual } = await listening(t)
    sim.control({ fail: [{ on: 'call', times: 1, as: 'reset' }] })
    await assert.rejects(raw(base, `${head('POST /mfn/v0/shipments', ...usual, 'Content-Length: 2')}{}`), {
      code: 'ECONNRESET',
    })
    const last = sim.log().at(-1)
    assert.deepEqual([last?.status, last?.operation, last?.bodyBytes], [0, 'mfn-v0.createShipment', 2])
  })

  it('cut an answer in the middle of its body', async (t) => {
    const { sim, base, head, usual } = await listening(t)
    const whole = await raw(base, head(`GET ${ORDER}`, ...usual))
    sim.control({ fail: [{ on: 'call', times: 1, as: 'cut' }] })
    const part = await raw(base, head(`GET ${ORDER}`, ...usual))
    const bodyOf = (answer: string): string => answer.split('\r\n\r\n')[1] ?? ''
    assert.equal(bodyOf(part), bodyOf(whole).slice(0, Math.ceil(bodyOf(whole).length / 2)))
    assert.match(part, new RegExp(`content-length: ${bodyOf(whole).length}`, 'i'))
  })

  it('come in the order of the queue, as often as it says, each for its own kind', async () => {
    const { sim, call, mint, token } = setUp()
    sim.control({
      fail: [
        { on: 'call', times: 2, as: 500 },
        { on: 'mint', times: 1, as: 503 },
        { on: 'call', times: 1, as: 429 },
      ],
    })
    const seen = []
    for (let i = 0; i < 4; i += 1) seen.push((await call(token, 'GET', ORDER)).status)
    assert.deepEqual(seen, [500, 500, 429, 200])
    const resources = [{ method: 'GET', path: ORDER }]
    assert.deepEqual([(await mint(resources)).status, (await mint(resources)).status], [503, 200])
  })

  it('are replaced by a new queue', async () => {
    const { sim, call, token } = setUp()
    sim.control({ fail: [{ on: 'call', times: 9, as: 500 }] })
    sim.control({ fail: [] })
    assert.equal((await call(token, 'GET', ORDER)).status, 200)
  })

  it('take nothing from the usage plan', async () => {
    const { sim, mint } = setUp()
    sim.control({ mintBurst: 1, fail: [{ on: 'mint', times: 3, as: 500 }] })
    const seen = []
    for (let i = 0; i < 5; i += 1) seen.push((await mint([{ method: 'GET', path: ORDER }])).status)
    assert.deepEqual(seen, [500, 500, 500, 200, 429])
  })

  it('or plain slowness: a latency holds the answer back', async () => {
    const { sim, call, token } = setUp()
    sim.control({ latencyMs: { call: 60 } })
    const started = performance.now()
    await call(token, 'GET', ORDER)
    assert.ok(performance.now() - started >= 55)
  })
})

describe('controls', () => {
  const invalid: readonly [unknown, RegExp][] = [
    [{ fial: [] }, /patch\.fial is unknown/],
    [{ toString: 1 }, /patch\.toString is unknown/],
    [{ rdtSeconds: 0 }, /patch\.rdtSeconds must be/],
    [{ rdtSeconds: '60' }, /patch\.rdtSeconds must be/],
    [{ mintBurst: 1.5 }, /patch\.mintBurst must be/],
    [{ latencyMs: { mnt: 1 } }, /patch\.latencyMs\.mnt is unknown/],
    [{ fail: {} }, /patch\.fail must be an array/],
    [{ fail: [{ on: 'mint', times: 1, as: 418 }] }, /patch\.fail\[0\]\.as must be/],
    [{ fail: [{ on: 'mint', as: 500 }] }, /patch\.fail\[0\] must have/],
    [{ fail: [{ on: 'mints', times: 1, as: 500 }] }, /patch\.fail\[0\]\.on must be/],
    [{ revoke: 'everything' }, /patch\.revoke must be/],
    [{ clientSecrets: 'simulated-secret' }, /patch\.clientSecrets must be an array/],
    [{ clientSecrets: ['new-secret', ''] }, /patch\.clientSecrets\[1\] must be/],
    [{ revokeRefreshTokens: [1] }, /patch\.revokeRefreshTokens\[0\] must be/],
    [{ denyElements: ['buyerinfo'] }, /patch\.denyElements\[0\] must be/],
    [{ denyOperations: ['getOrder'] }, /patch\.denyOperations\[0\] must be/],
    [{ expiresIn: 5 }, /patch\.expiresIn must be/],
    [{ reset: false }, /patch\.reset must be true/],
    [[], /patch must be an object/],
  ]
  for (const [patch, problem] of invalid) {
    it(`refuse ${JSON.stringify(patch)}, naming what is wrong`, async () => {
      const { sim } = setUp()
      const answer = await request(sim.handle)
        .post('/_simulator/control')
        .send(patch as object)
      assert.equal(answer.status, 400)
      assert.match(answer.body.error, problem)
      assert.throws(() => sim.control(patch as ControlPatch), problem)
    })
  }

  it('refuse what is not JSON', async () => {
    const answer = await request(setUp().sim.handle).post('/_simulator/control').type('text').send('{"rdtS')
    assert.equal(answer.status, 400)
  })

  it('do over HTTP what they do in the process', async () => {
    const { sim, mint } = setUp()
    const answer = await request(sim.handle).post('/_simulator/control').send({ rdtSeconds: 5 })
    assert.equal(answer.status, 200)
    assert.equal((await mint([{ method: 'GET', path: ORDER }])).body.expiresIn, 5)
  })

  it('apply nothing of a patch that is wrong in part', async () => {
    const { sim, mint } = setUp()
    assert.throws(() => sim.control({ rdtSeconds: 5, mintBurst: -1 }))
    assert.equal((await mint([{ method: 'GET', path: ORDER }])).body.expiresIn, 3600)
  })

  it('reset everything before the rest of a patch applies', async () => {
    const { sim, call, mint, token } = setUp()
    sim.control({ rdtSeconds: 5, mintBurst: 1, denyElements: ['buyerInfo'], fail: [{ on: 'call', times: 1, as: 500 }] })
    await mint([{ method: 'GET', path: ORDER }])
    sim.control({ reset: true, rdtSeconds: 7 })
    assert.deepEqual(sim.log(), [])
    const { body } = await mint([{ method: 'GET', path: ORDER, dataElements: ['buyerInfo'] }])
    assert.equal(body.expiresIn, 7)
    assert.equal((await call(token, 'GET', ORDER)).status, 200)
  })
})

describe('the log', () => {
  it('tells what was asked, oldest first', async () => {
    const { sim, call, mint, token, pass } = setUp()
    const body = { restrictedResources: [{ method: 'GET', path: ORDER }] }
    await mint(body.restrictedResources)
    pass(5)
    await call(token, 'GET', `${ORDER}?a=b`)
    const [first, second] = sim.log()
    assert.deepEqual(
      { ...first, headers: {} },
      {
        at: 1_000,
        kind: 'mint',
        method: 'POST',
        target: MINT_PATH,
        status: 200,
        token: 'lwa',
        seller: 'seller-a',
        pii: false,
        mint: body,
        headers: {},
        bodyBytes: JSON.stringify(body).length,
      },
    )
    assert.deepEqual([second?.at, second?.target, second?.operation], [1_005, `${ORDER}?a=b`, 'orders-v0.getOrder'])
  })

  it('keeps mint bodies and operations of requests that failed on purpose', async () => {
    const { sim, call, mint, token } = setUp()
    sim.control({ fail: (['mint', 'call'] as const).map((on) => ({ on, times: 1, as: 500 })) })
    await mint([])
    await call(token, 'GET', ORDER)
    assert.deepEqual(sim.log()[0]?.mint, { restrictedResources: [] })
    assert.equal(sim.log()[1]?.operation, 'orders-v0.getOrder')
  })

  it('shows headers, but no token wherever it was put', async () => {
    const { sim, call, token, rdt } = setUp()
    const held = await rdt({ method: 'GET', path: ORDER })
    await call(token, 'GET', `${ORDER}?token=${encodeURIComponent(held)}&token=${held}`).set({
      Authorization: `Bearer ${token}`,
      Cookie: `a=${token}`,
      'x-rdt-mode': 'auto',
      'x-look-alike': `a ${token}`,
    })
    await call(token, 'POST', MINT_PATH, { restrictedResources: [], note: `"${token}\\` })
    const logged = (await request(sim.handle).get('/_simulator/log')).text
    for (const secret of [token, held]) assert.equal(logged.includes(secret.slice(10, 60)), false)
    const headers = JSON.parse(logged)[1].headers
    assert.deepEqual(
      ['x-amz-access-token', 'authorization', 'cookie', 'x-rdt-mode', 'x-look-alike'].map((name) => headers[name]),
      ['<removed>', '<removed>', '<removed>', 'auto', 'a <removed>'],
    )
    assert.equal('cookie' in JSON.parse(logged)[0].headers, false)
  })

  it('survives a body nested beyond reason', async () => {
    const { sim, call, token } = setUp()
    const deep = call(token, 'POST', MINT_PATH).set('Content-Type', 'application/json')
    assert.equal((await deep.send('['.repeat(100_000) + ']'.repeat(100_000))).status, 400)
    assert.equal((await request(sim.handle).get('/_simulator/log')).status, 200)
  })
})

describe('the tools', () => {
  it('explain themselves in plain text', async () => {
    const answer = await request(setUp().sim.handle).get('/_simulator/')
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain/)
    assert.match(answer.text, /curl .*restrictedDataToken/)
    assert.doesNotMatch(answer.text, /Atza\||sprdt\|/)
  })

  it('stream as many bytes as asked for, always the same ones', async (t) => {
    const { base } = await listening(t)
    const bytes = async (n: number) => Buffer.from(await (await fetch(`${base}/_simulator/bytes/${n}`)).arrayBuffer())
    const [many, again, few] = [await bytes(300_001), await bytes(300_001), await bytes(10)]
    assert.equal(many.length, 300_001)
    assert.ok(many.equals(again))
    assert.ok(many.subarray(0, 10).equals(few))
    assert.ok(new Set(many.subarray(0, 1000)).size > 200)
    assert.equal((await bytes(0)).length, 0)
  })

  it('say a body back while it is still coming', async (t) => {
    const { base, sim } = await listening(t)
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const init = { method: 'POST', headers: { 'content-type': 'text/x-test' }, body: readable, duplex: 'half' }
    const answering = fetch(`${base}/_simulator/echo`, init as RequestInit)
    await writer.write(new TextEncoder().encode('first '))
    const answer = await answering
    const reader = answer.body?.getReader()
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'first ')
    await writer.write(new TextEncoder().encode('second'))
    await writer.close()
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'second')
    assert.equal(answer.headers.get('content-type'), 'text/x-test')
    assert.deepEqual([sim.log().at(-1)?.operation, sim.log().at(-1)?.bodyBytes], ['simulator.echo', 12])
  })

  it('know nothing else', async () => {
    assert.equal((await request(setUp().sim.handle).get('/_simulator/other')).status, 404)
  })
})

describe('the simulator', () => {
  it('sends an x-amzn-RequestId with every answer, a new one each', async () => {
    const { sim, call, mint, token } = setUp()
    const answers = [
      await mint([{ method: 'GET', path: ORDER }]),
      await mint([]),
      await call(token, 'GET', ORDER),
      await call(undefined, 'GET', ORDER),
      await call(token, 'GET', '/reports/2021-06-30/reports/1'),
      await call(token, 'PATCH', `${ORDER}/regulatedInfo`, {}),
      await call(undefined, 'POST', LWA_PATH),
      await request(sim.handle).get('/_simulator/'),
      await request(sim.handle).get('/_simulator/bytes/1'),
      await request(sim.handle).post('/_simulator/echo').send({}),
    ]
    const ids = answers.map(({ headers }) => String(headers['x-amzn-requestid']))
    for (const id of ids) assert.match(id, /^[0-9a-f-]{36}$/)
    assert.equal(new Set(ids).size, answers.length)
  })

  it('makes up any seller on the spot', async () => {
    const { sim, call } = setUp()
    const answer = await call(sim.accessToken('A2 Müller'), 'GET', '/sellers/v1/marketplaceParticipations')
    assert.equal(answer.body.payload[0].storeName, 'A2 Müller')
  })

  it('gives access tokens that expire by its clock', async () => {
    const { call, token, pass } = setUp()
    pass(3_599_999)
    assert.equal((await call(token, 'GET', ORDER)).status, 200)
    pass(1)
    const details = 'The access token you provided has expired.'
    assert.deepEqual(errorOf(await call(token, 'GET', ORDER)), { ...DENIED, details })
  })

  it('shares nothing with the sidecar it is a witness of', () => {
    const folder = new URL('../../src/simulator/', import.meta.url)
    for (const file of readdirSync(folder)) {
      const imports = readFileSync(new URL(file, folder), 'utf8').matchAll(/from '([^']+)'/g)
      for (const [, name = ''] of imports) assert.match(name, /^(\.\/[\w-]+\.ts|node:[\w/]+)$/, file)
    }
  })
})
