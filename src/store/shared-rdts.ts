/**
 * RDTs and refusals that all replicas share: what one has found, the others take over; of what none has, one replica at a time asks
 * Amazon. Where the store is out of reach, or holds what cannot be read, each replica asks for itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createExpiringMap } from '../expiring-map.ts'
import type { Rdt } from '../rdt/cache.ts'
import { identityOf } from '../rdt/credential.ts'
import type { MintResult } from '../rdt/desk.ts'
import type { Circumstances, Fleet } from '../rdt/fleet.ts'
import type { Order } from '../rdt/minter.ts'
import { keyOf, type Need, servedBy } from '../rdt/need.ts'
import { REACHES, type Refused, reachOf } from '../rdt/refusal.ts'
import { lifeOf, type Refusals, refusalKey } from '../rdt/refusals.ts'
import { type RenewalPolicy, refreshAtOf } from '../rdt/renewal.ts'
import { UNWANTED } from '../rdt/settle.ts'
import { parseJson } from '../sp-api/json.ts'
import { type Ask, done } from './ask.ts'
import { DIFFERENCE_MS } from './scripts.ts'
import type { Sealer } from './sealer.ts'

export type SharedRdtsOptions = {
  readonly ask: Ask
  readonly sealer: () => Sealer
  /** Of this process, as the store knows it. */
  readonly replica: string
  /** Counts flushes, this replica's and others'. */
  readonly flushes: () => number
  /** Flush fields of an RDT's operations: a list a key. */
  readonly fieldsOf: (need: Need) => readonly (readonly string[])[]
  readonly refusals: Refusals
  readonly renewal: RenewalPolicy
  readonly onUnreadable: () => void
  readonly now: () => number
  readonly random: () => number
}

/** What is being minted here for all: names and content of the lock, and since when, by the store's clock. */
type Lock = { readonly names: readonly string[]; readonly holds: string; readonly since: string }

/** Milliseconds after which a lock ends whose holder has died; it is extended every second. */
export const LOCK_MS = 5000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 250
const UNHURRIED_PAUSE_MS = 2000
const REMEMBERED = 10_000
const ELSEWHERE = { failed: 'the replica that asks for it has not been answered in time' }

type ClaimAnswer = readonly (string | number)[]
type Claim =
  | { readonly kind: 'rdt'; readonly rdt: Rdt; readonly usableUntil: number | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refused; readonly lifeMs: number }
  | { readonly kind: 'held' }
  | { readonly kind: 'won'; readonly lock: Lock }
  /** `since`: by the store's clock. */
  | { readonly kind: 'unfit' | 'unreadable'; readonly since: string }

const OUTCOMES = { rdt: 'hit', refused: 'hit', unfit: 'unfit', unreadable: 'unfit', won: 'won', held: 'held' } as const

