/** Only the wire is a test's, and the clock: the account, its breaker and the LWA client are the real ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AccountEvents, createAccount, type Grant } from '../../src/lwa/account.ts'
import { createLwaApi } from '../../src/lwa/lwa-api.ts'
import { createPoster } from '../../src/post.ts'
import { createBreaker } from '../../src/rdt/breaker.ts'
import type { Access } from '../../src/rdt/credential.ts'
import { after, many, until } from '../support/many.ts'

type Sent = { readonly secret: string; readonly refresh: string }
/** Answers the nth request. */
type Wire = (n: number, sent: Sent) => Response | Promise<Response>
type Options = {
  readonly maxWaitMs?: number
  readonly timeoutMs?: number
  readonly marginMs?: number
  readonly refreshAfter?: number
  readonly random?: () => number
  /** Called with each answer. */
  readonly onAnswer?: () => void
}

const grantOf = (secret: string, refresh = 'Atzr|a'): Grant => ({ clientSecret: secret, refreshToken: refresh })
const token = (n: number | string, expiresIn: unknown = 3600): Response =>
  Response.json({ access_token: `Atza|${n}`, expires_in: expiresIn })
const oauth = (error: string, status = 400): Response => Response.json({ error }, { status })
const broken = (status: number): Response => new Response('', { status })

/** `open(grant)`: the account of one more seller at the same Login with Amazon. */
const startLwa = (wire: Wire, options: Options = {}) => {
  const { maxWaitMs = 2000, timeoutMs = 500, marginMs = 60_000, refreshAfter = 0.8, random = () => 0 } = options
  let advanced = 0
  const now = () => performance.now() + 1 + advanced
  const sent: Sent[] = []
  const fetching = (_url: unknown, init?: RequestInit): Promise<Response> => {
    const form = new URLSearchParams(String(init?.body))
    const one = { secret: form.get('client_secret') ?? '', refresh: form.get('refresh_token') ?? '' }
    sent.push(one)
    const gone = new Promise<never>((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)),
    )
    return Promise.race([Promise.resolve(wire(sent.length, one)), gone])
  }
  const poster = createPoster({ fetch: fetching as typeof fetch, timeoutMs, userAgent: 'test' })
  const lwaApi = createLwaApi(poster, 'https://lwa.test')
  const breaker = createBreaker({ now, random })
  const told: string[] = []
  const bugs: unknown[] = []
  const open = (grant: Grant) => {
    const events: AccountEvents = {
      lwaAsked: ({ kind }, standing) => {
        told.push(`${kind} ${standing}`)
        options.onAnswer?.()
      },
      fellBack: () => void told.push('fell back'),
      tookOver: () => void told.push('took over'),
      reauthorised: () => void told.push('reauthorised'),
      failed: (bug) => void bugs.push(bug),
    }
    const renewal = { expiryMarginMs: marginMs, refreshAfter }
    return createAccount({ clientId: 'app', grant, lwaApi, breaker, renewal, maxWaitMs, events, now, random })
  }
  return {
    open,
    /** What each request was made with. */
    sent,
    secrets: (): readonly string[] => sent.map(({ secret }) => secret),
    /** Requests and events, in their order. */
    told,
    bugs,
    advance: (ms: number) => {
      advanced += ms
    },
  }
}

const start = (wire: Wire, options: Options = {}) => {
  const lwa = startLwa(wire, options)
  const account = lwa.open(grantOf('s1'))
  return { ...lwa, account, get: async (): Promise<string> => textOf(await account.get()) }
}
const textOf = (access: Access): string => {
  if (access.kind === 'token') return access.token
  return access.kind === 'access-refused' ? access.error : `unavailable ${access.retryAfterS}`
}

const gate = () => Promise.withResolvers<void>()

const HOUR = 3_600_000

test('fifty callers share one request, and all who come later its token', async () => {
  const made = start((n) => token(n))
  const answers = await many(50, made.get)
  assert.deepEqual(new Set(answers), new Set(['Atza|1']))
  assert.equal(await made.get(), 'Atza|1')
  assert.deepEqual(made.told, ['success current'])
})

