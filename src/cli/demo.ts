/** `demo`: simulator and sidecar on free ports, a short real workload, and what it cost. Needs no account and no network. */
import { parseArgs, styleText } from 'node:util'
import { createSidecar } from '../sidecar.ts'
import { documentId } from '../simulator/reports.ts'
import { createSimulator } from '../simulator/simulator.ts'
import type { LogEntry, Simulator } from '../simulator/types.ts'
import { type Command, configOf, runtimeOf } from './command.ts'
import { burstText, economyOf, type Paint, steadyText, tableOf, tryByHand } from './demo-report.ts'
import { type Ask, burstOf, type DemoCall, medianOf, steadily, workOf } from './demo-workload.ts'

const TOKEN = 'x-amz-access-token'
const SAMPLES = 200
const BURST = 200
const LIFE_S = 1

export const demo: Command = async (io) => {
  const { values } = parseArgs({ args: io.args, options: { once: { type: 'boolean' } } })
  const paint: Paint = (style, text) => (io.terminal ? styleText(style, text) : text)
  const simulator = createSimulator()
  const amazon = await simulator.listen()
  const sidecar = createSidecar(configOf({ env: environmentFor(amazon) }), runtimeOf(io))
  const { data, admin } = await sidecar.listen()
  const [base, adminBase] = [data[0]?.port, admin.port].map((port) => `http://127.0.0.1:${port}`) as [string, string]

  io.out(`Simulated SP-API at ${amazon}, sidecar at ${base}. Two sellers fetch their orders, a label and a report.\n\n`)
  const stage: Stage = { simulator, amazon, base, paint }
  io.out(await showDay(stage))
  io.out(await showBurst(stage))
  io.out(await showRenewal(stage))
  if (!values.once) {
    io.out(tryByHand(amazon, base, adminBase, paint))
    await io.stopped
  }
  await sidecar.close()
  await simulator.close()
  return 0
}

type Stage = { readonly simulator: Simulator; readonly amazon: string; readonly base: string; readonly paint: Paint }

const showDay = async ({ simulator, amazon, base, paint }: Stage): Promise<string> => {
  const calls: DemoCall[] = []
  await Promise.all(
    ['seller-a', 'seller-b'].map((seller) => workOf(asker(base, simulator.accessToken(seller), calls), documentId(1))),
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
  const ask = asker(base, simulator.accessToken('seller-c'), [])
  const from = performance.now()
  const ms = await burstOf(BURST, (target) => ask('getOrderAddress', 'GET', target, { 'x-rdt-scope': 'specific' }))
  const mints = mintsSince(simulator, from)
  return burstText({ orders: BURST, mints: mints.length, throttled: throttledOf(mints), ms }, paint)
}

const showRenewal = async ({ simulator, base, paint }: Stage): Promise<string> => {
  const calls: DemoCall[] = []
  const ask = asker(base, simulator.accessToken('seller-d'), calls)
  const from = performance.now()
  simulator.control({ rdtSeconds: LIFE_S })
  await steadily(2.5 * LIFE_S * 1000, 25, (target) => ask('getOrderAddress', 'GET', target))
  simulator.control({ rdtSeconds: 3600 })
  const waited = calls.filter(({ verdict }) => verdict !== 'hit').length
  const renewals = mintsSince(simulator, from).length - waited
  return steadyText({ calls: calls.length, waited, renewals, lifeS: LIFE_S }, paint)
}

/** `since`: on the clock of `performance`, which is the simulator's. */
const mintsSince = (simulator: Simulator, since: number): readonly LogEntry[] =>
  simulator.log().filter(({ kind, at }) => kind === 'mint' && at >= since)
const throttledOf = (mints: readonly LogEntry[]): number => mints.filter(({ status }) => status === 429).length

const asker =
  (base: string, token: string, calls: DemoCall[]): Ask =>
  async (operation, method, target, headers = {}) => {
    const response = await fetch(base + target, { method, headers: { [TOKEN]: token, ...headers } })
    const body: unknown = await response.json()
    const verdict = response.headers.get('x-rdt-verdict') ?? 'none'
    calls.push({ operation, status: response.status, verdict })
    return body
  }

/** The visitor's own SIDECAR_* are left out: the demo is the same everywhere. */
const environmentFor = (endpoint: string) => ({
  SIDECAR_PORT: '0',
  SIDECAR_ADMIN_PORT: '0',
  SIDECAR_ENDPOINT: endpoint,
  SIDECAR_LOG_LEVEL: 'silent',
  SIDECAR_LOG_AUDIT: 'false',
  SIDECAR_RDT_EXPIRY_MARGIN_MS: '100', // for RDTs that live a second
})
