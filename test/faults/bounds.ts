/** How long a fault may make a caller wait: in the words of the configuration, and in milliseconds as it is tried. */
import type { Hop } from './relay.ts'
import { type Bound, type Scenario, SERVED } from './scenarios.ts'

type Bounded = Pick<Scenario, 'hop' | 'bound' | 'gets'>

export const SHORT_MS = 1500
const FAR_MS = '20000'
/** Of an attempt that callers do not wait for to the end. */
export const ATTEMPT_MS = 3000
/** Only the timeout that is to bound the wait is short: were it not there, the wait would be noticed. */
const FAR = {
  SIDECAR_UPSTREAM_CONNECT_TIMEOUT_MS: FAR_MS,
  SIDECAR_UPSTREAM_RESPONSE_TIMEOUT_MS: FAR_MS,
  SIDECAR_MINT_TIMEOUT_MS: FAR_MS,
  SIDECAR_MINT_MAX_WAIT_MS: FAR_MS,
  SIDECAR_LWA_TIMEOUT_MS: FAR_MS,
}

type Setting = readonly [key: string, variable: string]
const PATIENCE: Setting = ['mint.maxWaitMs', 'MINT_MAX_WAIT_MS']
const SETTINGS: Readonly<Record<Hop, Readonly<Partial<Record<Bound, Setting>>>>> = {
  lwa: { attempts: ['lwa.timeoutMs', 'LWA_TIMEOUT_MS'], patience: PATIENCE },
  mint: { attempts: ['mint.timeoutMs', 'MINT_TIMEOUT_MS'], patience: PATIENCE },
  call: {
    connect: ['upstream.connectTimeoutMs', 'UPSTREAM_CONNECT_TIMEOUT_MS'],
    response: ['upstream.responseTimeoutMs', 'UPSTREAM_RESPONSE_TIMEOUT_MS'],
  },
}

const ATTEMPTS_END = { SIDECAR_MINT_TIMEOUT_MS: String(ATTEMPT_MS), SIDECAR_LWA_TIMEOUT_MS: String(ATTEMPT_MS) }

/** What is to come in time has more of it: the machine may have other work. */
const shortMs = ({ gets }: Pick<Scenario, 'gets'>): number => (gets === SERVED ? 4 * SHORT_MS : SHORT_MS)

export const envOf = ({ hop, bound, gets }: Bounded): Readonly<Record<string, string>> => {
  const [, variable] = SETTINGS[hop][bound] ?? []
  const short = variable && { [`SIDECAR_${variable}`]: String(shortMs({ gets })) }
  return { ...FAR, ...(bound === 'patience' && ATTEMPTS_END), ...short }
}

/** Between three attempts: 0.2 and 0.4 s at the most. */
const PAUSES_MS = 600
const ATTEMPTS = 3
/** Undefined: there is none. */
export const boundMs = ({ hop, bound, gets }: Bounded): number | undefined => {
  if (bound === 'bytes') return undefined
  if (bound === 'none') return hop === 'call' ? 0 : PAUSES_MS
  return bound === 'attempts' ? ATTEMPTS * shortMs({ gets }) + PAUSES_MS : shortMs({ gets })
}
export const boundWords = ({ hop, bound, gets }: Bounded): string => {
  const [key] = SETTINGS[hop][bound] ?? []
  if (bound === 'bytes') return 'none'
  if (key === undefined) return hop !== 'call' && gets.startsWith('503') ? 'three attempts: 0.6 s' : 'at once'
  return bound === 'attempts' ? `three attempts: 3 × \`${key}\` + 0.6 s` : `\`${key}\``
}