test('one in force is had without waiting', async () => {
  const made = start((n) => token(n))
  await made.get()
  assert.deepEqual(made.account.get(), { kind: 'token', token: 'Atza|1' })
})

test('it is never used with less life left than the margin', async () => {
  const made = start((n) => token(n), { refreshAfter: 1 })
  await made.get()
  made.advance(HOUR - 61_000)
  assert.equal(await made.get(), 'Atza|1')
  made.advance(1500)
  assert.equal(await made.get(), 'Atza|2')
})

test('its life is counted from before it was asked for', async () => {
  const made = start(
    (n) => {
      made.advance(10_000)
      return token(n)
    },
    { refreshAfter: 1 },
  )
  await made.get()
  made.advance(HOUR - 70_500)
  assert.equal(await made.get(), 'Atza|1')
  made.advance(1000)
  assert.equal(await made.get(), 'Atza|2')
})

test('one in use is renewed past 0.8 of its life behind the backs of its callers, once', async () => {
  const { promise, resolve } = gate()
  const made = start(async (n) => {
    if (n === 2) await promise
    return token(n)
  })
  await made.get()
  made.advance(0.8 * HOUR - 1000)
  assert.equal(await made.get(), 'Atza|1')
  assert.equal(made.sent.length, 1)
  made.advance(2000)
  assert.deepEqual(new Set(await many(20, made.get)), new Set(['Atza|1']))
  await until(() => made.sent.length === 2)
  assert.equal(await made.get(), 'Atza|1')
  resolve()
  await until(async () => (await made.get()) === 'Atza|2')
  assert.equal(made.sent.length, 2)
})

test('many that were got at once are not renewed at once', async () => {
  let random = 0
  const made = startLwa((n) => token(n), { random: () => random })
  const accounts = Array.from({ length: 11 }, (_, i) => made.open(grantOf(`s${i}`)))
  for (const [i, account] of accounts.entries()) {
    random = i / 10
    await account.get()
  }
  const renewed: number[] = []
  for (let minute = 47; minute < 59; minute += 1) {
    made.advance(minute === 47 ? 47 * 60_000 : 60_000)
    const before = made.sent.length
    for (const account of accounts) account.get()
    await after(10)
    renewed.push(made.sent.length - before)
  }
  assert.equal(
    renewed.reduce((sum, n) => sum + n, 0),
    11,
  )
  assert.ok(Math.max(...renewed) <= 3, String(renewed))
})

test('idle ones are not renewed', async () => {
  const made = start((n) => token(n))
  await made.get()
  made.advance(2 * HOUR)
  await after(20)
  assert.equal(made.sent.length, 1)
})

test('a renewal that fails is felt by nobody before the margin; it is tried again, less and less often', async () => {
  let down = true
  const made = start((n) => (n > 1 && down ? broken(500) : token(n)))
  await made.get()
  made.advance(0.9 * HOUR)
  assert.equal(await made.get(), 'Atza|1')
  await until(() => made.sent.length === 4)
  await after(20)
  made.advance(500) // the pause is a second
  for (let i = 0; i < 50; i += 1) assert.equal(await made.get(), 'Atza|1')
  await after(20)
  assert.equal(made.sent.length, 4, 'three attempts, then a pause')
  made.advance(600)
  assert.equal(await made.get(), 'Atza|1')
  await until(() => made.sent.length === 6) // the breaker lets no third go
  await after(20)
  made.advance(0.1 * HOUR - 62_000)
  assert.equal(await made.get(), 'Atza|1')
  await until(() => made.sent.length === 7)
  await after(20)
  made.advance(2000)
  assert.match(await made.get(), /^unavailable/, 'the old one has ended')
  down = false
  made.advance(60_000)
  assert.match(await made.get(), /^Atza/)
})

