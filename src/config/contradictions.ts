/** Pure: values that are good each by itself, and not together. */
import type { Listener } from './load.ts'
import type { Problem } from './problems.ts'
import type { Settings } from './schema.ts'
import { readStoreUrl, type StoreAddress } from './store-url.ts'

/**
 * `set`: what the operator's file and the environment say, without the defaults. `wrong`: sections that hold defaults because what
 * they were set to is wrong: what follows from these is nobody's mistake.
 */
export const contradictions = (
  settings: Settings,
  listeners: readonly Listener[],
  set: Readonly<Record<string, unknown>>,
  wrong: ReadonlySet<unknown>,
): readonly Problem[] => [
  ...twoStyles(settings, set),
  ...oneSocketTwice(listeners),
  ...margin(settings),
  ...headersAfterRequest(settings),
  ...(wrong.has('tls') ? [] : plaintext(settings, listeners)),
  ...storeMistakes(settings),
  ...(PROOFS.some((section) => wrong.has(section)) ? [] : unproven(settings, listeners)),
]
const PROOFS: readonly (keyof Settings)[] = ['sellers', 'auth', 'tls', 'socketPath', 'listeners']

const twoStyles = ({ listeners, socketPath }: Settings, set: Readonly<Record<string, unknown>>): readonly Problem[] => {
  const both = (keys: readonly string[], other: string) =>
    keys
      .filter((key) => key in set && set[key] !== null)
      .map((path) => ({ path, message: `is set, and ${other} too: set one of them` }))
  if (listeners) return both(['port', 'socketPath', 'endpoint'], 'listeners')
  return socketPath === null ? [] : both(['port'], 'socketPath')
}

const oneSocketTwice = (listeners: readonly Listener[]): readonly Problem[] =>
  listeners.flatMap(({ socketPath }, i) =>
    socketPath !== undefined && listeners.findIndex((other) => other.socketPath === socketPath) < i
      ? [{ path: `listeners.${i}.socketPath`, message: 'is that of another listener too' }]
      : [],
  )

const margin = ({ rdt }: Settings): readonly Problem[] =>
  rdt.expiryMarginMs < 3_600_000
    ? []
    : [{ path: 'rdt.expiryMarginMs', message: 'an RDT lives an hour: with this margin none could be reused' }]

const headersAfterRequest = ({ limits }: Settings): readonly Problem[] => {
  const { headersTimeoutMs, requestTimeoutMs } = limits
  if (requestTimeoutMs === 0 || headersTimeoutMs <= requestTimeoutMs) return []
  const message = `must not be longer than limits.requestTimeoutMs (${requestTimeoutMs}): headers are part of the request`
  return [{ path: 'limits.headersTimeoutMs', message }]
}

const plaintext = ({ insecureListen, tls }: Settings, listeners: readonly Listener[]): readonly Problem[] =>
  insecureListen || tls.certFile !== null
    ? []
    : listeners.filter(offLoopback).map(({ host }) => ({
        path: 'host',
        message: `${host} is not loopback: tokens would cross the network in the clear. Set tls.certFile and tls.keyFile, or insecureListen: true if that is safe here`,
      }))

const storeMistakes = ({ store }: Settings): readonly Problem[] => {
  const { url, keyFile, passwordFile, caFile, share, insecurePlaintext } = store
  const address = url === null ? undefined : readStoreUrl(url)
  if (!address)
    return Object.entries({ keyFile, passwordFile, caFile, share, insecurePlaintext })
      .filter(([, value]) => value !== null && value !== false)
      .map(([key]) => ({ path: `store.${key}`, message: 'is set, but store.url does not say where the store is' }))
  const problems: Problem[] = []
  if (keyFile === null)
    problems.push({ path: 'store.keyFile', message: 'is missing: nothing is kept in the store but encrypted' })
  if (address.username !== undefined && passwordFile === null)
    problems.push({ path: 'store.passwordFile', message: 'is missing: store.url names a user' })
  if (caFile !== null && !address.tls)
    problems.push({
      path: 'store.caFile',
      message: 'is set, but store.url is not rediss://: nobody shows a certificate',
    })
  if (isPlaintext(address) && !insecurePlaintext)
    problems.push({
      path: 'store.url',
      message:
        'redis:// to a host that is not loopback: what replicas tell each other, and the password, would cross the network in the clear. Use rediss://, or set store.insecurePlaintext: true if that is safe here',
    })
  return problems
}

