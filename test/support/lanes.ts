/** What callers of all kinds do all day long, each with what it should come to. */

import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { documentId, reportId } from '../../src/simulator/reports.ts'
import { type Asked, ask } from './asked.ts'
import { ownMint, TOKENS_API, worthless } from './floods.ts'
import { CALLER_TOKEN } from './managed.ts'
import { exchange } from './raw.ts'
import type { Soaked } from './soak.ts'

const JSON_TYPE = { 'content-type': 'application/json', 'user-agent': 'shop' }
const DOCUMENTS = '/reports/2021-06-30/documents/'
const managed = (n: number) => ({
  ...JSON_TYPE,
  'x-rdt-caller-token': CALLER_TOKEN,
  'x-rdt-seller': SELLERS[n % 2] ?? '',
})
const SELLERS = ['seller-a', 'seller-b']
const GOT = /^200 (hit|minted|replayed)/

type Kind = readonly [name: string, asked: (n: number, own: string) => Asked, expected: RegExp]

/** One call each, over and over; `own`: an access token of a caller's own. */
const KINDS: readonly Kind[] = [
  ['managed', (n) => ({ target: `/orders/v0/orders/${n % 50}/address`, headers: managed(n) }), GOT],
  ['managed order', (n) => ({ target: `/orders/v0/orders/${n % 50}`, headers: managed(n) }), GOT],
  ['once', (n) => ({ target: `/mfn/v0/shipments/${n}`, headers: { ...managed(n), 'x-rdt-scope': 'specific' } }), GOT],
  ['create', (n) => ({ method: 'POST', target: '/mfn/v0/shipments', body: '{}', headers: managed(n) }), GOT],
  [
    'own',
    (n, own) => ({ target: `/orders/v0/orders/${n}/buyerInfo`, headers: { ...JSON_TYPE, 'x-amz-access-token': own } }),
    GOT,
  ],
  [
    'open',
    (_, own) => ({
      target: '/sellers/v1/marketplaceParticipations',
      headers: { ...JSON_TYPE, 'x-amz-access-token': own },
    }),
    /^200 not-restricted/,
  ],
  [
    'upload',
    (n) => ({
      method: 'POST',
      target: '/feeds/2021-06-30/feeds',
      body: JSON.stringify({ n, feed: 'x'.repeat(100_000) }),
      headers: managed(n),
    }),
    /^202 not-restricted/,
  ],
  ['download', (n) => ({ target: '/_simulator/bytes/300000', headers: managed(n) }), /^200 not-restricted/],
  [
    'reports',
    (n) => ({ target: `/reports/2021-06-30/reports/${reportId((n % 100) + 1)}`, headers: managed(n) }),
    /^200 not-restricted/,
  ],
  [
    'document',
    (n) => ({ target: DOCUMENTS + documentId((n % 100) + 1), headers: managed(n) }),
    /^200 (hit|minted|replayed|unrestricted-report)/,
  ],
  [
    'own mint',
    (n) => ({
      method: 'POST',
      target: TOKENS_API,
      body: ownMint(`/orders/v0/orders/${n % 20}/address`),
      headers: managed(n),
    }),
    GOT,
  ],
  ['refused', (n) => ({ target: `/shipping/v1/shipments/${n}`, headers: managed(n) }), /^400 rejected;mint-refused/],
  ['no token', () => ({ target: '/orders/v0/orders', headers: JSON_TYPE }), /^403 rejected;untrusted-caller/],
  [
    'wrong caller',
    (n) => ({ target: '/orders/v0/orders', headers: { ...managed(n), 'x-rdt-caller-token': `wrong-${n}` } }),
    /^403 rejected;untrusted-caller/,
  ],
  ['unsafe', (n) => ({ target: `/orders/v0/../orders/${n}`, headers: managed(n) }), /^400 rejected;unsafe-path/],
  // 500: a mint that cannot be read is not tried again where Amazon fails at it
  ['worthless', (n) => worthless(n % WORTHLESS), /^(403|500 not-restricted)/],
]

/** Bytes that are no request, and requests that are not finished. */
const GARBAGE = [
  '\x16\x03\x01 hello',
  'GET / HTTP/1.1\r\nhost: x\r\nx: ',
  'POST /feeds HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx',
  'GET / HTTP/9.9\r\n\r\n',
]

const PAUSE_MS = 40 // of each lane, between two calls
/** Worthless tokens, again and again the same: what is remembered of ever new ones is another test's matter. */
const WORTHLESS = 600