for (const [what, passing] of [
  ['server errors', () => broken(503)],
  ['429', () => broken(429)],
  ['resets', () => Promise.reject(new TypeError('fetch failed'))],
  ['garbage', () => new Response('garbage')],
  ['timeouts', () => new Promise<Response>(() => {})],
] satisfies readonly (readonly [string, () => Response | Promise<Response>])[]) {
  test(`what passes by is tried again: ${what}`, async () => {
    const made = start((n) => (n < 3 ? passing() : token(n)), { timeoutMs: 50 })
    assert.equal(await made.get(), 'Atza|3')
  })
  test(`what lasts is told after three attempts, with the seconds to wait: ${what}`, async () => {
    const made = start(() => passing(), { timeoutMs: 50 })
    const access = await made.account.get()
    assert.ok(access.kind === 'access-unavailable' && access.retryAfterS >= 1)
    assert.match(access.why, /^Login with Amazon /)
    assert.equal(made.sent.length, 3)
  })
}

test('the breaker is of all sellers: one that finds it failing spares the others', async () => {
  let down = true
  const made = startLwa(() => (down ? broken(500) : token('b')))
  const [a, b] = [made.open(grantOf('a')), made.open(grantOf('b', 'Atzr|b'))]
  await a.get()
  made.advance(500)
  await a.get()
  assert.equal(made.sent.length, 5)
  const access = await b.get()
  assert.ok(access.kind === 'access-unavailable' && access.retryAfterS === 1)
  assert.equal(made.sent.length, 5)
  down = false
  made.advance(1000)
  assert.equal(textOf(await b.get()), 'Atza|b')
})

test('a seller for whom Login with Amazon fails for good does not take every probe from the others', async () => {
  const made = startLwa((_n, { secret }) => (secret === 'a' ? broken(500) : token('b')))
  const [a, b] = [made.open(grantOf('a')), made.open(grantOf('b', 'Atzr|b'))]
  for (let i = 0; i < 10; i += 1) {
    made.advance(1000)
    await a.get()
  }
  let waitedMs = 0
  const getBoth = async (): Promise<Access> => {
    await a.get() // first, always
    return b.get()
  }
  for (; (await getBoth()).kind !== 'token'; waitedMs += 250) {
    assert.ok(waitedMs < 60_000, 'the other seller is starved')
    made.advance(250)
  }
})

for (const status of [429, 500]) {
  test(`a seller for whom it fails (${status}) asks less and less often, half a minute apart at most; others go on`, async () => {
    const made = startLwa((_n, { secret }) => (secret === 's1' ? broken(status) : token('other')))
    const account = made.open(grantOf('s1'))
    assert.equal(textOf(await account.get()), 'unavailable 1')
    for (let i = 0; i < 20; i += 1) assert.equal(textOf(await account.get()), 'unavailable 1')
    assert.equal(made.sent.length, 3)
    assert.equal(textOf(await made.open(grantOf('s2')).get()), 'Atza|other')
    const gaps: number[] = []
    for (let i = 0; i < 6; i += 1) {
      const before: number = made.sent.length
      let waitedMs = 0
      for (; made.sent.length === before; waitedMs += 500) {
        made.advance(500)
        await account.get()
      }
      gaps.push(waitedMs)
    }
    assert.ok(gaps[0] === 500 && (gaps.at(-1) ?? 0) > 5000, String(gaps))
    assert.ok(Math.max(...gaps) <= 30_000, String(gaps))
  })
}

test('new secrets, or an operator’s word, end the pause', async () => {
  let down = true
  const made = start((n) => (down ? broken(429) : token(n)))
  assert.match(await made.get(), /^unavailable/)
  down = false
  assert.match(await made.get(), /^unavailable/)
  made.account.forget()
  assert.equal(await made.get(), 'Atza|4')
  down = true
  made.advance(HOUR)
  assert.match(await made.get(), /^unavailable/)
  down = false
  made.account.change(grantOf('s2'))
  assert.equal(await made.get(), 'Atza|8')
})

for (const error of ['invalid_client', 'invalid_grant', 'unauthorized_client'] as const) {
  test(`${error} costs one request and is remembered for five minutes`, async () => {
    const made = start(() => oauth(error))
    for (let i = 0; i < 3; i += 1) assert.equal(await made.get(), error)
    made.advance(299_000)
    assert.equal(await made.get(), error)
    assert.deepEqual(made.told, [`${error} current`])
    made.advance(2000)
    assert.equal(await made.get(), error)
    assert.equal(made.sent.length, 2)
  })
}

