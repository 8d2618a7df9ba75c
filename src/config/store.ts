/** The store that replicas share: where it is, and what its files hold. */
import type { Findings } from './files.ts'
import type { Settings } from './schema.ts'
import { readSecrets, type Secret, secretOf } from './secrets.ts'
import { readStoreUrl, type StoreAddress } from './store-url.ts'
import { readAuthorities } from './tls.ts'

export type StoreConfig = StoreAddress & {
  readonly password: Secret | undefined
  /** Each 32 bytes, in hex however the file has it; two while one takes the place of the other. */
  readonly keys: readonly Secret[]
  /** PEM: authorities in the place of Node's own. */
  readonly ca: string | undefined
  /** Of the usage plan, for this replica alone, while the store is out of reach; above 0, at most 1. */
  readonly share: number | undefined
  readonly timeoutMs: number
}

const MOST_KEYS = 2

/** Undefined where none is configured. What its files lack is among the problems, and then missing here. */
export const storeOf = ({ store }: Settings, found: Findings): StoreConfig | undefined => {
  const { url, passwordFile, keyFile, caFile, share, timeoutMs } = store
  const address = url === null ? undefined : readStoreUrl(url)
  if (!address) return undefined
  const keys = keyFile === null ? [] : readKeys(keyFile, found)
  const [password] = passwordFile === null ? [] : readSecrets('store.passwordFile', passwordFile, found)
  const ca = caFile === null ? undefined : readAuthorities('store.caFile', caFile, found)
  return { ...address, password, keys, ca, share: share ?? undefined, timeoutMs }
}

const readKeys = (file: string, found: Findings): readonly Secret[] => {
  const keys = readSecrets('store.keyFile', file, found, MOST_KEYS)
  const bytes = keys.map((key) => bytesOf(key.reveal()))
  const complain = (message: string) => found.problems.push({ path: 'store.keyFile', message })
  if (bytes.includes(undefined))
    complain('the file must hold keys of 32 random bytes, each a line of base64 or hex: openssl rand -base64 32')
  else if (new Set(bytes).size < bytes.length) complain('the file holds the same key twice')
  return bytes.map((hex = '') => secretOf(hex))
}

/** The bytes of a key, in hex whichever way it was written; undefined where they are not 32. */
const bytesOf = (text: string): string | undefined => {
  if (/^[\da-f]{64}$/i.test(text)) return text.toLowerCase()
  return /^([\w-]{43}|[A-Za-z\d+/]{43})=?$/.test(text) ? Buffer.from(text, 'base64').toString('hex') : undefined
}
