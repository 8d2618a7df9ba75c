/** Where SP-API lives: the names of the configuration and the hosts behind them (Amazon's guide, "SP-API endpoints"). */

const HOSTS = {
  na: 'sellingpartnerapi-na.amazon.com',
  eu: 'sellingpartnerapi-eu.amazon.com',
  fe: 'sellingpartnerapi-fe.amazon.com',
} as const

/** createRestrictedDataToken, on every endpoint (Tokens API model 2021-03-01). */
export const TOKENS_PATH = '/tokens/2021-03-01/restrictedDataToken'

export type Endpoint = {
  /** Scheme, host and port: part of every cache key, because an RDT belongs to the region that minted it. */
  readonly origin: string
  readonly sandbox: boolean
}

const NAMED = new Map<string, Endpoint>()
for (const [name, host] of Object.entries(HOSTS)) {
  NAMED.set(name, { origin: `https://${host}`, sandbox: false })
  NAMED.set(`${name}-sandbox`, { origin: `https://sandbox.${host}`, sandbox: true })
}

export const ENDPOINT_NAMES: readonly string[] = [...NAMED.keys()]

/** A name or a bare http(s) origin → the endpoint; undefined where it is neither. */
export const resolveEndpoint = (value: string): Endpoint | undefined => NAMED.get(value) ?? fromUrl(value)

const fromUrl = (value: string): Endpoint | undefined => {
  if (!URL.canParse(value)) return undefined
  const url = new URL(value)
  const bare = url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password
  if (!bare || !/^https?:$/.test(url.protocol)) return undefined
  return { origin: url.origin, sandbox: url.hostname.startsWith('sandbox.') }
}
