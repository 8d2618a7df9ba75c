/**
 * A sidecar with as many cached RDTs as wanted, each got by a call. In specific scope every order has its own; sellers take turns,
 * because the usage plan of one lets no more than its burst go at once. Nothing is logged: what is measured is what grows.
 */
import { freePort } from '../support/listen.ts'
import { sidecarScript } from './contenders.ts'
import { INSPECTABLE } from './inspector.ts'
import { closedLoop } from './load.ts'
import { type Running, startProgram } from './processes.ts'
import { accessToken, get } from './requests.ts'

export type Cached = Running & {
  readonly tokens: number
  /** One for each RDT, in scattered order. */
  readonly requests: readonly Buffer[]
}

/** Of an RDT, in bytes. Amazon tells no length; LWA tokens have up to 2048. */
export const RDT_BYTES = 1500
const SELLERS = 100

/** The orders of one seller lie together, so that those who wait at once can share a mint. */
const requestsFor = (count: number, firstOrder = 1_000_000): readonly Buffer[] => {
  const each = Math.max(1, Math.ceil(count / SELLERS))
  return Array.from({ length: count }, (_, i) => {
    const seller = String(Math.floor(i / each)).padStart(3, '0')
    return get(`/orders/v0/orders/902-${firstOrder + i}-5435001/address`, accessToken(`seller-${seller}`))
  })
}

/** A step that is prime to every size in use leads through all, in an order that no cache of the processor foresees. */
const scattered = <T>(list: readonly T[]): readonly T[] =>
  list.map((_, i) => list[(i * 7919) % list.length]).filter((one) => one !== undefined)

/**
 * `perMint`: most resources that share an RDT. `before`: RDTs minted first, for which there is no room later: V8 makes other code of
 * a sidecar that has minted than of one that has not, and that is not what is compared.
 */
export const startCached = async (
  upstreamPort: number,
  tokens: number,
  { perMint = 1, before = 0 }: { readonly perMint?: number; readonly before?: number } = {},
): Promise<Cached> => {
  const port = await freePort()
  const running = await startProgram({
    command: process.execPath,
    args: [...INSPECTABLE, sidecarScript(), 'serve'],
    env: environmentFor(upstreamPort, port, tokens, perMint),
    port,
  })
  const mint = async (requests: readonly Buffer[]) => {
    const count = requests.length
    const connections = Math.min(count, 4 * perMint + 32)
    if (count > 0) await closedLoop({ port, requests, count, connections, expected: '\r\nx-rdt-verdict: minted\r\n' })
  }
  try {
    await mint(scattered(requestsFor(before, 5_000_000)))
    const requests = requestsFor(tokens)
    await mint(perMint === 1 ? scattered(requests) : requests)
    return { ...running, tokens, requests: scattered(requests) }
  } catch (error) {
    await running.stop()
    throw error
  }
}

const environmentFor = (
  upstreamPort: number,
  port: number,
  tokens: number,
  perMint: number,
): Readonly<Record<string, string>> => ({
  SIDECAR_PORT: String(port),
  SIDECAR_ADMIN_PORT: '0',
  SIDECAR_ENDPOINT: `http://127.0.0.1:${upstreamPort}`,
  SIDECAR_RDT_SCOPE: 'specific',
  SIDECAR_CACHE_MAX_ENTRIES: String(tokens),
  SIDECAR_MINT_BURST: '10000',
  SIDECAR_MINT_RATE_PER_SECOND: '1000',
  SIDECAR_MINT_MAX_RESOURCES: String(perMint),
  SIDECAR_LOG_LEVEL: 'silent',
  SIDECAR_LOG_AUDIT: 'false',
})
