/**
 * One fault, from the callers' side: a sidecar of its own in front of a relay, calls before the fault, in it and after it. Says what
 * the callers got and how soon, how often each call arrived at the far end, and when they were served again.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { text as readText } from 'node:stream/consumers'
import { answerTo, open } from '../support/http-client.ts'
import type { Life } from '../support/life.ts'
import { CALLER_TOKEN, startManaged } from '../support/managed.ts'
import { after, until } from '../support/many.ts'
import { type PairOptions, startPair } from '../support/pair.ts'
import { ATTEMPT_MS, envOf } from './bounds.ts'
import { createName, type Resolution } from './names.ts'
import { type AnswerFault, CALL_ID, type Door, type Hop, type Relay, startRelay } from './relay.ts'
import { asItCame, CUT, ENDLESS, PROBES, type Scenario, SERVED } from './scenarios.ts'
import { type Vouched, vouched } from './vouched.ts'

export type Injection =
  | { readonly answer: AnswerFault }
  | { readonly door: Door | keyof Vouched; readonly tls?: true }
  | { readonly name: Exclude<Resolution, 'here'> }
/** A call, as a caller sends it. */
export type Probe = { readonly target: string; readonly method: string; readonly body?: string }

/** What became of one call. */
export type Seen = {
  readonly probe: Probe
  /** In the words of scenarios.ts: `503 mint-unavailable` is an answer of the sidecar's own. */
  readonly got: string
  readonly verdict: string
  readonly details: string
  readonly retryAfterS: number
  readonly tookMs: number
  /** All of it, for what must not be in it. */
  readonly text: string
  /** How often it has arrived at SP-API by now. */
  readonly arrived: () => number
}
export type Trial = {
  readonly during: readonly Seen[]
  /** The first time after the fault. */
  readonly after: readonly Seen[]
  /** The last time: the same, or once more where they had been told to come back. */
  readonly back: readonly Seen[]
  /** Requests to the hop in the fault: as they arrived, and as the sidecar counts its own. */
  readonly asked: number
  readonly attempts: number
  /** Requests of no hop's: of a redirect that was followed. */
  readonly strays: number
  /** Everything the sidecar has said of itself: log, metrics, status. */
  readonly said: string
}

const COUNTED: Readonly<Record<Hop, string>> = {
  lwa: 'rdt_lwa_requests_total',
  mint: 'rdt_mint_requests_total',
  call: 'rdt_upstream_errors_total',
}
/** A refusal of nobody's is held for ten seconds. */
const HELD_MS = 10_000

export const runTrial = async (life: Life, scenario: Scenario): Promise<Trial> => {
  const { hop, probes = PROBES[hop], bound, recovers } = scenario
  const { inject, heal, relay, call, counted, said, advance } = await startWorld(life, scenario)
  const all = (patienceMs: number): Promise<Seen[]> => Promise.all(probes.map((probe) => call(probe, patienceMs)))
  if (hop === 'call') await all(FOREVER_MS) // RDTs are there: only the hop is tried
  const [askedBefore, countedBefore] = [asked(relay, hop), await counted()]
  await inject()
  const during = await all(bound === 'bytes' ? ENOUGH_MS : FOREVER_MS)
  const counts = { asked: asked(relay, hop) - askedBefore, attempts: (await counted()) - countedBefore }
  await after(SETTLED_MS)
  await heal()
  const first = await all(FOREVER_MS)
  const told = Math.max(...first.map(({ retryAfterS }) => retryAfterS))
  if (recovers === 'refusal') advance(HELD_MS)
  else if (told > 0) await after(recovers === 'attempt' ? ATTEMPT_MS : told * 1000)
  const back = told > 0 || recovers === 'refusal' ? await all(FOREVER_MS) : first
  await until(() => relay.left() === 0) // connections that came to nothing are given up
  const strays = relay.arrivals.filter(({ target }) => target === '/elsewhere').length
  return { during, after: first, back, ...counts, strays, said: await said() }
}
/** Longer than any bound. */
const FOREVER_MS = 15_000
const ENOUGH_MS = 3000
/** What the fault has sent is there. */
const SETTLED_MS = 50

const asked = ({ arrivals }: Relay, hop: Hop): number => arrivals.filter((one) => one.hop === hop).length

