/** Attacks by what a connection is: who may speak next on it, in which version, and what an answer belongs to. Each by its name. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it, test } from 'node:test'
import { ACCOUNT, ADDRESS, attack, HIDDEN, requestOf, TOKEN } from '../support/attack.ts'
import { until } from '../support/many.ts'
import { startPair } from '../support/pair.ts'
import { exchange, rawUpstream } from '../support/raw.ts'
import { bodyOf, LWA, namesOf, RDT, valuesOf } from '../support/recording-upstream.ts'
import { startWorld } from '../support/wire.ts'

const SHIPMENTS = '/mfn/v0/shipments'
const REFUSED = '400 invalid-header rejected;invalid-header'
const OPEN = '200 not-restricted'
/** Of calls at once, whichever comes first mints. */
const asMinted = (answer: string): string => answer.replace('hit', 'minted')
const LENGTH = `Content-Length: ${HIDDEN.length}`

// `Expect` makes a server speak before its answer, or lets a proxy pass the call on by another way than all others (Kettle, "HTTP/1.1
// Must Die", 2025: 0.CL and CL.0 by an obfuscated Expect).
describe('Expect desync', () => {
  for (const value of ['100-continue', '100-Continue', 'y 100-continue', '200-ok', '']) {
    it(`by "${value}": the call is swapped as any other, and Amazon sees no Expect`, async (t) => {
      const world = await startWorld(t)
      const { answers, arrived } = await attack(
        world,
        requestOf(`POST ${SHIPMENTS}`, [`Expect: ${value}`, LENGTH, TOKEN], HIDDEN),
      )
      assert.deepEqual(answers, ['200 minted'])
      assert.deepEqual(
        arrived.map((call) => [bodyOf(call), valuesOf(call, 'x-amz-access-token')]),
        [[HIDDEN, [RDT]]],
      )
      assert.ok(!arrived.some((call) => namesOf(call).includes('expect')))
    })
  }

  it('by calls one behind the other: 100 Continue never gets into an answer', async (t) => {
    const world = await startWorld(t, {
      answer: ({ url }, res) => {
        if (!url?.endsWith('slow')) res.end('{}')
        else setTimeout(() => res.end('{}'), 200) // those behind it are answered, but must wait for their turn
      },
    })
    const expecting = requestOf(`POST ${SHIPMENTS}`, ['Expect: 100-continue', 'Content-Length: 2', TOKEN], '{}')
    const { answers, end } = await attack(world, requestOf(`GET ${ACCOUNT}?slow`) + expecting + expecting)
    assert.deepEqual([answers.map(asMinted), end], [[OPEN, '200 minted', '200 minted'], 'closed'])
  })

  it('by calls one behind the other: whoever waits for 100 Continue gets it when its turn has come', async (t) => {
    const { port } = await startWorld(t)
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    let received = ''
    socket.on('data', (text) => {
      received += text
    })
    socket.write(
      requestOf(`GET ${ADDRESS}`, [TOKEN]) +
        requestOf(`POST ${SHIPMENTS}`, ['Expect: 100-continue', 'Content-Length: 2', TOKEN]),
    )
    await until(() => received.includes('HTTP/1.1 100 Continue\r\n\r\n'))
    socket.write('{}')
    await until(() => /100 Continue\r\n\r\nHTTP\/1\.1 200 /.test(received))
    assert.match(received, /^HTTP\/1\.1 200 .*\{\}HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 .*\{\}$/s)
    socket.destroy()
  })
})

