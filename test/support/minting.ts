/** A broker with its real cache, refusals, desks, limiters and Tokens API client; only the wire is a test's, so that every answer and moment can be chosen. */

import { createPoster } from '../../src/post.ts'
import { createBroker, type RdtRequest, type RdtResult } from '../../src/rdt/broker.ts'
import { createTokenCache } from '../../src/rdt/cache.ts'
import type { Credential } from '../../src/rdt/credential.ts'
import { createMinter, type MinterEvents, type Order, type Trigger } from '../../src/rdt/minter.ts'
import type { Need, RestrictedResource } from '../../src/rdt/need.ts'
import { createRefusals } from '../../src/rdt/refusals.ts'
import { createTokensApi } from '../../src/rdt/tokens-api.ts'

export type Sent = { readonly restrictedResources: readonly RestrictedResource[]; readonly targetApplication?: string }
/** Answers the nth mint. */
export type Wire = (n: number, sent: Sent) => Promise<Response>
export type Options = {
  maxEntries?: number
  maxWaitMs?: number
  burst?: number
  ratePerSecond?: number
  maxQueue?: number
  maxResources?: number
  batchWindowMs?: number
  timeoutMs?: number
  marginMs?: number
  refreshAfter?: number
  dropRefusedElements?: boolean
  random?: () => number
  /** Called in the moment in which it is found that nobody wants a mint any more. */
  onDrop?: () => void
}
export type Asked = Partial<Omit<RdtRequest, 'credential' | 'need'>> & {
  credential?: string | Credential
  need?: Partial<Need>
}

export const token = (n: number, expiresIn: unknown = 3600, headers: Record<string, string> = {}) =>
  Response.json({ restrictedDataToken: `Atz.sprdt|${n}`, expiresIn }, { headers })
export const refused = (message: string, status = 400, details = '') =>
  Response.json({ errors: [{ code: 'InvalidInput', message, details }] }, { status })

export const startMinting = (wire: Wire, options: Options = {}) => {
  const {
    maxEntries = 100,
    maxWaitMs = 1000,
    burst = 10,
    ratePerSecond = 50,
    maxQueue = 100,
    maxResources = 1,
    batchWindowMs = 5,
    timeoutMs = 500,
    marginMs = 60_000,
    refreshAfter = 1,
    random = () => 0,
  } = options
  let advanced = 0
  const now = () => performance.now() + 1 + advanced
  const lookups: string[] = []
  const evictions: string[] = []
  const outcomes: string[] = []
  const triggers: (readonly Trigger[])[] = []
  const bugs: unknown[] = []
  const sent: (Sent & { readonly at: number })[] = []
  const fetching = (_url: unknown, init?: RequestInit): Promise<Response> => {
    const body = JSON.parse(String(init?.body))
    sent.push({ ...body, at: performance.now() })
    const gone = new Promise<never>((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)),
    )
    return Promise.race([wire(sent.length, body), gone])
  }
  const events: MinterEvents = {
    mintAttempted: (orders, answer) => {
      outcomes.push(answer.kind)
      triggers.push(orders.map(({ trigger }) => trigger))
    },
    mintWaited: () => {},
    mintsWaiting: () => {},
  }
  const cache = createTokenCache({
    maxEntries,
    expiryMarginMs: marginMs,
    now,
    onEviction: (reason) => void evictions.push(reason),
  })
  const refusals = createRefusals({ maxEntries, now })
  const { onDrop = () => {} } = options
  const tellingDrops = (order: Order): Order => ({
    ...order,
    wanted: () => {
      const is = order.wanted()
      if (!is) onDrop()
      return is
    },
  })
  const minter = createMinter({
    tokensApi: createTokensApi(createPoster({ fetch: fetching as typeof fetch, timeoutMs, userAgent: 'test' })),
    plan: { ratePerSecond, burst, maxQueue, maxWaitMs, maxResources, batchWindowMs },
    renewal: { refreshAfter, expiryMarginMs: marginMs },
    refusals,
    events,
    now,
    random,
  })
  const broker = createBroker({
    cache,
    refusals,
    minter: { ...minter, mint: (order) => minter.mint(tellingDrops(order)) },
    onLookup: (result) => void lookups.push(result),
    onBug: (error) => void bugs.push(error),
    maxWaitMs,
    now,
    random,
  })
  const requestFor = (path: string, { credential = 'c1', need, ...rest }: Asked): RdtRequest => ({
    origin: 'https://na',
    trigger: 'miss',
    dropRefusedElements: options.dropRefusedElements ?? false,
    whenGone: () => {},
    credential: typeof credential === 'string' ? { id: credential, token: `Atza|${credential}` } : credential,
    need: { resources: [{ method: 'GET', path }], operation: 'things', ...need },
    ...rest,
  })
  return {
    lookups,
    evictions,
    outcomes,
    /** Why each mint was made: the trigger of each of its resources. */
    triggers,
    bugs,
    /** Bodies of the mints, as they left. */
    sent,
    paths: (): readonly string[][] =>
      sent.map(({ restrictedResources }) => restrictedResources.map((resource) => resource.path)),
    calls: (): number => sent.length,
    queued: minter.queued,
    plans: minter.plans,
    close: broker.close,
    flush: broker.flush,
    advance: (ms: number) => {
      advanced += ms
    },
    get: async (path = '/a', asked: Asked = {}): Promise<RdtResult> => broker.get(requestFor(path, asked)),
    replace: async (path: string, rdt: string, asked: Asked = {}): Promise<RdtResult> =>
      broker.replace({ ...requestFor(path, asked), trigger: 'replay' }, rdt),
  }
}
export type Minting = ReturnType<typeof startMinting>

export const rdtOf = (result: RdtResult): string =>
  result.kind === 'token' ? `${result.from} ${result.rdt.token}` : result.kind