export const createSharedRdts = (options: SharedRdtsOptions) => {
  const { ask, sealer, replica, refusals, renewal, now } = options
  const locks = new Set<Lock>()
  const adopted = createExpiringMap<Rdt>({ maxEntries: REMEMBERED, now }) // one object for all keys of a shared mint
  const rejected = createExpiringMap<object>({ maxEntries: REMEMBERED, now })

  const once = async (
    order: Order,
    circumstances: Circumstances,
    mint: () => Promise<MintResult>,
  ): Promise<MintResult> => {
    const who = identityOf(order.credential)
    let newerThan = '0' // what the store has held for so long will not do
    for (let n = 0; ; n += 1) {
      const flushes = options.flushes()
      const claim = await claimFor(order, who, circumstances, newerThan)
      if (flushes !== options.flushes() && claim.kind !== 'alone') {
        if (claim.kind === 'won') tell(claim.lock)
        continue // that was before the flush
      }
      switch (claim.kind) {
        case 'rdt':
          return { kind: 'minted', rdt: claim.rdt, elsewhere: { usableUntil: claim.usableUntil } }
        case 'refused':
          if (!circumstances.stale()) refusals.remember(order, claim.refusal, claim.lifeMs)
          return claim.refusal
        case 'alone':
          return mint()
        case 'won':
          order.onProgress('throttled')
          return mintForAll(order, who, claim.lock, circumstances, mint)
        case 'unreadable':
          options.onUnreadable()
          newerThan = claim.since
          break
        case 'unfit':
          newerThan = claim.since
          break
        case 'held':
          order.onProgress(ELSEWHERE)
          await pause(n, order)
          if (!order.wanted()) return UNWANTED
      }
    }
  }

  /** Before the store is asked again. Whom nobody waits for has time, until somebody comes. */
  const pause = async (n: number, { waiters }: Order): Promise<void> => {
    const hurried = waiters() > 0
    const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** n, hurried ? LONGEST_PAUSE_MS : UNHURRIED_PAUSE_MS)
    const until = now() + longestMs * (0.5 + options.random() / 2)
    while (now() < until && (hurried || waiters() === 0))
      await delay(Math.max(1, Math.min(until - now(), LONGEST_PAUSE_MS)), undefined, { ref: false })
  }

  const claimFor = async (
    order: Order,
    who: string,
    { leastLifeMs, renewed, lost }: Circumstances,
    newerThan: string,
  ): Promise<Claim | { readonly kind: 'alone' }> => {
    const { names, open } = sealer()
    const columns = [
      names('rdt', keyOf(order.origin, who, order.need)),
      names('lock', keyOf(order.origin, who, order.need)),
      names('flushes'),
      ...REACHES.map((reach) => names('refusal', refusalKey(reach, order, who))),
    ]
    const fields = options.fieldsOf(order.need)
    const rows = fields.length
    const keys = fields.flatMap((_, row) => columns.map((column) => column[row] ?? ''))
    const least = Math.ceil(leastLifeMs + renewal.expiryMarginMs)
    const sentAt = now()
    // a renewal that nobody waits for yet holds up no caller
    const unhurried = renewed !== undefined && order.waiters() === 0 ? 'p' : ''
    const asked = [rows, replica, LOCK_MS, least, unhurried, newerThan, ...fields.flat()]
    const lockOf = (since: string): Lock => ({
      names: columns[1] ?? [],
      holds: `${since}:${unhurried} ${replica}`,
      since,
    })
    const read = (answer: unknown): Claim => {
      const [kind, ...rest] = answer as ClaimAnswer
      if (kind === 'won') return { kind, lock: lockOf(String(rest[0])) }
      if (kind === 'held') return { kind }
      const [row = 0, column = 0, lifeMs = 0, age = 0] = rest.map(Number)
      const [since = '', sealed = ''] = rest.slice(-2).map(String)
      const text = open(row - 1, `${columns[column - 1]?.[row - 1]} ${since}`, sealed)
      const value = text === undefined ? undefined : parseJson(text)
      if (!value) return { kind: 'unreadable', since }
      if (age < -DIFFERENCE_MS) return { kind: 'unfit', since }
      const ageMs = Math.max(0, age)
      // the store's word for how long it lives is not taken alone: since when it has lived is sealed with it
      if (kind === 'refused') {
        const leftMs = Math.min(lifeMs, lifeOf(value as Refused) - ageMs)
        return leftMs > 0 ? { kind, refusal: value as Refused, lifeMs: leftMs } : { kind: 'unfit', since }
      }
      const { lifeMs: wholeMs, usableMs } = value as Kept
      const leftMs = Math.min(lifeMs, wholeMs - ageMs)
      const rdt = rdtIn(value as Kept, sentAt, leftMs)
      const usableUntil = usableMs === undefined ? undefined : sentAt + usableMs - ageMs
      const over = lost() || (usableUntil !== undefined && usableUntil <= now())
      const opensMore = order.need.exact && rdt.resources !== order.need.resources.length
      const unfit = over || leftMs <= least || opensMore || rdt.token === renewed || rejected.get(rdt.token)
      return unfit ? { kind: 'unfit', since } : { kind: 'rdt', rdt, usableUntil }
    }
    const readAndTold = (answer: unknown) => {
      const result = read(answer)
      return { outcome: OUTCOMES[result.kind], result }
    }
    const claim = await ask('claim', 'claim', keys, asked, readAndTold, (late) => {
      const [kind, since] = late as ClaimAnswer
      if (kind === 'won') tell(lockOf(String(since))) // it was gone on without
    })
    return claim ?? { kind: 'alone' }
  }

  const rdtIn = ({ token, resources, lifeMs }: Kept, at: number, leftMs: number): Rdt => {
    const known = adopted.get(token)
    if (known) return known
    const expiresAt = at + leftMs
    const refreshAt = refreshAtOf(renewal, expiresAt - lifeMs, expiresAt, options.random())
    const rdt = { token, resources, expiresAt, refreshAt }
    if (resources > 1) adopted.set(token, rdt, leftMs)
    return rdt
  }

  /** The lock is ours: it is kept as long as the mint takes, and what comes of that is told. */
  const mintForAll = async (
    order: Order,
    who: string,
    lock: Lock,
    { stale, granted }: Circumstances,
    mint: () => Promise<MintResult>,
  ): Promise<MintResult> => {
    const mintedFrom = now()
    locks.add(lock)
    try {
      const result = await mint()
      // where the credential has come to speak for somebody else meanwhile, nobody knows for whom this was minted
      const known = !stale() && identityOf(order.credential) === who
      if (known && result.kind === 'minted') tellRdt(order, who, lock, result.rdt, mintedFrom, granted())
      else if (known && result.kind === 'refused') tellRefusal(order, who, lock, result)
      else tell(lock)
      return result
    } catch (bug) {
      tell(lock)
      throw bug
    } finally {
      locks.delete(lock)
    }
  }

  const tellRdt = (order: Order, who: string, lock: Lock, rdt: Rdt, mintedFrom: number, until: number): void => {
    const { token, resources, expiresAt = 0 } = rdt
    const leftMs = Math.floor(expiresAt - now())
    if (leftMs <= renewal.expiryMarginMs) {
      tell(lock)
      return
    }
    const usableMs = until === Number.POSITIVE_INFINITY ? undefined : Math.ceil(until - mintedFrom)
    const kept: Kept = { token, resources, lifeMs: Math.ceil(expiresAt - mintedFrom), usableMs }
    const names = servedBy(order.need).map((need) => sealer().names('rdt', keyOf(order.origin, who, need)))
    tell(lock, { names, text: JSON.stringify(kept), lifeMs: leftMs })
  }

  const tellRefusal = (order: Order, who: string, lock: Lock, refusal: Refused): void => {
    const reach = reachOf(refusal)
    const lifeMs = lifeOf(refusal)
    // of a managed seller other replicas have other access tokens, which may fare better
    if (lifeMs === 0 || (reach === 'credential' && 'managed' in order.credential)) {
      tell(lock)
      return
    }
    const { status, code, message, details, requestId, answer } = refusal
    const kept: Refused = { kind: 'refused', status, code, message, details, requestId, answer }
    const names = [sealer().names('refusal', refusalKey(reach, order, who))]
    tell(lock, { names, text: JSON.stringify(kept), lifeMs })
  }

  /** What is told, if anything is, and with it the lock is given back. Nobody waits for that. */
  const tell = (lock: Lock, told?: Told): void => {
    const values = (told?.names ?? []).flatMap((all) =>
      all.map((name, row) => ({
        name,
        value: `${lock.since}:${sealer().seal(row, `${name} ${lock.since}`, told?.text ?? '')}`,
      })),
    )
    const names = [...lock.names, ...values.map(({ name }) => name)]
    const args = [lock.names.length, lock.holds, told?.lifeMs ?? 0, ...values.map(({ value }) => value)]
    void ask(told ? 'put' : 'release', 'put', names, args, done)
  }

  const fleet: Fleet = {
    once,
    rejected: (token) => rejected.set(token, {}, REJECTED_MS),
  }
  return {
    fleet,
    /** To be extended: see LOCK_MS. */
    locks: (): readonly Lock[] => [...locks],
  }
}

/** A day: none lives longer (sp-api/json.ts). */
const REJECTED_MS = 86_400_000

type Told = {
  readonly names: readonly (readonly string[])[]
  readonly text: string
  readonly lifeMs: number
}

type Kept = {
  readonly token: string
  readonly resources: number
  /** From its mint to its end, in milliseconds. */
  readonly lifeMs: number
  /** From its mint to the end of its use, where that is not its own; see standing.ts. */
  readonly usableMs?: number | undefined
}