// A proxy that passes an upgrade on believes the connection to be a tunnel from then on, and looks at nothing (Miller, "h2c Smuggling",
// 2020; Egorov, WebSockets, 2019). Node's parser passes over what comes in one packet with it, and goes on with the next.
describe('upgrade smuggling', () => {
  const upgrades: Readonly<Record<string, readonly string[]>> = {
    h2c: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'],
    WebSocket: ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: eA=='],
    TLS: ['Connection: upgrade', 'Upgrade: TLS/1.3, HTTP/2.0'],
  }
  for (const [what, headers] of Object.entries(upgrades)) {
    it(`by ${what}: it is a call as any other, and Amazon sees no upgrade`, async (t) => {
      const world = await startWorld(t)
      const { answers, arrived } = await attack(world, requestOf(`GET ${ADDRESS}`, [TOKEN, ...headers]))
      assert.deepEqual(answers, ['200 minted'])
      const [names = []] = arrived.map(namesOf)
      assert.deepEqual(
        names.filter((name) => /upgrade|http2/.test(name)),
        [],
      )
      assert.deepEqual(
        arrived.map((call) => valuesOf(call, 'connection')),
        [['keep-alive']],
      )
    })

    for (const body of ['', '{}']) {
      it(`by ${what}${body && ' with a body'}: what comes behind it is not read from its middle on`, async (t) => {
        const world = await startWorld(t)
        const first = requestOf(`POST ${ACCOUNT}`, [...headers, `Content-Length: ${body.length}`], body)
        const { answers, smuggled, end } = await attack(world, first + requestOf(`POST ${ACCOUNT}`, [LENGTH]), HIDDEN)
        assert.deepEqual([answers, smuggled], [[OPEN], []])
        assert.notEqual(end, 'hung')
      })
    }
  }

  it('by CONNECT is refused', async (t) => {
    const world = await startWorld(t)
    const tunnel = 'CONNECT sellingpartnerapi-na.amazon.com:443'
    const { answers, arrived, end } = await attack(world, requestOf(tunnel, [TOKEN]), HIDDEN)
    assert.deepEqual([answers.slice(0, 1), arrived, end], [['400 unsafe-path rejected;unsafe-path'], [], 'closed'])
  })
})

// HTTP/0.9 has no headers, so that what comes behind is a request to one and the head to the other; a version that nobody speaks is
// taken for the next best.
test('other versions: a request that is neither HTTP/1.1 nor HTTP/1.0 is refused, and what comes behind it', async (t) => {
  const world = await startWorld(t)
  for (const line of [
    `GET ${ADDRESS}`,
    `GET ${ADDRESS} HTTP/0.9`,
    `GET ${ADDRESS} HTTP/2.0`,
    `GET ${ADDRESS} HTTP/1.2`,
    'PRI * HTTP/2.0',
  ]) {
    const { answers, arrived, end } = await attack(world, `${line}\r\nHost: a\r\n${TOKEN}\r\n\r\n${HIDDEN}`)
    assert.match(answers.join(), /^(400|505) invalid-header rejected;invalid-header$/, line)
    assert.deepEqual([arrived, end], [[], 'closed'], line)
  }
})

