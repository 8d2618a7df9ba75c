/** What of a configuration may change while the sidecar serves, in the form in which calls are decided by it. */
import type { Config } from './config/load.ts'
import type { Sellers } from './lwa/sellers.ts'
import { type AdmissionRules, hostIn, hostOf } from './proxy/admission.ts'
import type { Callers } from './proxy/callers.ts'
import type { Rules } from './proxy/handle.ts'
import { createCatalogue } from './sp-api/operations.ts'

/** Sellers and callers follow the configuration from this moment on. */
export const rulesOf = (
  config: Config,
  sellers: Sellers,
  callers: Callers,
): Rules & { readonly restrictedTypes: ReadonlySet<string> } => {
  const { rdt, mint, limits, reports } = config.settings
  return {
    ...admissionOf(config, sellers, callers),
    catalogue: createCatalogue(config.operations),
    policy: rdt,
    serveTokensApi: mint.serveTokensApi,
    limits,
    restrictedTypes: new Set(reports.restrictedTypes),
  }
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

const admissionOf = ({ settings, listeners, ...config }: Config, known: Sellers, callers: Callers): AdmissionRules => {
  const { auth, rdt } = settings
  callers.configure(config.callers)
  const credentials = known.configure(config.sellers)
  const sellers = config.sellers.flatMap(({ id, endpoint, isDefault, dataElements, scope }, i) => {
    const credential = credentials[i]
    const policy = { ...rdt, ...(dataElements && { dataElements }), ...(scope && { scope }) }
    return credential ? [{ id, credential, endpoint, isDefault, policy }] : []
  })
  const endpoints = [...listeners, ...sellers].flatMap(({ endpoint }) => endpoint ?? [])
  const hosts = [
    ...LOOPBACK,
    ...listeners.flatMap(({ host }) => (host === undefined ? [] : hostOf(host))),
    ...endpoints.map(({ origin }) => new URL(origin).host), // some clients keep Amazon's name
    ...auth.hosts,
  ]
  return {
    sellers,
    callers: config.callers.length > 0 ? callers : undefined,
    allowForwarded: auth.allowForwarded,
    hosts: new Set(hosts.map(hostIn)),
  }
}