test('any other refusal is remembered for ten seconds', async () => {
  const made = start(() => oauth('invalid_request'))
  assert.equal(await made.get(), 'refused')
  made.advance(9000)
  assert.equal(await made.get(), 'refused')
  assert.equal(made.sent.length, 1)
  made.advance(1500)
  assert.equal(await made.get(), 'refused')
  assert.equal(made.sent.length, 2)
})

test('a refusal is forgotten when an operator says so', async () => {
  let refused = true
  const made = start((n) => (refused ? oauth('invalid_grant') : token(n)))
  assert.equal(await made.get(), 'invalid_grant')
  refused = false
  assert.equal(await made.get(), 'invalid_grant')
  made.account.forget()
  assert.equal(await made.get(), 'Atza|2')
})

test('secrets that never worked are refused; others are tried at once, though nobody calls', async () => {
  const made = start((n, { secret }) => (secret === 's1' ? oauth('invalid_client') : token(n)))
  assert.equal(await made.get(), 'invalid_client')
  made.account.change(grantOf('s2'))
  await until(() => made.told.length === 2)
  assert.equal(await made.get(), 'Atza|2')
  assert.deepEqual(made.secrets(), ['s1', 's2'])
  assert.deepEqual(made.told, ['invalid_client current', 'success current'])
})

test('secrets that nobody has needed yet are fallen back on like those that worked', async () => {
  const made = start((n, { secret }) => (secret === 's1' || secret === 's3' ? token(n) : oauth('invalid_client', 401)))
  made.account.change(grantOf('s2'))
  await until(() => made.told.includes('fell back'))
  assert.equal(await made.get(), 'Atza|2')
  assert.ok(made.account.fallenBack())
  made.account.change(grantOf('s3'))
  await until(() => made.told.includes('took over'))
  assert.deepEqual(made.secrets(), ['s2', 's1', 's3'])
})

test('nor are they forgotten where the change is corrected in vain, before Login with Amazon could be asked about them', async () => {
  let down = true
  const made = start((n, { secret }) => {
    if (secret !== 's1') return oauth('invalid_client', 401)
    return down ? broken(503) : token(n)
  })
  made.account.change(grantOf('s2'))
  await until(() => made.sent.length === 4)
  down = false
  made.account.change(grantOf('s3'))
  await until(() => made.told.includes('fell back'))
  assert.deepEqual(made.secrets(), ['s2', 's1', 's1', 's1', 's3', 's1'])
})

test('where they are refused too, the refusal of those that are configured is told, and each has cost one request', async () => {
  const made = start((_, { secret }) => oauth(secret === 's2' ? 'unauthorized_client' : 'invalid_client'))
  made.account.change(grantOf('s2'))
  await until(() => made.sent.length === 2)
  assert.equal(await made.get(), 'unauthorized_client')
  assert.deepEqual(made.secrets(), ['s2', 's1'])
})

test('a refresh token that nobody has needed yet is fallen back on too; that tokens come by it again is told', async () => {
  const made = start((n, { refresh }) => (refresh === 'Atzr|a' ? token(n) : oauth('invalid_grant')))
  made.account.change(grantOf('s1', 'Atzr|b'))
  await until(() => made.told.includes('fell back'))
  assert.deepEqual(made.account.account(), ['app', 'Atzr|a'])
  assert.deepEqual(made.told, [
    'reauthorised',
    'invalid_grant current',
    'success previous',
    'reauthorised',
    'fell back',
  ])
})

test('a caller waits no longer than allowed; what it waited for serves the next', async () => {
  const { promise, resolve } = gate()
  const made = start(
    async (n) => {
      await promise
      return token(n)
    },
    { maxWaitMs: 100, timeoutMs: 5000 },
  )
  const from = performance.now()
  assert.equal(await made.get(), 'unavailable 1')
  assert.ok(performance.now() - from < 4000) // an attempt has five seconds
  resolve()
  await until(async () => (await made.get()) === 'Atza|1')
  assert.equal(made.sent.length, 1)
})