const isPlaintext = ({ tls, host }: StoreAddress): boolean => !tls && !isLoopback(host)

/** Where a sidecar with authority of its own would answer whoever reaches it; and proofs that nobody would be asked for. */
const unproven = ({ sellers, auth, tls }: Settings, listeners: readonly Listener[]): readonly Problem[] => {
  const byToken = auth.callerTokenFile !== null || auth.callers !== null
  const problems: Problem[] = []
  if (auth.createCallerTokenFile && auth.callerTokenFile === null)
    problems.push({
      path: 'auth.createCallerTokenFile',
      message: 'is set, but auth.callerTokenFile does not say where',
    })
  if (!sellers && (byToken || auth.insecureAllowAnonymous)) {
    const path = auth.insecureAllowAnonymous ? 'auth.insecureAllowAnonymous' : tokenKey(auth)
    problems.push({
      path,
      message: 'is about callers of managed sellers, and there are none: set sellers, or leave it out',
    })
  }
  if (!sellers) return problems
  if (auth.insecureAllowAnonymous && byToken)
    problems.push({
      path: 'auth.insecureAllowAnonymous',
      message: `is set, and ${tokenKey(auth)} too: set one of them`,
    })
  const open = listeners.some(({ socketPath }) => socketPath === undefined)
  if (open && !byToken && tls.clientCaFile === null && !auth.insecureAllowAnonymous)
    problems.push({ path: 'sellers', message: NEEDS_PROOF })
  return problems
}

const NEEDS_PROOF =
  'whoever reaches the listener could call in their name. Set auth.callerTokenFile, tls.clientCaFile, a socketPath, or auth.insecureAllowAnonymous: true if that is safe here'

const tokenKey = ({ callerTokenFile }: Settings['auth']): string =>
  callerTokenFile === null ? 'auth.callers' : 'auth.callerTokenFile'

/** What is unsafe, and what the operator has said to be right. */
export const insecurities = (settings: Settings, listeners: readonly Listener[]): readonly Problem[] => {
  const { sellers, auth, lwa, tls, store } = settings
  const warnings: Problem[] = []
  if (tls.certFile === null && listeners.some(offLoopback))
    warnings.push({ path: 'insecureListen', message: 'tokens may cross the network in the clear' })
  if (sellers && auth.insecureAllowAnonymous) {
    const message = 'whoever reaches the data listener may call in the name of every seller'
    warnings.push({ path: 'auth.insecureAllowAnonymous', message })
  }
  if (sellers && lwa.endpoint.startsWith('http:'))
    warnings.push({ path: 'lwa.endpoint', message: 'client secrets and refresh tokens leave in the clear' })
  const targets = [...listeners.map(({ endpoint }) => endpoint.origin), ...(sellers ?? []).map((one) => one.endpoint)]
  if (sellers && targets.some((target) => target?.startsWith('http:')))
    warnings.push({ path: 'endpoint', message: 'access tokens and RDTs of managed sellers leave in the clear' })
  const address = store.url === null ? undefined : readStoreUrl(store.url)
  if (address && isPlaintext(address)) {
    const message =
      'what replicas tell each other (tokens encrypted), and the password, may cross the network in the clear'
    warnings.push({ path: 'store.insecurePlaintext', message })
  }
  return warnings
}

/** A listener that others than this machine can reach. */
export const offLoopback = ({ host }: Listener): boolean => host !== undefined && !isLoopback(host)

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
