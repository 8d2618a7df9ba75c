/** Who may call in the name of managed sellers, and for what. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext, test } from 'node:test'
import { documentId } from '../../src/simulator/reports.ts'
import { folderFor } from '../support/cli.ts'
import { CALLER_TOKEN, callerRow, type ManagedOptions, startManaged } from '../support/managed.ts'
import { until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { resourcesOf, verdictOf } from '../support/pair.ts'
import { exchange } from '../support/raw.ts'
import { namesOf, RDT, recordingUpstream, valuesOf } from '../support/recording-upstream.ts'
import { readAnswer } from '../support/wire.ts'

const ORDER = '/orders/v0/orders/902-1845936-5435001'
const ADDRESS = `${ORDER}/address`
const OPEN = '/sellers/v1/marketplaceParticipations'
const MINT = '/tokens/2021-03-01/restrictedDataToken'
const PROOF = `x-rdt-caller-token: ${CALLER_TOKEN}`

/** Managed sellers before an upstream that answers every call, and a way to send it a request's bytes. */
const startRecorded = async (t: TestContext, options: ManagedOptions = {}) => {
  const upstream = await recordingUpstream(t)
  const pair = await startManaged(t, { endpoint: upstream.url, ...options })
  return {
    ...pair,
    upstream,
    /** Status and error name; what came to the upstream is forgotten, less its number. */
    send: async (start: string, headers: readonly string[], version = '1.1') => {
      const head = [`${start} HTTP/${version}`, 'Connection: close', ...headers].join('\r\n')
      const { status, values } = readAnswer(await exchange(pair.port, Buffer.from(`${head}\r\n\r\n`, 'latin1')))
      const arrived = upstream.calls.splice(0).length + upstream.mints.splice(0).length
      return { status, error: values('x-rdt-error')[0], arrived: arrived > 0 }
    },
  }
}

const HERE = 'Host: 127.0.0.1'
const TAKEN = { status: 200, error: undefined, arrived: true }
const refused = (status: number, error: string) => ({ status, error, arrived: false })
const UNTRUSTED = refused(403, 'untrusted-caller')

test('a caller token is taken as it is, and nothing like it', async (t) => {
  const { send, upstream } = await startRecorded(t)
  assert.deepEqual(await send(`GET ${OPEN}`, [HERE, PROOF]), TAKEN)
  assert.deepEqual(await send(`GET ${OPEN}`, [HERE, `X-RDT-Caller-Token:  ${CALLER_TOKEN} \t`]), TAKEN) // HTTP's own spaces
  const wrong = [
    [],
    ['x-rdt-caller-token:'],
    ['x-rdt-caller-token:   '],
    [`${PROOF}x`],
    [PROOF.slice(0, -1)],
    [PROOF.toUpperCase()],
    [`x-rdt-caller-token: ${CALLER_TOKEN} ${CALLER_TOKEN}`],
    [`x-rdt-caller-token: "${CALLER_TOKEN}"`],
    [`x-rdt-caller-token: Bearer ${CALLER_TOKEN}`],
    [PROOF, PROOF],
    [PROOF, 'x-rdt-caller-token: x'],
    [PROOF, 'x-rdt-caller-token:'],
    [`x_rdt_caller_token: ${CALLER_TOKEN}`],
    [`x-rdt-caller.token: ${CALLER_TOKEN}`],
    [`authorization: Bearer ${CALLER_TOKEN}`],
    [`${PROOF}${'x'.repeat(8000)}`],
    [`x-rdt-caller-token: ${CALLER_TOKEN.replace('-', '\xad')}`],
  ]
  for (const headers of wrong) assert.deepEqual(await send(`GET ${OPEN}`, [HERE, ...headers]), UNTRUSTED, `${headers}`)
  assert.deepEqual(upstream.calls, [])
})