test('one who comes late waits its own time, not what the first left over', async () => {
  const { promise, resolve } = gate()
  const made = start(
    async (n) => {
      await promise
      return token(n)
    },
    { maxWaitMs: 1000, timeoutMs: 5000 },
  )
  const first = made.get()
  await after(400)
  const second = made.get()
  assert.equal(await first, 'unavailable 1')
  resolve()
  assert.equal(await second, 'Atza|1')
})

for (const [what, answer] of [
  ['missing', () => Response.json({ access_token: 'Atza|x' })],
  ['absurd', () => token('x', -5)],
  ['a text', () => token('x', 'soon')],
] as const) {
  test(`a life that nobody can read (${what}) is not assumed, nor is each call one more request`, async () => {
    const made = start(answer)
    assert.deepEqual(new Set(await many(5, made.get)), new Set(['Atza|x']))
    made.advance(9000)
    assert.equal(await made.get(), 'Atza|x')
    assert.equal(made.sent.length, 1)
    made.advance(2000)
    assert.equal(await made.get(), 'Atza|x')
    assert.equal(made.sent.length, 2)
  })
}

test('a life shorter than the margin is not used but by those who waited for it', async () => {
  const made = start((n) => token(n, 60))
  assert.deepEqual(new Set(await many(5, made.get)), new Set(['Atza|1']))
  assert.equal(await made.get(), 'Atza|2')
})

// From here on: secrets that change.

test('changed secrets are tried at once in the background; the token in force serves meanwhile', async () => {
  const { promise, resolve } = gate()
  const made = start(async (n) => {
    if (n === 2) await promise
    return token(n)
  })
  await made.get()
  made.account.change(grantOf('s2'))
  await until(() => made.sent.length === 2)
  assert.deepEqual(new Set(await many(20, made.get)), new Set(['Atza|1']))
  resolve()
  await until(async () => (await made.get()) === 'Atza|2')
  assert.deepEqual(made.secrets(), ['s1', 's2'])
  assert.deepEqual(made.told, ['success current', 'success current', 'took over'])
})

test('the same secrets once more change nothing', async () => {
  const made = start((n) => token(n))
  await made.get()
  made.account.change(grantOf('s1'))
  await after(20)
  assert.equal(made.sent.length, 1)
})

test('refused ones: those before them serve on, and the new ones are asked again when the refusal is forgotten', async () => {
  let right = false
  const made = start((n, { secret }) => (secret === 's2' && !right ? oauth('invalid_client') : token(n)))
  await made.get()
  made.account.change(grantOf('s2'))
  await until(() => made.told.includes('fell back'))
  assert.match(await made.get(), /^Atza/)
  assert.deepEqual(made.told, ['success current', 'invalid_client current', 'success previous', 'fell back'])
  made.advance(299_000)
  await made.get()
  await after(20)
  assert.equal(made.sent.length, 3, 'remembered')
  right = true
  made.advance(2000)
  await made.get()
  await until(() => made.told.includes('took over'))
  assert.deepEqual(made.secrets(), ['s1', 's2', 's1', 's2'])
  assert.equal(await made.get(), 'Atza|4')
})

test('refused ones are asked again at once when an operator says so', async () => {
  let right = false
  const made = start((n, { secret }) => (secret === 's2' && !right ? oauth('invalid_client') : token(n)))
  await made.get()
  made.account.change(grantOf('s2'))
  await until(() => made.told.includes('fell back'))
  right = true
  made.account.forget()
  await made.get()
  await until(() => made.told.includes('took over'))
})

test('refused ones, and those before them refused too: the refusal of those that are configured is told', async () => {
  let old = true
  const made = start((n, { secret }) => {
    if (secret === 's2') return oauth('invalid_client')
    return old ? token(n) : oauth('invalid_grant')
  })
  await made.get()
  old = false
  made.account.change(grantOf('s2'))
  await until(() => made.told.length === 3)
  assert.equal(await made.get(), 'Atza|1', 'the token in force serves on')
  made.advance(HOUR)
  assert.equal(await made.get(), 'invalid_client')
  assert.ok(!made.told.includes('fell back'))
})

