/** The simulator's Login with Amazon. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import request from 'supertest'
import type { FailureKind, Simulator } from '../../src/simulator/types.ts'
import { until } from '../support/many.ts'
import { DENIED, errorOf, LWA_PATH, ORDER, raw, setUp } from '../support/simulator-client.ts'

const GOOD = {
  grant_type: 'refresh_token',
  refresh_token: 'Atzr|seller-b',
  client_id: 'amzn1.application-oa2-client.mine',
  client_secret: 'simulated-secret',
}

const ask = ({ sim }: ReturnType<typeof setUp>, form: Readonly<Record<string, string>>) =>
  request(sim.handle).post(LWA_PATH).type('form').send(form)

describe("the simulator's Login with Amazon", () => {
  it('gives an access token for a refresh token, in the shape of LWA', async () => {
    const world = setUp()
    const { status, body } = await ask(world, GOOD)
    assert.equal(status, 200)
    assert.match(body.access_token, /^Atza\|.{340,}$/)
    assert.deepEqual(
      { ...body, access_token: '' },
      { access_token: '', token_type: 'bearer', expires_in: 3600, refresh_token: 'Atzr|seller-b' },
    )
  })

  it('gives a token that speaks for the seller the refresh token names', async () => {
    const world = setUp()
    const { body } = await ask(world, GOOD)
    const answer = await world.call(body.access_token, 'GET', '/sellers/v1/marketplaceParticipations')
    assert.equal(answer.body.payload[0].storeName, 'seller-b')
    assert.deepEqual(
      world.sim.log().map((entry) => [entry.kind, entry.seller]),
      [
        ['lwa', 'seller-b'],
        ['call', 'seller-b'],
      ],
    )
  })

  it('gives a grantless token that opens no selling partner’s data and mints nothing', async () => {
    const world = setUp()
    const { grant_type: _, refresh_token: __, ...client } = GOOD
    const { status, body } = await ask(world, {
      ...client,
      grant_type: 'client_credentials',
      scope: 'sellingpartnerapi::notifications',
    })
    assert.equal(status, 200)
    assert.equal(body.refresh_token, undefined)
    assert.deepEqual(errorOf(await world.call(body.access_token, 'GET', ORDER)), DENIED)
    assert.deepEqual(errorOf(await world.mint([{ method: 'GET', path: ORDER }], {}, body.access_token)), DENIED)
  })

  const refusals: readonly [string, Readonly<Record<string, string>>, number, string][] = [
    ['a wrong secret', { client_secret: 'guess' }, 401, 'invalid_client'],
    ['a client id of another shape', { client_id: 'mine' }, 401, 'invalid_client'],
    [
      'a client id with nothing after its prefix',
      { client_id: 'amzn1.application-oa2-client.' },
      401,
      'invalid_client',
    ],
    ['a refresh token of another shape', { refresh_token: 'Atza|seller-b' }, 400, 'invalid_grant'],
    ['a refresh token that names no seller', { refresh_token: 'Atzr|' }, 400, 'invalid_grant'],
    ['no refresh token', { refresh_token: '' }, 400, 'invalid_request'],
    ['no secret', { client_secret: '' }, 400, 'invalid_request'],
    ['no grant type', { grant_type: '' }, 400, 'invalid_request'],
    ['a grantless request without a scope', { grant_type: 'client_credentials' }, 400, 'invalid_request'],
    ['another grant type', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    [
      'an application that is not authorised',
      { client_id: 'amzn1.application-oa2-client.unauthorized-1' },
      400,
      'unauthorized_client',
    ],
  ]
  for (const [what, change, status, error] of refusals) {
    it(`refuses ${what} with ${status} ${error}`, async () => {
      const answer = await ask(setUp(), { ...GOOD, ...change })
      assert.equal(answer.status, status)
      assert.equal(answer.body.error, error)
      assert.equal(typeof answer.body.error_description, 'string')
    })
  }

  it('says "Client authentication failed", as LWA does', async () => {
    const { body } = await ask(setUp(), { ...GOOD, client_secret: 'guess' })
    assert.deepEqual(body, { error: 'invalid_client', error_description: 'Client authentication failed' })
  })

  it('takes the same as a JSON object, as much used clients send it, and nothing else', async () => {
    const { sim } = setUp()
    const statusOf = async (type: string, body: string | object) =>
      (await request(sim.handle).post(LWA_PATH).type(type).send(body)).status
    assert.deepEqual(
      [
        await statusOf('application/json', GOOD),
        await statusOf('application/json', '"text"'),
        await statusOf('application/json', '{'),
        await statusOf('text/plain', JSON.stringify(GOOD)),
      ],
      [200, 400, 400, 400],
    )
  })

  it('answers POST only', async () => {
    const answer = await request(setUp().sim.handle).get(LWA_PATH)
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'])
  })

  it('takes several refresh tokens of one seller, told apart after a ~', async () => {
    const world = setUp()
    const { body } = await ask(world, { ...GOOD, refresh_token: 'Atzr|seller-b~2~x' })
    assert.equal(body.refresh_token, 'Atzr|seller-b~2~x')
    const answer = await world.call(body.access_token, 'GET', '/sellers/v1/marketplaceParticipations')
    assert.equal(answer.body.payload[0].storeName, 'seller-b')
  })

  it('takes the client secrets the controls name, two during a rotation, and no other', async () => {
    const world = setUp()
    const errors = async () => {
      const answers = []
      for (const client_secret of ['simulated-secret', 'new-secret']) {
        const { status, body } = await ask(world, { ...GOOD, client_secret })
        answers.push(body.error ?? status)
      }
      return answers
    }
    assert.deepEqual(await errors(), [200, 'invalid_client'])
    world.sim.control({ clientSecrets: ['simulated-secret', 'new-secret'] })
    assert.deepEqual(await errors(), [200, 200])
    world.sim.control({ clientSecrets: ['new-secret'] })
    world.sim.control({ revokeRefreshTokens: [] })
    assert.deepEqual(await errors(), ['invalid_client', 200])
    world.sim.control({ clientSecrets: [] })
    assert.deepEqual(await errors(), ['invalid_client', 'invalid_client'])
    world.sim.control({ reset: true })
    assert.deepEqual(await errors(), [200, 'invalid_client'])
  })

  it('refuses the refresh tokens the controls revoke, and no other of the same seller', async () => {
    const world = setUp()
    const statuses = async () => {
      const answers = []
      for (const refresh_token of ['Atzr|seller-b', 'Atzr|seller-b~2']) {
        answers.push((await ask(world, { ...GOOD, refresh_token })).status)
      }
      return answers
    }
    const { body } = await ask(world, GOOD)
    world.sim.control({ revokeRefreshTokens: ['Atzr|seller-b'] })
    assert.deepEqual(await statuses(), [400, 200])
    assert.deepEqual((await ask(world, GOOD)).body, {
      error: 'invalid_grant',
      error_description:
        "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission.",
    })
    assert.equal((await world.call(body.access_token, 'GET', ORDER)).status, 200, 'the access token lives on')
    world.sim.control({ revokeRefreshTokens: ['Atzr|seller-b~2'] })
    assert.deepEqual(await statuses(), [200, 400])
    world.sim.control({ reset: true })
    assert.deepEqual(await statuses(), [200, 200])
  })

  it('tells the log whom a request was for and which OAuth error it had, and no secret', async () => {
    const world = setUp()
    const { grant_type: _, refresh_token: __, ...client } = GOOD
    world.sim.control({ clientSecrets: ['CANARY-1'], revokeRefreshTokens: ['Atzr|seller-b~CANARY-2'] })
    const asked = { ...GOOD, client_secret: 'CANARY-1' }
    await ask(world, asked)
    await ask(world, { ...asked, refresh_token: 'Atzr|seller-b~CANARY-2' })
    await ask(world, { ...asked, client_secret: 'CANARY-3' })
    await request(world.sim.handle)
      .post(LWA_PATH)
      .send({ ...asked, client_secret: 'CANARY-3' })
    await ask(world, { ...asked, refresh_token: 'CANARY-4' })
    await ask(world, { ...client, client_secret: 'CANARY-1', grant_type: 'client_credentials', scope: 'any' })
    await request(world.sim.handle).post(`${LWA_PATH}?client_secret=CANARY-5&refresh_token=Atzr%7CCANARY-6`)
    world.sim.control({ fail: [{ on: 'lwa', times: 1, as: 429 }] })
    await ask(world, asked)
    assert.deepEqual(
      world.sim.log().map(({ status, seller, error }) => [status, seller, error]),
      [
        [200, 'seller-b', undefined],
        [400, 'seller-b', 'invalid_grant'],
        [401, 'seller-b', 'invalid_client'],
        [401, 'seller-b', 'invalid_client'],
        [400, undefined, 'invalid_grant'],
        [200, undefined, undefined],
        [400, undefined, 'invalid_request'],
        [429, 'seller-b', 'slow_down'],
      ],
    )
    assert.doesNotMatch(JSON.stringify(world.sim.log()), /CANARY/)
  })

  it('gives lifetimes as the controls say', async () => {
    const world = setUp()
    world.sim.control({ accessTokenSeconds: 60 })
    const { body } = await ask(world, GOOD)
    assert.equal(body.expires_in, 60)
    world.pass(59_999)
    assert.equal((await world.call(body.access_token, 'GET', ORDER)).status, 200)
    world.pass(1)
    assert.equal((await world.call(body.access_token, 'GET', ORDER)).status, 403)
  })
})

describe("failures of the simulator's Login with Amazon on purpose", () => {
  const outcomes: readonly [FailureKind, number, RegExp, string?][] = [
    [400, 400, /^\{"error":"invalid_grant","error_description":".+"\}$/, 'invalid_grant'],
    [401, 401, /^\{"error":"invalid_client","error_description":".+"\}$/, 'invalid_client'],
    [403, 403, /^\{"error":"invalid_request","error_description":".+"\}$/, 'invalid_request'],
    [404, 404, /^\{"error":"invalid_request","error_description":".+"\}$/, 'invalid_request'],
    [415, 415, /^\{"error":"invalid_request","error_description":".+"\}$/, 'invalid_request'],
    [429, 429, /^\{"error":"slow_down","error_description":".+"\}$/, 'slow_down'],
    [500, 500, /^\{"error":"server_error","error_description":".+"\}$/, 'server_error'],
    [503, 503, /^\{"error":"server_error","error_description":".+"\}$/, 'server_error'],
    ['garbage', 200, /^\{"access_tok$/],
    ['html', 200, /^<html>/],
    ['empty', 200, /^\{\}$/],
    ['cut', 200, /\{"access_token":"Atza[^"]+$/],
    ['reset', 0, /^no answer$/],
    ['hang', 0, /^no answer$/],
  ]
  for (const [as, status, body, error] of outcomes) {
    it(`play ${as}, once, and tell the log whose request it was`, async (t) => {
      const { sim } = setUp()
      t.after(sim.close)
      const post = await posting(sim)
      sim.control({ fail: [{ on: 'lwa', times: 1, as }] })
      const answering = post()
      if (as === 'hang') {
        await until(() => (sim.log()[0]?.bodyBytes ?? 0) > 0)
        const next = await post()
        assert.match(next, /"access_token"/)
        await sim.close()
      }
      assert.match(await answering, body)
      const [entry] = sim.log()
      assert.deepEqual([entry?.kind, entry?.status, entry?.seller, entry?.error], ['lwa', status, 'seller-b', error])
      if (as !== 'hang') assert.match(await post(), /"access_token"/)
    })
  }

  it('or slowness: latencyMs.lwa holds the answer back', async () => {
    const world = setUp()
    world.sim.control({ latencyMs: { lwa: 60 } })
    const started = performance.now()
    assert.equal((await ask(world, GOOD)).status, 200)
    assert.ok(performance.now() - started >= 55)
  })
})

/** Asks the listening simulator for a token over a connection of its own; resolves to the body, or to what came of it. */
const posting = async (sim: Simulator): Promise<() => Promise<string>> => {
  const base = await sim.listen()
  const form = new URLSearchParams(GOOD).toString()
  const head = `POST ${LWA_PATH} HTTP/1.1\r\nHost: lwa\r\nConnection: close\r\n`
  const fields = `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n`
  return async () => {
    const answer = await raw(base, head + fields + form).catch(() => '')
    return answer === '' ? 'no answer' : answer.slice(answer.indexOf('\r\n\r\n') + 4)
  }
}