test('nothing of it reaches Amazon: no caller token, no seller, no look-alike, whatever the call', async (t) => {
  const upstream = await recordingUpstream(t)
  const { ask, simulator } = await startManaged(t, { endpoint: upstream.url })
  const alike = { x_rdt_caller_token: CALLER_TOKEN, 'x-rdt_seller': 'seller-a', connection: 'x-rdt-caller-token' }
  for (const target of [OPEN, ADDRESS, `/reports/2021-06-30/documents/1`])
    await ask(target, 'seller-a', { headers: alike })
  await ask(OPEN, undefined, { headers: { x_amz_access_token: 'Atza|other' } })
  await ask('/feeds/2021-06-30/feeds', 'seller-a', { method: 'POST', body: '{}' })
  assert.equal(upstream.calls.length, 5)
  for (const call of upstream.calls) {
    assert.deepEqual(
      namesOf(call).filter((name) => /^x.(rdt|amz.access)/.test(name)),
      ['x-amz-access-token'],
    )
    assert.match(valuesOf(call, 'x-amz-access-token').join(), /^(Atza\||Atz\.sprdt\|minted)/)
    assert.ok(!call.rawHeaders.some((text) => text.includes(CALLER_TOKEN)))
  }
  for (const { headers } of simulator.log()) assert.doesNotMatch(JSON.stringify(headers), /x.rdt|caller-token/)
})

test('what something has passed on is refused; callers’ own tokens need no such care, for they are all that is used', async (t) => {
  const one = await startRecorded(t)
  const own = 'x-amz-access-token: Atza|caller'
  const FORWARDED = refused(400, 'forwarded-call')
  const marks = ['Forwarded: for=1.2.3.4', 'X-Forwarded-For: 1.2.3.4', 'Via: 1.1 proxy', 'X-Forwarded-For:']
  const browsers = ['Origin: http://127.0.0.1', 'Origin: null', 'Sec-Fetch-Site: none', 'sec-fetch-site: same-origin']
  for (const mark of [...marks, ...browsers]) {
    assert.deepEqual(await one.send(`GET ${OPEN}`, [HERE, PROOF, mark]), FORWARDED, mark)
    assert.deepEqual(await one.send(`GET ${OPEN}`, [HERE, own, mark]), TAKEN, mark)
  }
  assert.equal(await metric(one, 'rdt_http_rejections_total{reason="forwarded-call"}'), 8)
  const mesh = await startRecorded(t, { env: { SIDECAR_AUTH_ALLOW_FORWARDED: 'true' } })
  for (const mark of marks) assert.deepEqual(await mesh.send(`GET ${OPEN}`, [HERE, PROOF, mark]), TAKEN, mark)
  for (const mark of browsers) assert.deepEqual(await mesh.send(`GET ${OPEN}`, [HERE, PROOF, mark]), FORWARDED, mark)
})

