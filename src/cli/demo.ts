/** `demo`: simulator and sidecar on free ports, a short real workload, what it cost, and a page to watch. Needs no account and no network. */
import path from 'node:path'
import { parseArgs, styleText } from 'node:util'
import { createSidecar } from '../sidecar.ts'
import { documentId } from '../simulator/reports.ts'
import { createSimulator } from '../simulator/simulator.ts'
import type { LogEntry, Simulator } from '../simulator/types.ts'
import { accepted, type Command, load, loadToServe, runtimeOf, temporaryFolder } from './command.ts'
import {
  burstText,
  economyOf,
  managedText,
  type Paint,
  type Span,
  steadyText,
  tableOf,
  tryByHand,
  watchIt,
} from './demo-report.ts'
import {
  type Ask,
  burstOf,
  DENIED,
  type DemoCall,
  medianOf,
  PARTICIPATIONS,
  quietDay,
  steadily,
  workOf,
} from './demo-workload.ts'

const TOKEN = 'x-amz-access-token'
const SAMPLES = 200
const BURST = 200
const LIFE_S = 1
const LWA_LIFE_S = 2
/** Managed sellers; selling partners of the simulator have the same names. */
const MANAGED = ['books', 'toys'] as const
const SECRETS = { old: 'secret-of-last-year', new: 'simulated-secret' } as const

export const demo: Command = async (io) => {
  const { values } = parseArgs({ args: io.args, options: { once: { type: 'boolean' } } })
  const paint: Paint = (style, text) => (io.terminal ? styleText(style, text) : text)
  const simulator = createSimulator()
  simulator.control({ clientSecrets: [SECRETS.old] })
  const amazon = await simulator.listen()
  const tokenFile = path.join(temporaryFolder(io), 'caller-token')
  const environment = (secret: string) => ({ env: environmentFor(amazon, tokenFile, secret) })
  const config = accepted(loadToServe(environment(SECRETS.old)))
  const sidecar = createSidecar(config, runtimeOf(io))
  const { data, admin } = await sidecar.listen()
  const [base, adminBase] = [data[0]?.port, admin.port].map((port) => `http://127.0.0.1:${port}`) as [string, string]
  const stage: Stage = {
    simulator,
    amazon,
    base,
    paint,
    callerToken: config.callers[0]?.tokens[0]?.reveal() ?? '',
    takeOver: (secret) => sidecar.reload(load(environment(secret)), 'signal'),
  }

  const show = async (): Promise<void> => {
    io.out(
      `Simulated SP-API at ${amazon}, sidecar at ${base}. Two sellers fetch their orders, a label and a report.\n\n`,
    )
    if (!values.once) io.out(watchIt(adminBase))
    for (const part of [showDay, showBurst, showRenewal, showManaged]) io.out(await part(stage))
    if (!values.once) {
      const managed = { seller: MANAGED[0], tokenFile }
      io.out(tryByHand({ amazon, sidecar: base, admin: adminBase, secret: SECRETS.new, managed }, paint))
      await goOn(stage, io.stopped)
    }
  }
  try {
    await Promise.race([show(), io.stopped])
  } finally {
    await sidecar.close()
    await simulator.close()
  }
  return 0
}

type Stage = {
  readonly simulator: Simulator
  readonly amazon: string
  readonly base: string
  readonly paint: Paint
  readonly callerToken: string
  /** The sidecar's client secret from now on. */
  readonly takeOver: (secret: string) => void
}

const showDay = async ({ simulator, amazon, base, paint }: Stage): Promise<string> => {
  const calls: DemoCall[] = []
  await Promise.all(
    ['seller-a', 'seller-b'].map((seller) => workOf(withToken(base, simulator, seller, calls), documentId(1))),
  )
  const mints = mintsSince(simulator, 0)
  const personal = simulator.log().filter(({ kind, pii }) => kind === 'call' && pii).length

  const token = simulator.accessToken('seller-a')
  const cached = '/orders/v0/orders/902-1845936-5435001/address'
  const get = (host: string) => () => fetch(host + cached, { headers: { [TOKEN]: token } }).then((res) => res.text())
  await medianOf(SAMPLES, get(amazon)) // warms both sides
  await medianOf(SAMPLES, get(base))
  const economy = {
    restricted: calls.filter(({ verdict }) => verdict !== 'not-restricted').length,
    mints: mints.length,
    throttled: throttledOf(mints),
    personal,
    directMs: await medianOf(SAMPLES, get(amazon)),
    throughMs: await medianOf(SAMPLES, get(base)),
  }
  return `${tableOf(calls, paint)}\n${economyOf(economy, paint)}`
}

const showBurst = async ({ simulator, base, paint }: Stage): Promise<string> => {
  const ask = withToken(base, simulator, 'seller-c', [])
  const from = performance.now()
  const ms = await burstOf(BURST, (target) => ask('getOrderAddress', 'GET', target, { 'x-rdt-scope': 'specific' }))
  const mints = mintsSince(simulator, from)
  return burstText({ orders: BURST, mints: mints.length, throttled: throttledOf(mints), ms }, paint)
}

const showRenewal = async ({ simulator, base, paint }: Stage): Promise<string> => {
  const calls: DemoCall[] = []
  const ask = withToken(base, simulator, 'seller-d', calls)
  const from = performance.now()
  simulator.control({ rdtSeconds: LIFE_S })
  await steadily(2.5 * LIFE_S * 1000, 25, (target) => ask('getOrderAddress', 'GET', target))
  simulator.control({ rdtSeconds: 3600 })
  const waited = calls.filter(({ verdict }) => verdict !== 'hit').length
  const renewals = mintsSince(simulator, from).length - waited
  return steadyText({ calls: calls.length, waited, renewals, lifeS: LIFE_S }, paint)
}