const startWorld = async (life: Life, scenario: Scenario) => {
  const { hop, injection } = scenario
  const certificates = 'tls' in injection ? await vouched() : undefined
  let amazon = ''
  const ofHop = {
    to: () => amazon,
    tls: certificates?.good,
    keep: 'answer' in injection || ('door' in injection && injection.door === 'cut'),
  }
  const relay = await startRelay(life, ofHop)
  const origin = hop === 'lwa' ? await startRelay(life, { to: () => amazon }) : relay
  const named = 'name' in injection ? createName(life) : undefined
  const host = named?.name ?? (certificates ? 'localhost' : '127.0.0.1')
  const url = `${certificates ? 'https' : 'http'}://${host}:${relay.port}`
  const endpoint = hop === 'lwa' ? `http://127.0.0.1:${origin.port}` : url
  let advanced = 0
  const overrides = { now: () => performance.now() + advanced }
  const env = { ...envOf(scenario), ...(hop === 'lwa' && { SIDECAR_LWA_ENDPOINT: `${url}/auth/o2/token` }) }
  const started = await startSidecar(life, hop, { endpoint, env, overrides })
  amazon = started.amazon
  const inject = async (): Promise<void> => {
    if ('answer' in injection) relay.breakAnswers(hop, injection.answer)
    else if ('name' in injection) named?.resolve(injection.name)
    else await relay.breakDoor(doorOf(injection.door, certificates))
  }
  const heal = (): Promise<void> => {
    named?.resolve('here')
    return relay.heal()
  }
  const read = async (what: string): Promise<string> => (await fetch(`${started.admin}/${what}`)).text()
  return {
    relay,
    inject,
    heal,
    call: (probe: Probe, patienceMs: number) => send({ ...started, origin, patienceMs }, probe),
    /** Puts the sidecar's clock forward. */
    advance: (ms: number): void => {
      advanced += ms
    },
    counted: async () => sumOf(await read('metrics'), COUNTED[hop]),
    said: async () => [...started.lines, await read('metrics'), await read('status')].join('\n'),
  }
}

const doorOf = (door: Door | keyof Vouched, certificates: Vouched | undefined): Door =>
  typeof door === 'string' && certificates && door in certificates
    ? certificates[door as keyof Vouched]
    : (door as Door)

/** With managed sellers where Login with Amazon is asked at all; else callers bring their tokens. */
const startSidecar = async (
  life: Life,
  hop: Hop,
  options: PairOptions & { readonly env: Readonly<Record<string, string>> },
) => {
  if (hop === 'lwa') return { ...(await startManaged(life, options)), headers: { 'x-rdt-caller-token': CALLER_TOKEN } }
  const pair = await startPair(life, options)
  return { ...pair, headers: { 'x-amz-access-token': pair.simulator.accessToken() } }
}

type Sending = {
  readonly base: string
  readonly headers: Record<string, string>
  readonly origin: Relay
  readonly patienceMs: number
}

/** On node:http, which sends nothing twice by itself; the caller leaves when it has waited longer than anybody should. */
const send = async ({ base, headers, origin, patienceMs }: Sending, probe: Probe): Promise<Seen> => {
  const { target, method, body = '' } = probe
  const id = randomUUID()
  const from = performance.now()
  const own = { [CALL_ID]: id, ...(body && { 'content-type': 'application/json', 'content-length': `${body.length}` }) }
  const req = open(base, method, target, { ...headers, ...own }).end(body)
  let left = false
  const timer = setTimeout(() => {
    left = true
    req.destroy()
  }, patienceMs)
  const answer = await answerTo(req).catch(NONE)
  const text = answer && (await readText(answer).catch(NONE))
  clearTimeout(timer)
  const { 'x-rdt-error': error, 'x-rdt-verdict': verdict, 'retry-after': retryAfter = 0 } = answer?.headers ?? {}
  return {
    probe,
    got: answer ? gotOf(answer, text, left) : `no answer${left ? ' in time' : ''}`,
    verdict: String(verdict),
    details: /"details":"([^"]*)/.exec(text ?? '')?.[1] ?? '',
    retryAfterS: error ? Number(retryAfter) : 0,
    tookMs: performance.now() - from,
    text: JSON.stringify(answer?.rawHeaders) + text,
    arrived: () => origin.arrivals.filter((one) => one.id === id && one.hop === 'call').length,
  }
}
const NONE = (): undefined => undefined

const gotOf = (answer: IncomingMessage, text: string | undefined, left: boolean): string => {
  const { statusCode = 0, headers } = answer
  if (headers['x-rdt-error']) return `${statusCode} ${headers['x-rdt-error']}`
  if (text === undefined) return left ? ENDLESS : CUT
  return statusCode < 300 && isSimulators(text) ? SERVED : asItCame(statusCode)
}
/** Of the operations that are called, and of a mint. */
const isSimulators = (text: string): boolean => /^{"(payload|feedId|expiresIn)":.*}$/.test(text)

const sumOf = (metrics: string, name: string): number =>
  metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