test('a Host is one of ours, or the call is refused', async (t) => {
  const { send, port, upstream } = await startRecorded(t, {
    env: { SIDECAR_AUTH_HOSTS: '[RDT.shop.svc, "[fd00::7]"]' },
  })
  const ours = [
    ...['127.0.0.1', `127.0.0.1:${port}`, '127.0.0.1:', 'localhost', 'LocalHost:8080', 'localhost.', 'localhost.:80'],
    ...['[::1]', '[::1]:8080', 'rdt.SHOP.svc:8080', 'rdt.shop.svc.', '[FD00::7]:1', new URL(upstream.url).host],
  ]
  const own = 'x-amz-access-token: Atza|caller'
  for (const host of ours) assert.deepEqual(await send(`GET ${OPEN}`, [`Host: ${host}`, PROOF]), TAKEN, host)
  const foreign = [
    ...['', 'evil.example', 'evil.example:8080', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.localhost'],
    ...[
      'localhost@evil.example',
      'evil@localhost',
      'localhost:80@evil',
      'localhost:80:80',
      'localhost:8o',
      'localhost..',
    ],
    ...['::1', '[::1', '[::2]', '[::1].evil.example', '127.1', '2130706433', '0x7f.1', '127.0.0.2', 'shop.svc', '.'],
    ...[
      'localhost, evil.example',
      'localhost evil',
      'localhost/evil',
      'localhost#evil',
      'rdt_shop_svc',
      ':8080',
      'null',
    ],
  ]
  const FOREIGN = refused(421, 'foreign-host')
  for (const host of foreign) {
    assert.deepEqual(await send(`GET ${OPEN}`, [`Host: ${host}`, PROOF]), FOREIGN, host)
    assert.deepEqual(await send(`GET ${OPEN}`, [`Host: ${host}`, own]), TAKEN, host) // some clients mangle it
  }
  assert.deepEqual(await send(`GET ${OPEN}`, [PROOF], '1.0'), FOREIGN)
  for (const second of ['Host: evil.example', HERE])
    assert.deepEqual(await send(`GET ${OPEN}`, [HERE, second, PROOF]), refused(400, 'invalid-header'))
  // Whoever names the host in the target is refused, whichever it is.
  assert.deepEqual(await send(`GET http://127.0.0.1${OPEN}`, [HERE, PROOF]), refused(400, 'unsafe-path'))
  assert.deepEqual(
    await send(`GET http://localhost${OPEN}`, ['Host: evil.example', PROOF]),
    refused(400, 'unsafe-path'),
  )
})

test('TRACE, whose answer would show the access token that was put in, is sent with none', async (t) => {
  const { send } = await startRecorded(t)
  for (const headers of [
    [HERE, PROOF],
    [HERE, PROOF, 'x-rdt-mode: force'],
  ])
    assert.deepEqual(await send(`TRACE ${OPEN}`, headers), refused(403, 'operation-not-allowed'))
  assert.deepEqual(await send(`TRACE ${OPEN}`, [HERE, 'x-amz-access-token: Atza|own']), TAKEN) // what it shows is the caller's
})

test('the address that was connected to, and the host that is listened on, are ours', async (t) => {
  const { send } = await startRecorded(t, { env: { SIDECAR_HOST: '0.0.0.0', SIDECAR_INSECURE_LISTEN: 'true' } })
  for (const host of ['127.0.0.1', '0.0.0.0'])
    assert.deepEqual(await send(`GET ${OPEN}`, [`Host: ${host}`, PROOF]), TAKEN)
})

test('the hosts of the endpoints are ours, the listener’s and the sellers’: some clients keep Amazon’s name', async (t) => {
  const { send } = await startRecorded(t, { endpoint: 'na', rows: { 'seller-a': { endpoint: 'eu' } } })
  const amazon = (region: string) => [`Host: sellingpartnerapi-${region}.amazon.com`] // unproven, so that nothing is sent there
  for (const region of ['na', 'eu']) assert.deepEqual(await send(`GET ${OPEN}`, amazon(region)), UNTRUSTED, region)
  assert.deepEqual(await send(`GET ${OPEN}`, amazon('fe')), refused(421, 'foreign-host'))
})

test('without managed sellers none of this is asked', async (t) => {
  const pair = await startRecorded(t, {
    env: { SIDECAR_SELLERS: 'null', SIDECAR_AUTH_CALLER_TOKEN_FILE: 'null' },
  })
  const own = 'x-amz-access-token: Atza|caller'
  for (const header of ['X-Forwarded-For: 1.2.3.4', 'Origin: null', 'x-rdt-caller-token: x'])
    assert.equal((await pair.send(`GET ${ADDRESS}`, ['Host: evil.example', own, header])).status, 200, header)
  assert.equal((await pair.send(`GET ${OPEN}`, ['Host: evil.example'])).status, 200)
  const named = ['Host: evil.example', 'x-rdt-seller: seller-a']
  assert.deepEqual(await pair.send(`GET ${OPEN}`, named), refused(403, 'unknown-seller'))
})

test('a call has one authority: a seller, or a token of its own', async (t) => {
  const pair = await startRecorded(t, { sellers: ['seller-a', 'seller-b'] })
  const { send } = pair
  const INVALID = refused(400, 'invalid-header')
  for (const token of ['Atza|caller', 'Atz.sprdt|caller'])
    for (const seller of ['seller-a', 'nobody'])
      assert.deepEqual(
        await send(`GET ${ADDRESS}`, [HERE, PROOF, `x-amz-access-token: ${token}`, `x-rdt-seller: ${seller}`]),
        INVALID,
      )
  for (const seller of ['', '-a', '.a', 'a b', 'a,b', 'a/b', 'a'.repeat(65), 'caf\xe9', '{seller-a}', '"seller-a"'])
    assert.deepEqual(await send(`GET ${ADDRESS}`, [HERE, PROOF, `x-rdt-seller: ${seller}`]), INVALID, seller)
  const twice = ['x-rdt-seller: seller-a', 'x-rdt-seller: seller-a']
  assert.deepEqual(await send(`GET ${ADDRESS}`, [HERE, PROOF, ...twice]), INVALID)
  assert.deepEqual(
    await send(`GET ${ADDRESS}`, [HERE, PROOF, 'x-rdt-seller: SELLER-A']),
    refused(403, 'unknown-seller'),
  )
  const empty = ['x-amz-access-token:', 'x-rdt-seller: seller-b'] // no token at all
  assert.deepEqual(await send(`GET ${ADDRESS}`, [HERE, PROOF, ...empty]), TAKEN)
  assert.deepEqual(await send(`GET ${ADDRESS}`, [HERE, PROOF]), refused(403, 'missing-token')) // and no default
})

test('a caller’s own RDT passes as it is, without a caller token', async (t) => {
  const upstream = await recordingUpstream(t)
  const pair = await startManaged(t, { endpoint: upstream.url })
  const answer = await pair.call(ADDRESS, 'Atz.sprdt|own')
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'caller-rdt'])
  assert.deepEqual(
    upstream.calls.flatMap((call) => valuesOf(call, 'x-amz-access-token')),
    ['Atz.sprdt|own'],
  )
  assert.deepEqual([upstream.mints, pair.lwa()], [[], []])
})