test('refused ones, and Login with Amazon fails for those before them: that passes, it is no refusal', async () => {
  let down = false
  const made = start((n, { secret }) => {
    if (secret === 's2') return oauth('invalid_client')
    return down ? broken(500) : token(n)
  })
  await made.get()
  made.advance(HOUR)
  down = true
  made.account.change(grantOf('s2'))
  assert.match(await made.get(), /^unavailable/)
  down = false
  made.advance(1000)
  assert.match(await made.get(), /^Atza/)
})

test('a wrong one, then the right one: taken over at once, whatever is remembered of the wrong one', async () => {
  const made = start((n, { secret }) => (secret === 'wrong' ? oauth('invalid_client') : token(n)))
  await made.get()
  made.account.change(grantOf('wrong'))
  await until(() => made.told.includes('fell back'))
  made.account.change(grantOf('right'))
  await until(() => made.told.includes('took over'))
  assert.equal(await made.get(), 'Atza|4')
  assert.deepEqual(made.secrets(), ['s1', 'wrong', 's1', 'right'])
})

test('a wrong one, then the old one again: nothing is new, and the token in force stays', async () => {
  const made = start((n, { secret }) => (secret === 'wrong' ? oauth('invalid_client') : token(n)))
  await made.get()
  made.account.change(grantOf('wrong'))
  await until(() => made.told.includes('fell back'))
  made.account.change(grantOf('s1'))
  await after(20)
  assert.equal(made.sent.length, 3)
  made.advance(HOUR)
  assert.equal(await made.get(), 'Atza|4')
  assert.equal(made.told.at(-1), 'success current')
})

test('old ones put back are asked for again, though refused a moment ago', async () => {
  let valid = true
  const made = start((n) => (valid ? token(n) : oauth('invalid_client')))
  await made.get()
  valid = false
  made.advance(HOUR)
  assert.equal(await made.get(), 'invalid_client')
  made.account.change(grantOf('s2'))
  await until(() => made.sent.length === 3)
  valid = true
  made.account.change(grantOf('s1'))
  assert.equal(await made.get(), 'Atza|4')
  assert.equal(made.sent.length, 4)
})

test('a change while the old ones are being asked with: the new ones are asked next', async () => {
  const { promise, resolve } = gate()
  const made = start(async (n) => {
    if (n === 1) await promise
    return token(n)
  })
  const first = made.get()
  await until(() => made.sent.length === 1)
  made.account.change(grantOf('s2'))
  resolve()
  assert.equal(await first, 'Atza|1')
  await until(async () => (await made.get()) === 'Atza|2')
  assert.deepEqual(made.secrets(), ['s1', 's2'])
})

test('a change while the old ones are being refused: who waits gets the token of the new ones', async () => {
  const { promise, resolve } = gate()
  const made = start(async (n) => {
    if (n > 1) return token(n)
    await promise
    return oauth('invalid_client')
  })
  const first = made.get()
  await until(() => made.sent.length === 1)
  made.account.change(grantOf('s2'))
  resolve()
  assert.equal(await first, 'Atza|2')
  await after(20)
  assert.equal(made.sent.length, 2)
})

test('two changes while the old ones are being asked with: the last alone is asked next', async () => {
  const { promise, resolve } = gate()
  const made = start(async (n) => {
    if (n === 1) await promise
    return token(n)
  })
  const first = made.get()
  await until(() => made.sent.length === 1)
  made.account.change(grantOf('s2'))
  made.account.change(grantOf('s3'))
  resolve()
  await first
  await until(async () => (await made.get()) === 'Atza|2')
  await after(20)
  assert.deepEqual(made.secrets(), ['s1', 's3'])
})

test('a change while Login with Amazon is down: the token in force serves on, and they are tried again', async () => {
  let down = false
  const made = start((n) => (down ? broken(500) : token(n)))
  await made.get()
  down = true
  made.account.change(grantOf('s2'))
  await until(() => made.sent.length === 4)
  await after(20)
  assert.equal(await made.get(), 'Atza|1')
  down = false
  made.advance(1100)
  assert.equal(await made.get(), 'Atza|1')
  await until(() => made.told.includes('took over'))
  assert.equal(await made.get(), 'Atza|5')
})