// A proxy that speaks HTTP/1.0 to one side and HTTP/1.1 to the other takes keep-alive or chunks to where nobody knows them (RFC 9112
// §6.1, §9.3).
describe('HTTP/1.0 downgrade', () => {
  it('a call is swapped as any other, and its answer ends the connection, whatever it asks for', async (t) => {
    const world = await startWorld(t)
    const call = `GET ${ADDRESS} HTTP/1.0\r\nConnection: keep-alive\r\n${TOKEN}\r\n\r\n`
    const { answers, arrived, received } = await attack(world, call + HIDDEN)
    assert.deepEqual(answers, ['200 minted'])
    assert.deepEqual(
      arrived.map((one) => valuesOf(one, 'x-amz-access-token')),
      [[RDT]],
    )
    assert.match(received, /^connection: close\r$/im)
  })

  it('chunks are refused, with what comes behind them', async (t) => {
    const world = await startWorld(t)
    const chunked = `POST ${ACCOUNT} HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
    const { answers, arrived } = await attack(world, chunked + HIDDEN)
    assert.deepEqual([answers, arrived], [[REFUSED], []])
  })
})

// What a server does not understand it answers with an error and stays: the rest of the attack is the next request (Apache httpd
// CVE-2022-22720; RFC 9112 §9.6).
describe('pipelined poison', () => {
  it('behind an answer that ends the connection, nothing is carried out', async (t) => {
    const world = await startWorld(t)
    for (const bad of ['Transfer-Encoding: chunked, identity', 'Transfer-Encoding: xchunked', 'Host: b']) {
      const { answers, arrived, end } = await attack(world, requestOf(`POST ${ACCOUNT}`, [bad]), HIDDEN, HIDDEN)
      assert.deepEqual([answers, arrived, end], [[REFUSED], [], 'closed'], bad)
    }
  })

  it('does not cost the calls before it their answers, which come in their order', async (t) => {
    const world = await startWorld(t)
    const calls = requestOf(`GET ${ACCOUNT}?1`) + requestOf(`GET ${ADDRESS}`, [TOKEN]) + requestOf(`GET ${ACCOUNT}?2`)
    for (const bad of ['GARBAGE\r\n\r\n', requestOf(`GET ${ACCOUNT}`, ['x : y']), `GET ${ACCOUNT}\n\n`, '\0']) {
      const { answers, arrived } = await attack(world, calls + bad + HIDDEN)
      assert.deepEqual(answers.map(asMinted), [OPEN, '200 minted', OPEN, REFUSED], bad)
      assert.equal(arrived.length, 3)
    }
  })
})

// A body that breaks off is passed on as one that is whole (truncated: half an order of labels), or the rest of it is filled up with
// the next request on the connection.
describe('early close', () => {
  const half = {
    length: ['Content-Length: 20', '{"half"'],
    chunks: ['Transfer-Encoding: chunked', '7\r\n{"half"\r\n'],
  } as const
  for (const [what, [framing, body]] of Object.entries(half)) {
    it(`within a restricted call framed by ${what}: nothing goes out`, async (t) => {
      const world = await startWorld(t)
      const { answers, arrived } = await attack(world, requestOf(`POST ${SHIPMENTS}`, [framing, TOKEN], body))
      assert.deepEqual([answers, arrived, world.upstream.mints], [[REFUSED], [], []])
    })

    it(`within any other framed by ${what}: Amazon sees it break off, and nothing else on that connection`, async (t) => {
      const ends: string[] = []
      const world = await startWorld(t, {
        stream: (req, res) => {
          req.on('end', () => void ends.push('whole'))
          req.on('close', () => void ends.push(req.complete ? 'done' : 'broken'))
          if (req.url?.endsWith('next')) res.end('{}')
          else req.resume()
        },
      })
      const socket = connect(world.port, '127.0.0.1').on('error', () => {})
      t.after(() => socket.destroy())
      socket.write(requestOf(`POST ${ACCOUNT}`, [framing], body))
      await until(() => world.upstream.calls.length === 1)
      const [broken] = world.upstream.calls.splice(0)
      socket.end()
      const { answers, arrived } = await attack(world, requestOf(`GET ${ACCOUNT}?next`))
      await until(() => ends.includes('broken'))
      assert.deepEqual(
        [answers, ends.includes('whole') && ends.indexOf('whole') < ends.indexOf('broken')],
        [[OPEN], false],
      )
      assert.notEqual(arrived[0]?.peerPort, broken?.peerPort)
    })
  }
})

// An answer that nobody asked for waits on the connection until the next caller asks, and from then on each gets that of another
// (Kettle 2021, "response queue poisoning").
describe('response queue poisoning', () => {
  it('what comes unasked on an idle connection to Amazon is nobody’s answer', async (t) => {
    const upstream = await rawUpstream(t, (request, socket) => {
      const [, name = ''] = /\/sellers\/v1\/(\w+)/.exec(request) ?? []
      const answer = (text: string) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`)
      answer(name)
      if (name === 'first') setTimeout(answer, 50, 'poison')
    })
    const { call } = await startPair(t, { endpoint: upstream.url })
    assert.equal(await (await call('/sellers/v1/first', LWA)).text(), 'first')
    await until(() => upstream.sockets.size === 0)
    assert.equal(await (await call('/sellers/v1/second', LWA)).text(), 'second')
  })

  it('nor is a second answer behind the first', async (t) => {
    const answer = (text: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`
    const upstream = await rawUpstream(t, (_, socket) => socket.write(answer('{}') + answer('poison')))
    const pair = await startPair(t, { endpoint: upstream.url })
    const text = await exchange(pair.port, requestOf(`GET ${ACCOUNT}`) + requestOf(`GET ${ACCOUNT}`), {
      until: /\{\}.*\{\}$/s,
    })
    assert.doesNotMatch(text, /poison/)
  })

  it('an answer that comes before the body is whole does not become that to the next call', async (t) => {
    const world = await startWorld(t, { stream: (req, res) => res.end(`{"to":"${req.url}"}`) })
    const first = requestOf(`POST ${ACCOUNT}?1`, [LENGTH])
    const { answers, received, arrived } = await attack(
      world,
      first,
      HIDDEN.slice(0, 20),
      HIDDEN.slice(20) + requestOf(`GET ${ACCOUNT}?2`),
    )
    assert.deepEqual(
      [answers, arrived.map(({ target }) => target)],
      [
        [OPEN, OPEN],
        [`${ACCOUNT}?1`, `${ACCOUNT}?2`],
      ],
    )
    assert.deepEqual(
      [...received.matchAll(/"to":"([^"]+)"/g)].map(([, to]) => to),
      [`${ACCOUNT}?1`, `${ACCOUNT}?2`],
    )
  })
})