describe('a caller with a list of', () => {
  const SELLERS = ['seller-a', 'seller-b', 'seller-c']
  const ADDRESS_ID = 'orders-v0.getOrderAddress'

  /** `limits`: of the one caller beside the one that may do everything. */
  const startLimited = async (t: TestContext, limits: object, options: ManagedOptions = {}) => {
    const { token, row } = callerRow(folderFor(t), 'limited', limits)
    const one = await startRecorded(t, {
      sellers: SELLERS,
      ...options,
      env: { SIDECAR_AUTH_CALLERS: JSON.stringify([row]), ...options.env },
    })
    const proof = `x-rdt-caller-token: ${token}`
    return {
      ...one,
      token,
      /** As that caller. */
      as: (start: string, ...headers: readonly string[]) => one.send(start, [HERE, proof, ...headers]),
    }
  }

  it('sellers calls for these; whether there are others it does not learn', async (t) => {
    const { as, call, token, send, lines } = await startLimited(
      t,
      { sellers: ['seller-b'] },
      { rows: { 'seller-a': { default: true } } },
    )
    assert.deepEqual(await as(`GET ${ADDRESS}`, 'x-rdt-seller: seller-b'), TAKEN)
    assert.deepEqual(await as(`GET ${ADDRESS}`), TAKEN) // the only one that is open to it
    const answers = await Promise.all(
      ['seller-a', 'seller-z'].map(async (seller) => {
        const answer = await call(ADDRESS, undefined, {
          headers: { 'x-rdt-caller-token': token, 'x-rdt-seller': seller },
        })
        const headers = [...answer.headers].filter(([name]) => name !== 'date')
        return { status: answer.status, headers, body: await answer.text() }
      }),
    )
    assert.equal(answers[0]?.status, 403)
    assert.deepEqual(answers[0], answers[1])
    assert.deepEqual(await send(`GET ${ADDRESS}`, [HERE, PROOF, 'x-rdt-seller: seller-a']), TAKEN) // the other caller
    const refusals = () => lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'refusal')
    await until(() => refusals().length === 2)
    assert.deepEqual(
      refusals().map(({ caller, outcome }) => [caller, outcome]),
      [
        ['limited', 'rejected;unknown-seller'],
        ['limited', 'rejected;unknown-seller'],
      ],
    )
  })

  it('several sellers has the default where that is one of them', async (t) => {
    const options = { rows: { 'seller-b': { default: true } } }
    const sellerOf = async (sellers: readonly string[]) => {
      const { call, token, lwa } = await startLimited(t, { sellers }, options)
      const answer = await call(OPEN, undefined, { headers: { 'x-rdt-caller-token': token } })
      return answer.headers.get('x-rdt-error') ?? lwa()[0]?.seller
    }
    assert.equal(await sellerOf(['seller-a', 'seller-b']), 'seller-b')
    assert.equal(await sellerOf(['seller-a', 'seller-c']), 'missing-token')
  })

  const DENIED = refused(403, 'operation-not-allowed')
  const ONE = ['x-rdt-seller: seller-a'] as const

  it('catalogue ids does these, whatever it asks for in headers, spellings and methods', async (t) => {
    const { as, ...pair } = await startLimited(t, { operations: [ADDRESS_ID] })
    assert.deepEqual(await as(`GET ${ADDRESS}`, ...ONE), TAKEN)
    assert.deepEqual(await as(`GET ${ADDRESS}/`, ...ONE), TAKEN)
    assert.deepEqual(await as(`GET ${ADDRESS.replace('address', '%61ddress')}?x=1`, ...ONE), TAKEN)
    assert.deepEqual(await as(`GET ${ADDRESS}`, ...ONE, 'x-rdt-mode: skip'), TAKEN)
    for (const mode of ['auto', 'skip', 'force'])
      for (const target of [ORDER, `${ORDER}/orderItems`, OPEN, '/', `${ORDER}/addresses`, `${ADDRESS}/x`])
        assert.deepEqual(await as(`GET ${target}`, ...ONE, `x-rdt-mode: ${mode}`), DENIED, `${mode} ${target}`)
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'])
      assert.equal((await as(`${method} ${ADDRESS}`, ...ONE)).status, 403, method)
    const odd = [
      ...[`${ORDER}%2Faddress`, `${ADDRESS};x`, `${ADDRESS}%3Fx`, `${ADDRESS}%23`, `${ORDER};/address`],
      ...[
        `/Orders/v0/orders/1/address`,
        `//orders/v0/orders/1/address`,
        `/orders/v0/orders/1/../1`,
        `${ORDER}%252Faddress`,
      ],
    ]
    for (const target of odd) {
      const { status, arrived } = await as(`GET ${target}`, ...ONE)
      assert.ok((status === 400 || status === 403) && !arrived, `${target}: ${status}`)
    }
    assert.deepEqual(await pair.send(`GET ${ORDER}`, [HERE, PROOF, ...ONE]), TAKEN)
    assert.ok((await metric(pair, 'rdt_http_rejections_total{reason="operation-not-allowed"}')) > 20)
  })

  it('other does all that the catalogue lacks, and no restricted operation', async (t) => {
    const { as } = await startLimited(t, { operations: ['other'] })
    for (const start of [`GET ${OPEN}`, 'POST /feeds/2021-06-30/feeds', 'GET /new/v1/things;x', `HEAD ${ADDRESS}`])
      assert.equal((await as(start, ...ONE)).status, 200, start)
    for (const mode of ['auto', 'skip', 'force'])
      assert.deepEqual(await as(`GET ${ADDRESS}`, ...ONE, `x-rdt-mode: ${mode}`), DENIED)
  })

  it('templates does what matches one, by that method alone', async (t) => {
    const operations = [
      'GET /catalog/2022-04-01/items/{asin}',
      'POST /feeds/2021-06-30/feeds',
      `GET /orders/v0/orders/{id}`,
    ]
    const { as } = await startLimited(t, { operations })
    for (const start of ['GET /catalog/2022-04-01/items/B0', 'GET /catalog/2022-04-01/items/B0/', `GET ${ORDER}`])
      assert.deepEqual(await as(start, ...ONE), TAKEN, start)
    assert.deepEqual(await as('POST /feeds/2021-06-30/feeds', ...ONE), TAKEN)
    const others = [
      ...['GET /catalog/2022-04-01/items', 'GET /catalog/2022-04-01/items/', 'GET /catalog/2022-04-01/items/B0/x'],
      ...['HEAD /catalog/2022-04-01/items/B0', 'GET /feeds/2021-06-30/feeds', `GET ${ADDRESS}`],
      ...[
        'GET /catalog/2022-04-01/items/B0;x',
        'GET /catalog/2022-04-01/items/B0%2Fx',
        'GET /Catalog/2022-04-01/items/B0',
      ],
    ]
    for (const start of others) assert.deepEqual(await as(start, ...ONE), DENIED, start)
  })

  it('operations cannot have an RDT handed out, however it spells that; one without can', async (t) => {
    const { as, call } = await startLimited(t, { operations: ['other', ADDRESS_ID] })
    const spellings = [
      ...[MINT, `${MINT}/`, `${MINT}?x`, '/%74okens/2021-03-01/restrictedDataToken', '/tokens/2030-01-01/tokens'],
      ...['/tokens%2F2021-03-01/restrictedDataToken', '/tokens/2021-03-01%2frestrictedDataToken', `${MINT};x`],
      ...[
        '/tokens%252F2021-03-01%252FrestrictedDataToken',
        '/Tokens/2021-03-01/restrictedDataToken',
        '/tokens;x/2021-03-01',
      ],
      ...['/x/..%2Ftokens/2021-03-01/restrictedDataToken', '/tokens%3b/2021-03-01/restrictedDataToken', `${MINT}%3f`],
      ...['/%2Ftokens/2021-03-01/restrictedDataToken', '/.%2Ftokens/x', '/tokens%5C2021-03-01%5CrestrictedDataToken'],
    ]
    for (const target of spellings)
      for (const method of ['POST', 'PUT'])
        for (const mode of ['auto', 'skip', 'force']) {
          const { status, arrived } = await as(`${method} ${target}`, ...ONE, `x-rdt-mode: ${mode}`)
          assert.ok((status === 400 || status === 403) && !arrived, `${method} ${target} ${mode}: ${status}`)
        }
    const ofAnother = await call(MINT, 'Atza|caller', {
      method: 'POST',
      body: JSON.stringify({ restrictedResources: [{ method: 'GET', path: ADDRESS }] }),
    })
    assert.equal(((await ofAnother.json()) as { restrictedDataToken: string }).restrictedDataToken, RDT) // by its own token
  })
})