test('another refresh token is told when tokens come by it, not before', async () => {
  const made = start((n, { refresh }) => (refresh === 'Atzr|wrong' ? oauth('invalid_grant') : token(n)))
  await made.get()
  made.account.change(grantOf('s1', 'Atzr|wrong'))
  await until(() => made.told.includes('fell back'))
  assert.ok(!made.told.includes('reauthorised'))
  made.account.change(grantOf('s2', 'Atzr|a'))
  await until(() => made.told.includes('took over'))
  assert.ok(!made.told.includes('reauthorised'), 'only the client secret is another')
  made.account.change(grantOf('s2', 'Atzr|b'))
  await until(() => made.told.includes('reauthorised'))
  assert.equal(made.told.filter((one) => one === 'reauthorised').length, 1)
})

test('the last good ones are the last good ones, not the first', async () => {
  const made = start((n, { secret }) => (secret === 's3' ? oauth('invalid_client') : token(n)))
  await made.get()
  made.account.change(grantOf('s2'))
  await until(() => made.told.includes('took over'))
  made.account.change(grantOf('s3'))
  await until(() => made.told.includes('fell back'))
  assert.deepEqual(made.secrets(), ['s1', 's2', 's3', 's2'])
})

test('a young token that Amazon refuses is not to blame; an older one is replaced, once for all who say so', async () => {
  const made = start((n) => token(n))
  await made.get()
  assert.equal(made.account.rejected('Atza|1'), false)
  made.advance(9000)
  assert.equal(made.account.rejected('Atza|1'), false)
  assert.equal(await made.get(), 'Atza|1')
  made.advance(2000)
  const answers = await many(20, async () => {
    assert.equal(made.account.rejected('Atza|1'), true)
    return made.get()
  })
  assert.deepEqual(new Set(answers), new Set(['Atza|2']))
  assert.equal(made.account.rejected('Atza|1'), true, 'a late complaint: there is another')
  assert.equal(await made.get(), 'Atza|2')
  assert.equal(made.account.rejected('Atza|2'), false)
  assert.equal(made.sent.length, 2)
})

test('where Amazon refuses every token, a new one is asked for every ten seconds at most', async () => {
  const made = start((n) => token(n))
  for (let second = 0; second < 60; second += 1) {
    for (let i = 0; i < 20; i += 1) made.account.rejected(await made.get())
    made.advance(1000)
  }
  assert.ok(made.sent.length <= 7, String(made.sent.length))
})

test('when each secret last worked: the configured ones, 0 before the first time', async () => {
  const seconds = () => Date.now() / 1000
  const made = start((n, { secret }) => (secret === 'wrong' ? oauth('invalid_client') : token(n)))
  assert.deepEqual(made.account.lastUse(), { clientSecret: 0, refreshToken: 0 })
  const from = seconds()
  await made.get()
  const first = made.account.lastUse()
  assert.ok(first.clientSecret >= from && first.refreshToken >= from && first.refreshToken <= seconds())
  made.account.change(grantOf('wrong'))
  await until(() => made.told.includes('fell back'))
  const second = made.account.lastUse()
  assert.equal(second.clientSecret, 0)
  assert.ok(second.refreshToken >= first.refreshToken)
  made.account.change(grantOf('s3', 'Atzr|b'))
  assert.deepEqual(made.account.lastUse(), { clientSecret: 0, refreshToken: 0 })
  await until(() => made.told.includes('took over'))
  assert.ok(made.account.lastUse().clientSecret >= from && made.account.lastUse().refreshToken >= from)
})

test('after close nothing happens in the background', async () => {
  const made = start((n) => token(n))
  await made.get()
  made.account.close()
  made.advance(0.9 * HOUR)
  assert.equal(await made.get(), 'Atza|1')
  made.account.change(grantOf('s2'))
  await after(20)
  assert.equal(made.sent.length, 1)
})

test('a failure of ours rejects for who waits and is told where nobody does; the next one asks anew', async () => {
  let failing = true
  const made = start((n) => token(n), {
    onAnswer: () => {
      if (failing) throw new Error('a bug')
    },
  })
  await assert.rejects(made.get(), /a bug/)
  made.account.change(grantOf('s2'))
  await until(() => made.bugs.length === 1)
  failing = false
  assert.equal(await made.get(), 'Atza|3')
})