const showManaged = async ({ simulator, base, paint, callerToken, takeOver }: Stage): Promise<string> => {
  const calls: DemoCall[] = []
  const asks = MANAGED.map((seller) =>
    asker(base, { 'x-rdt-seller': seller, 'x-rdt-caller-token': callerToken }, calls),
  )
  const span = async (work: () => Promise<unknown>): Promise<Span> => {
    const [from, before] = [performance.now(), calls.length]
    await work()
    const failed = calls.slice(before).filter(({ status }) => status !== 200).length
    return { ...countOf(simulator, from), failed }
  }
  /** RDTs serve the one call; the other goes out with the access token. */
  const forAWhile = (ms: number) => () =>
    steadily(ms, 25, (target) =>
      Promise.all(
        asks.flatMap((ask) => [
          ask('getOrderAddress', 'GET', target),
          ask('getMarketplaceParticipations', 'GET', PARTICIPATIONS),
        ]),
      ),
    )
  simulator.control({ accessTokenSeconds: LWA_LIFE_S })
  const day = await span(() => Promise.all(asks.map((ask) => workOf(ask, documentId(1)))))
  const arrived = simulator.log().length
  const refused = await fetch(base + PARTICIPATIONS, { headers: { 'x-rdt-seller': MANAGED[0] } })
  const unproven = {
    status: refused.status,
    error: refused.headers.get('x-rdt-error') ?? 'none',
    atAmazon: simulator.log().length - arrived,
  }
  const renewed = await span(forAWhile(LWA_LIFE_S * 1000))
  simulator.control({ clientSecrets: [SECRETS.new] })
  takeOver(SECRETS.new)
  const rotated = await span(forAWhile(500))
  simulator.control({ accessTokenSeconds: 3600 })
  return managedText({ day, unproven, renewed, rotated, lifeS: LWA_LIFE_S }, paint)
}

/** Gives the page something to show until `stopped`; prints nothing. */
const goOn = async ({ simulator, base, callerToken }: Stage, stopped: Promise<void>): Promise<void> => {
  const ending = new AbortController()
  stopped.then(() => ending.abort())
  simulator.control({ denyOperations: [DENIED.operation] })
  await quietDay(ending.signal, documentId(1), async (n, target, headers) => {
    const proof = { 'x-rdt-seller': MANAGED[n % 2 ? 1 : 0], 'x-rdt-caller-token': callerToken }
    const request = new Request(base + target, { headers: { ...proof, ...headers }, signal: ending.signal })
    try {
      await (await fetch(request)).arrayBuffer()
    } catch {
      // the visitor has stopped the demo, or the sidecar, or has made the simulator hang up
    }
  })
}

/** What the simulator saw of managed sellers since then. */
const countOf = (simulator: Simulator, since: number): Omit<Span, 'failed'> => {
  const seen = simulator.log().filter(({ at, seller }) => at >= since && MANAGED.some((one) => one === seller))
  const lwa = seen.filter(({ kind }) => kind === 'lwa')
  return {
    calls: seen.filter(({ kind, status }) => kind === 'call' && status === 200).length,
    personal: seen.filter(({ kind, pii }) => kind === 'call' && pii).length,
    mints: seen.filter(({ kind }) => kind === 'mint').length,
    lwa: lwa.length,
    lwaRefused: lwa.filter(({ status }) => status !== 200).length,
  }
}

/** `since`: on the clock of `performance`, which is the simulator's. */
const mintsSince = (simulator: Simulator, since: number): readonly LogEntry[] =>
  simulator.log().filter(({ kind, at }) => kind === 'mint' && at >= since)
const throttledOf = (mints: readonly LogEntry[]): number => mints.filter(({ status }) => status === 429).length

const withToken = (base: string, simulator: Simulator, seller: string, calls: DemoCall[]): Ask =>
  asker(base, { [TOKEN]: simulator.accessToken(seller) }, calls)

const asker =
  (base: string, proof: Readonly<Record<string, string>>, calls: DemoCall[]): Ask =>
  async (operation, method, target, headers = {}) => {
    const response = await fetch(base + target, { method, headers: { ...proof, ...headers } })
    const body: unknown = await response.json()
    const verdict = response.headers.get('x-rdt-verdict') ?? 'none'
    calls.push({ operation, status: response.status, verdict })
    return body
  }

/** The visitor's own SIDECAR_* are left out: the demo is the same everywhere. */
const environmentFor = (endpoint: string, callerTokenFile: string, clientSecret: string) => ({
  SIDECAR_PORT: '0',
  SIDECAR_ADMIN_PORT: '0',
  SIDECAR_ENDPOINT: endpoint,
  SIDECAR_LOG_LEVEL: 'silent',
  SIDECAR_LOG_AUDIT: 'false',
  SIDECAR_RDT_EXPIRY_MARGIN_MS: '100', // for tokens that live a second or two
  SIDECAR_LWA_ENDPOINT: `${endpoint}/auth/o2/token`,
  SIDECAR_AUTH_CALLER_TOKEN_FILE: callerTokenFile,
  SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE: 'true',
  SIDECAR_SELLERS: JSON.stringify(MANAGED.map((id) => ({ id, clientId: 'amzn1.application-oa2-client.demo' }))),
  ...Object.fromEntries(
    MANAGED.flatMap((id) => [
      [`SIDECAR_SELLERS_${id.toUpperCase()}_CLIENT_SECRET`, clientSecret],
      [`SIDECAR_SELLERS_${id.toUpperCase()}_REFRESH_TOKEN`, `Atzr|${id}`],
    ]),
  ),
})