test('a caller of everything may mint for itself: the RDT opens what was asked for, for that seller', async (t) => {
  const { ask, call, mints, calls } = await startManaged(t, { sellers: ['seller-a', 'seller-b'] })
  const mint = (body: object) => ask(MINT, 'seller-b', { method: 'POST', body: JSON.stringify(body) })
  const resource = { method: 'GET', path: '/orders/v0/orders/{orderId}/address' }
  const answer = await mint({ restrictedResources: [resource] })
  assert.deepEqual([answer.status, verdictOf(answer)], [200, 'minted'])
  const { restrictedDataToken: rdt } = (await answer.json()) as { restrictedDataToken: string }
  assert.equal((await call(ADDRESS, rdt)).status, 200)
  assert.equal((await call(`${ORDER}/orderItems`, rdt)).status, 403)
  assert.deepEqual(
    calls().map(({ seller, pii, status }) => [seller, pii, status]),
    [
      ['seller-b', true, 200],
      ['seller-b', false, 403],
    ],
  )
  assert.equal(verdictOf(await ask(ADDRESS, 'seller-b')), 'hit')
  // A body that is not of the model goes to Amazon in its turn, with the seller's token.
  const odd = await mint({ restrictedResources: [resource], reason: 'x' })
  assert.equal(verdictOf(odd), 'not-restricted')
  assert.deepEqual(
    mints().map(({ seller, token }) => [seller, token]),
    [
      ['seller-b', 'lwa'],
      ['seller-b', 'lwa'],
    ],
  )
})

