/** The simulator's createRestrictedDataToken: what is minted, what is refused, and the usage plan. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import request from 'supertest'
import { documentId } from '../../src/simulator/reports.ts'
import { DENIED, errorOf, LWA_PATH, MINT_PATH, ORDER, type Resource, raw, setUp } from '../support/simulator-client.ts'

const get = (path: string, dataElements?: string[]): Resource =>
  dataElements === undefined ? { method: 'GET', path } : { method: 'GET', path, dataElements }

const document = (n: number): string => `/reports/2021-06-30/documents/${documentId(n)}`
const orders = (n: number): Resource[] => Array.from({ length: n }, (_, i) => get(`/orders/v0/orders/902-${i}/address`))

describe('a mint', () => {
  it('answers the RDT and its lifetime, flat', async () => {
    const { status, body } = await setUp().mint([get('/orders/v0/orders/{orderId}/address')])
    assert.equal(status, 200)
    assert.deepEqual(Object.keys(body), ['expiresIn', 'restrictedDataToken'])
    assert.equal(body.expiresIn, 3600)
    assert.match(body.restrictedDataToken, /^Atz\.sprdt\|[\w-]{400,}$/)
  })

  it('gives a new RDT every time', async () => {
    const { rdt } = setUp()
    assert.notEqual(await rdt(get(ORDER)), await rdt(get(ORDER)))
  })

  it('gives RDTs that grow by about 50 characters with every resource', async () => {
    const { rdt } = setUp()
    const [one, fifty] = [await rdt(...orders(1)), await rdt(...orders(50))]
    assert.equal(fifty.length - one.length, 49 * 50)
  })

  const accepted: readonly [string, Resource[]][] = [
    ['no data elements at all on an operation that takes some', [get(ORDER)]],
    ['an empty list of data elements', [get('/orders/v0/orders', [])]],
    ['all three elements on getOrder', [get(ORDER, ['buyerInfo', 'shippingAddress', 'buyerTaxInformation'])]],
    ['buyerInfo on getOrderItems', [get('/orders/v0/orders/{orderId}/orderItems', ['buyerInfo'])]],
    ['fifty resources', orders(50)],
    [
      'generic and specific paths of several APIs together',
      [get('/mfn/v0/shipments/{shipmentId}'), get(ORDER, ['buyerInfo'])],
    ],
    ['the same resource twice with the same elements', [get(ORDER, ['buyerInfo']), get(ORDER, ['buyerInfo'])]],
    ['the document of a restricted report', [get(document(1))]],
    ['a path without its leading slash', [get('orders/v0/orders', ['buyerInfo'])]],
    ['a path with a trailing slash', [get('/orders/v0/orders/', ['buyerInfo'])]],
    ['a path with a query string', [get('/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER', ['buyerInfo'])]],
    ['an operation’s name for its path', [get('getOrders', ['buyerInfo'])]],
    ['an operation that is not restricted', [get('/sellers/v1/marketplaceParticipations')]],
  ]
  for (const [what, resources] of accepted) {
    it(`accepts ${what}`, async () => {
      assert.equal((await setUp().mint(resources)).status, 200)
    })
  }

  it('accepts a content type with a charset', async () => {
    const { call, token } = setUp()
    const post = call(token, 'POST', MINT_PATH).set('Content-Type', 'application/json; charset=utf-8')
    assert.equal((await post.send(JSON.stringify({ restrictedResources: [get(ORDER)] }))).status, 200)
  })

  it('accepts a JSON body that names no content type', async () => {
    const { sim, token } = setUp()
    const base = await sim.listen()
    const body = JSON.stringify({ restrictedResources: [get(ORDER)] })
    const headers = `Host: a\r\nUser-Agent: a\r\nConnection: close\r\nx-amz-access-token: ${token}`
    const answer = await raw(
      base,
      `POST ${MINT_PATH} HTTP/1.1\r\n${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    assert.match(answer, /^HTTP\/1\.1 200 /)
    await sim.close()
  })

  const culprits = (list: string): string =>
    `Application does not have access to one or more requested data elements: [${list}]`
  const DOCUMENT_TEXT = 'Invalid or unsupported document ID found'
  const refused: readonly [string, unknown, string][] = [
    ['an empty array', [], 'Empty target resource arguement found'],
    ['no restrictedResources', undefined, 'Empty target resource arguement found'],
    ['restrictedResources that are no array', get(ORDER), 'Invalid Input'],
    ['fifty-one resources', orders(51), 'Invalid Input'],
    ['an unknown method', [{ ...get(ORDER), method: 'PATCH' }], 'Invalid Input'],
    ['a method in lower case', [{ ...get(ORDER), method: 'get' }], 'Invalid Input'],
    ['a resource without a path', [{ method: 'GET' }], 'Invalid Input'],
    ['an unknown data element', [{ ...get(ORDER), dataElements: ['buyerinfo'] }], 'Invalid Input'],
    ['data elements that are no array', [{ ...get(ORDER), dataElements: 'buyerInfo' }], 'Invalid Input'],
    ['data elements of null', [{ ...get(ORDER), dataElements: null }], 'Invalid Input'],
    ['elements where the operation takes none', [get('/mfn/v0/shipments/1', ['buyerInfo'])], culprits('buyerInfo')],
    ['an empty list where the operation takes none', [get(`${ORDER}/address`, [])], 'Invalid Input'],
    [
      'more than buyerInfo on getOrderItems, naming the culprits',
      [get(`${ORDER}/orderItems`, ['buyerInfo', 'shippingAddress', 'buyerTaxInformation'])],
      culprits('shippingAddress, buyerTaxInformation'),
    ],
    [
      'the same resource twice with different elements',
      [get(ORDER, ['buyerInfo']), get(ORDER, ['shippingAddress'])],
      'Invalid Input',
    ],
    ['the document of an unrestricted report', [get(document(2))], DOCUMENT_TEXT],
    ['a document that does not exist', [get('/reports/2021-06-30/documents/nothing')], DOCUMENT_TEXT],
    ['the generic path of documents', [get('/reports/2021-06-30/documents/{reportDocumentId}')], DOCUMENT_TEXT],
    ['another reports path', [get('/reports/2021-06-30/reports')], DOCUMENT_TEXT],
    ['a document with another method', [{ ...get(document(1)), method: 'DELETE' }], DOCUMENT_TEXT],
    ['a document path with a query', [get(`${document(1)}?a=b`)], DOCUMENT_TEXT],
    ['everything because of one bad resource among good ones', [...orders(3), get(document(2))], DOCUMENT_TEXT],
  ]
  for (const [what, resources, message] of refused) {
    it(`refuses ${what}`, async () => {
      const answer = await setUp().mint(resources)
      assert.deepEqual([answer.status, answer.body.errors[0].code], [400, 'InvalidInput'])
      assert.equal(answer.body.errors[0].message, message)
      assert.equal(answer.body.restrictedDataToken, undefined)
    })
  }

  it('refuses unreadable JSON with 400', async () => {
    const { call, token } = setUp()
    const answer = await call(token, 'POST', MINT_PATH).set('Content-Type', 'application/json').send('{"restricted')
    assert.deepEqual([answer.status, answer.body.errors[0].code], [400, 'InvalidInput'])
  })

  it('refuses no body at all with 400', async () => {
    const { call, token } = setUp()
    assert.equal((await call(token, 'POST', MINT_PATH)).status, 400)
  })

  it('refuses a body of another content type with 415 and no rate header', async () => {
    const { call, token } = setUp()
    const answer = await call(token, 'POST', MINT_PATH).type('form').send('restrictedResources=x')
    assert.equal(answer.status, 415)
    assert.equal(answer.headers['x-amzn-ratelimit-limit'], undefined)
  })
})

describe('roles at a mint', () => {
  it('names every element the application has no role for', async () => {
    const { sim, mint } = setUp()
    sim.control({ denyElements: ['buyerInfo', 'shippingAddress'] })
    const answer = await mint([get('/orders/v0/orders', ['buyerInfo', 'shippingAddress', 'buyerTaxInformation'])])
    assert.deepEqual(errorOf(answer), {
      status: 400,
      code: 'InvalidInput',
      message: 'Application does not have access to one or more requested data elements: [buyerInfo, shippingAddress]',
      details: '',
    })
    assert.equal((await mint([get('/orders/v0/orders', ['buyerTaxInformation'])])).status, 200)
  })

  it('refuses operations the application has no role for, and only those', async () => {
    const { sim, mint } = setUp()
    sim.control({ denyOperations: ['mfn-v0.getShipment'] })
    for (const path of ['/mfn/v0/shipments/{shipmentId}', '/mfn/v0/shipments/abc']) {
      assert.deepEqual(errorOf(await mint([get(path)])), {
        status: 400,
        code: 'InvalidInput',
        message: 'Application do not have access to some or all requested resource',
        details: '',
      })
    }
    assert.equal((await mint([{ method: 'DELETE', path: '/mfn/v0/shipments/abc' }])).status, 200)
  })

  it('takes another application as target, and refuses the calling one', async () => {
    const { mint } = setUp()
    const status = async (targetApplication: unknown) => (await mint([get(ORDER)], { targetApplication })).status
    assert.equal(await status('amzn1.sp.solution.somebody-else'), 200)
    assert.equal(await status('amzn1.sp.solution.simulator'), 400)
    assert.equal(await status('amzn1.application-oa2-client.simulator'), 400)
    assert.equal(await status(null), 400)
    assert.equal(await status(''), 400)
  })
})

describe('the token a mint is asked with', () => {
  const FAULT = 'The access token you provided is revoked, malformed or invalid.'

  it('must be there', async () => {
    const { call } = setUp()
    const answer = await call(undefined, 'POST', MINT_PATH, { restrictedResources: [get(ORDER)] })
    assert.deepEqual(errorOf(answer), { ...DENIED, details: 'Access token is missing in the request header.' })
  })

  it('must be one the simulator gave', async () => {
    const { mint } = setUp()
    assert.deepEqual(errorOf(await mint([get(ORDER)], {}, 'Atza|made-up')), { ...DENIED, details: FAULT })
  })

  it('must not have expired', async () => {
    const { mint, pass } = setUp()
    pass(3_600_000)
    assert.deepEqual(errorOf(await mint([get(ORDER)])), {
      ...DENIED,
      details: 'The access token you provided has expired.',
    })
  })

  it('must not have been revoked', async () => {
    const { sim, mint } = setUp()
    sim.control({ revoke: 'access-tokens' })
    assert.deepEqual(errorOf(await mint([get(ORDER)])), { ...DENIED, details: FAULT })
  })

  it('must not be an RDT', async () => {
    const { mint, rdt } = setUp()
    assert.deepEqual(errorOf(await mint([get(ORDER)], {}, await rdt(get(ORDER)))), DENIED)
  })
})

describe('the usage plan of mints', () => {
  const resources = [get(ORDER)]
  const statuses = async (n: number, ask: () => PromiseLike<{ status: number }>): Promise<number[]> => {
    const seen = []
    for (let i = 0; i < n; i += 1) seen.push((await ask()).status)
    return seen
  }

  it('lets ten through at once and refuses the eleventh', async () => {
    const { mint } = setUp()
    assert.deepEqual(await statuses(11, () => mint(resources)), [...Array(10).fill(200), 429])
  })

  it('refills continuously, one a second', async () => {
    const { mint, pass } = setUp()
    await statuses(10, () => mint(resources))
    pass(999)
    assert.equal((await mint(resources)).status, 429)
    pass(1)
    assert.equal((await mint(resources)).status, 200)
    pass(500)
    assert.equal((await mint(resources)).status, 429)
    pass(500)
    assert.deepEqual(await statuses(2, () => mint(resources)), [200, 429])
  })

  it('never holds more than the burst, however long nothing is asked', async () => {
    const { sim, mint, pass } = setUp()
    sim.control({ mintBurst: 2, accessTokenSeconds: 1_000_000 })
    await mint(resources)
    pass(600_000)
    assert.deepEqual(await statuses(3, () => mint(resources)), [200, 200, 429])
  })

  it('answers 429 as Amazon does: no Retry-After, no rate header', async () => {
    const { sim, mint } = setUp()
    sim.control({ mintBurst: 1 })
    await mint(resources)
    const answer = await mint(resources)
    assert.deepEqual(answer.body, {
      errors: [{ code: 'QuotaExceeded', message: 'You exceeded your quota for the requested resource.', details: '' }],
    })
    assert.equal(answer.headers['x-amzn-errortype'], 'TooManyRequestsException')
    assert.equal(answer.headers['retry-after'], undefined)
    assert.equal(answer.headers['x-amzn-ratelimit-limit'], undefined)
  })

  it('is used up by refusals with 400, which carry the rate', async () => {
    const { sim, mint } = setUp()
    sim.control({ mintBurst: 1 })
    const answer = await mint([])
    assert.deepEqual([answer.status, answer.headers['x-amzn-ratelimit-limit']], [400, '1.0'])
    assert.equal((await mint(resources)).status, 429)
  })

  it('is not used up by a bad token', async () => {
    const { sim, mint } = setUp()
    sim.control({ mintBurst: 1 })
    const bad = await mint(resources, {}, 'Atza|made-up')
    assert.deepEqual([bad.status, bad.headers['x-amzn-ratelimit-limit']], [403, undefined])
    assert.equal((await mint(resources)).status, 200)
  })

  it('is kept for each selling partner', async () => {
    const { sim, mint } = setUp()
    sim.control({ mintBurst: 1 })
    await mint(resources)
    assert.equal((await mint(resources, {}, sim.accessToken('seller-b'))).status, 200)
    assert.equal((await mint(resources, {}, sim.accessToken())).status, 429)
  })

  it('is kept for each application', async () => {
    const { sim, mint } = setUp()
    sim.control({ mintBurst: 1 })
    await mint(resources)
    const other = await request(sim.handle).post(LWA_PATH).type('form').send({
      grant_type: 'refresh_token',
      refresh_token: 'Atzr|seller-a',
      client_id: 'amzn1.application-oa2-client.another',
      client_secret: 'simulated-secret',
    })
    assert.equal((await mint(resources, {}, other.body.access_token)).status, 200)
  })

  it('can be raised, and says so in the rate header', async () => {
    const { sim, mint, pass } = setUp()
    sim.control({ mintRatePerSecond: 2.5, mintBurst: 1 })
    assert.equal((await mint(resources)).headers['x-amzn-ratelimit-limit'], '2.5')
    pass(400)
    assert.equal((await mint(resources)).status, 200)
  })
})

describe('what the controls do to mint answers', () => {
  const mintWith = async (expiresIn: 'normal' | 'missing' | 'absurd' | 'string') => {
    const { sim, mint } = setUp()
    sim.control({ expiresIn, rdtSeconds: 900 })
    const { expiresIn: told, restrictedDataToken } = (await mint([get(ORDER)])).body
    assert.match(restrictedDataToken, /^Atz\.sprdt\|/)
    return told
  }

  it('sets the lifetime told', async () => assert.equal(await mintWith('normal'), 900))
  it('can leave the lifetime out', async () => assert.equal(await mintWith('missing'), undefined))
  it('can tell a negative lifetime', async () => assert.equal(await mintWith('absurd'), -5))
  it('can tell a lifetime that is no number', async () => assert.equal(await mintWith('string'), 'soon'))
})