/** They go on until `over`. */
export const startLanes = ({ place, ownToken, orders }: Soaked, over: () => boolean) => {
  const outcomes = new Map<string, number>()
  const unexpected: string[] = []
  let own = ''
  let calls = 0
  const count = (name: string, outcome: string): void => {
    calls += 1
    const key = `${name}: ${outcome}`
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1)
  }

  const keptAlive = new Agent({ keepAlive: true, maxSockets: 32 })
  const once = async ([name, askedOf, expected]: Kind, n: number): Promise<void> => {
    const { outcome, body } = await ask(place, askedOf(n, own), n % 3 === 0 ? false : keptAlive)
    count(name, outcome)
    if (!expected.test(outcome)) unexpected.push(`${name}: ${outcome} ${body.slice(0, 200)}`)
  }

  /** Mints for itself and calls with that. After a revocation what it was handed out may be worth nothing. */
  const handedOut = async (n: number): Promise<void> => {
    const headers = { ...JSON_TYPE, 'x-amz-access-token': own }
    const target = `/orders/v0/orders/${n % 20}/address`
    const { status, body } = await ask(place, { method: 'POST', target: TOKENS_API, body: ownMint(target), headers })
    if (status !== 200) return void unexpected.push(`handed out: ${status} ${body}`)
    const { restrictedDataToken } = JSON.parse(body) as { restrictedDataToken: string }
    const { outcome } = await ask(
      place,
      { target, headers: { ...JSON_TYPE, 'x-amz-access-token': restrictedDataToken } },
      keptAlive,
    )
    count('handed out', outcome)
    if (!/^(200|403) caller-rdt/.test(outcome)) unexpected.push(`handed out: ${outcome}`)
  }
  /** Leaves before it has its answer, or while it waits for a mint. */
  const leaving = async (n: number): Promise<void> => {
    const head = `GET /mfn/v0/shipments/left-${n} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-rdt-caller-token: ${CALLER_TOKEN}\r\nx-rdt-scope: specific\r\n\r\n`
    await exchange(place.port, head, { ms: n % 12 })
    count('leaving', 'left')
  }
  const garbage = async (n: number): Promise<void> => {
    await exchange(place.port, GARBAGE[n % GARBAGE.length] ?? '', { ms: 50 })
    count('garbage', 'left')
  }
  const limited = async (n: number): Promise<void> => {
    const headers = { ...JSON_TYPE, 'x-rdt-caller-token': orders }
    const allowed = await ask(place, { target: `/orders/v0/orders/${n}/address`, headers }, keptAlive)
    const not = await ask(place, { target: `/orders/v0/orders/${n}`, headers }, keptAlive)
    count('limited', `${allowed.outcome}, ${not.outcome}`)
    if (!GOT.test(allowed.outcome) || not.outcome !== '403 rejected;operation-not-allowed')
      unexpected.push(`limited: ${allowed.outcome}, ${not.outcome}`)
  }

  const lane = async (each: (n: number) => Promise<void>): Promise<void> => {
    for (let n = 0; !over(); n += 1) {
      try {
        await each(n)
      } catch (error) {
        unexpected.push(String(error))
      }
      await delay(PAUSE_MS * (0.5 + Math.random()))
    }
  }
  const renewing = async (): Promise<void> => {
    while (!over()) {
      own = await ownToken()
      for (let i = 0; i < 25 && !over(); i += 1) await delay(200)
    }
  }
  /** Fills the cache. */
  const manyResources = async (n: number): Promise<void> => {
    const paths = Array.from({ length: 50 }, (_, i) => `/orders/v0/orders/${n * 50 + i}/buyerInfo`)
    const headers = { ...JSON_TYPE, 'x-amz-access-token': own }
    const { outcome } = await ask(
      place,
      { method: 'POST', target: TOKENS_API, body: ownMint(...paths), headers },
      keptAlive,
    )
    count('fifty', outcome)
    if (!GOT.test(outcome)) unexpected.push(`fifty: ${outcome}`)
  }
  const begin = async (): Promise<void> => {
    own = await ownToken()
    for (let n = 0; n < 12; n += 1) await manyResources(n)
    const special = [handedOut, leaving, garbage, limited]
    await Promise.all([renewing(), ...KINDS.map((kind) => lane((n) => once(kind, n))), ...special.map(lane)])
    keptAlive.destroy()
  }
  return { ended: begin(), calls: (): number => calls, outcomes: () => Object.fromEntries(outcomes), unexpected }
}