describe('with managed sellers', () => {
  const verdictAnd = async (answer: Response) => [answer.status, verdictOf(answer)]

  it('onMintFailure: forward sends the call with the seller’s own token', async (t) => {
    const { ask, simulator, calls } = await startManaged(t, { env: { SIDECAR_RDT_ON_MINT_FAILURE: 'forward' } })
    simulator.control({ denyElements: ['shippingAddress'] })
    assert.deepEqual(await verdictAnd(await ask(ORDER)), [200, 'fallback;mint-refused'])
    assert.deepEqual(
      calls().map(({ seller, token, pii }) => [seller, token, pii]),
      [['seller-a', 'lwa', false]],
    )
  })

  it('x-rdt-mode: skip, force, and sandboxes are as ever', async (t) => {
    const { ask, calls, mints } = await startManaged(t)
    assert.deepEqual(await verdictAnd(await ask(ORDER, undefined, { headers: { 'x-rdt-mode': 'skip' } })), [
      200,
      'skipped;header',
    ])
    assert.deepEqual(await verdictAnd(await ask(ADDRESS, undefined, { headers: { 'x-rdt-mode': 'force' } })), [
      200,
      'minted',
    ])
    assert.deepEqual(resourcesOf(mints()), [[`GET ${ADDRESS}`]])
    const sandbox = await startManaged(t, { sandbox: true })
    assert.deepEqual(await verdictAnd(await sandbox.ask(ORDER)), [200, 'skipped;sandbox'])
    for (const { token, seller } of [...sandbox.calls(), ...calls()].slice(0, 2))
      assert.deepEqual([token, seller], ['lwa', 'seller-a'])
  })

  it('report documents cost a mint where they are restricted', async (t) => {
    const { ask, mints } = await startManaged(t)
    const documentOf = (n: number) => ask(`/reports/2021-06-30/documents/${documentId(n)}`)
    await (await ask('/reports/2021-06-30/reports?pageSize=4')).arrayBuffer()
    assert.deepEqual(await verdictAnd(await documentOf(1)), [200, 'minted'])
    assert.deepEqual(await verdictAnd(await documentOf(2)), [200, 'unrestricted-report'])
    assert.equal(mints().length, 1)
    const untold = await startManaged(t)
    const answer = await untold.ask(`/reports/2021-06-30/documents/${documentId(2)}`)
    assert.deepEqual(await verdictAnd(answer), [200, 'unrestricted-report']) // by Amazon's refusal
  })

  it('data elements and scope are the header’s, the row’s, the seller’s, rdt.*, in this order', async (t) => {
    const { ask, mints } = await startManaged(t, {
      sellers: ['seller-a', 'seller-b'],
      rows: { 'seller-b': { dataElements: ['buyerInfo'], scope: 'specific' } },
      env: {
        SIDECAR_OPERATIONS: '{orders-v0.getOrderItems: {dataElements: [], scope: generic}}',
        SIDECAR_RDT_DATA_ELEMENTS: '[shippingAddress, buyerInfo]',
        SIDECAR_MINT_MAX_RESOURCES: '1',
      },
    })
    const asked = async (target: string, seller: string, headers: Record<string, string> = {}) => {
      const before = mints().length
      assert.equal((await ask(target, seller, { headers })).status, 200)
      return resourcesOf(mints().slice(before)).flat().join()
    }
    const template = '/orders/v0/orders/{orderId}'
    assert.equal(await asked(ORDER, 'seller-a'), `GET ${template} [shippingAddress,buyerInfo]`)
    assert.equal(await asked(ORDER, 'seller-b'), `GET ${ORDER} [buyerInfo]`)
    assert.equal(await asked(`${ORDER}/orderItems`, 'seller-b'), `GET ${template}/orderItems []`)
    const headers = { 'x-rdt-data-elements': 'shippingAddress', 'x-rdt-scope': 'generic' }
    assert.equal(await asked(ORDER, 'seller-b', headers), `GET ${template} [shippingAddress]`)
  })

  it('each call goes to its seller’s endpoint, and so does its mint', async (t) => {
    const there = await recordingUpstream(t)
    const here = await startManaged(t, {
      sellers: ['seller-a', 'seller-b'],
      rows: { 'seller-b': { endpoint: there.url } },
    })
    for (const target of [ADDRESS, OPEN]) {
      assert.equal((await here.ask(target, 'seller-a')).status, 200)
      assert.equal((await here.ask(target, 'seller-b')).status, 200)
    }
    assert.deepEqual([here.calls().length, here.mints().length], [2, 1])
    assert.deepEqual([there.calls.length, there.mints.length], [2, 1])
    assert.deepEqual(
      here.calls().map(({ seller }) => seller),
      ['seller-a', 'seller-a'],
    )
    const [address] = there.calls
    assert.deepEqual(address && valuesOf(address, 'x-amz-access-token'), [RDT])
    assert.deepEqual(address && valuesOf(address, 'host'), [new URL(there.url).host])
    const own = await here.call(OPEN, here.simulator.accessToken('seller-b')) // is the listener's
    assert.deepEqual([own.status, here.calls().length, there.calls.length], [200, 3, 2])
  })
})
