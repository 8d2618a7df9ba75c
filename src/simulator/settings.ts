/**
 * What the controls have set: lifetimes, the usage plan, latencies, LWA's secrets, denied roles and the queue of
 * failures to come. Takes patches that control.ts has found valid; knows nothing of tokens, buckets or the log.
 */
import type { Plan } from './bucket.ts'
import type { Credentials } from './lwa.ts'
import type { ControlPatch, Failure, FailureKind, LogEntry } from './types.ts'

type Kind = LogEntry['kind']

type Values = {
  readonly accessTokenSeconds: number
  readonly rdtSeconds: number
  readonly plan: Plan
  readonly latencyMs: Readonly<Record<Kind, number>>
  readonly credentials: Credentials
  readonly deniedElements: ReadonlySet<string>
  readonly deniedOperations: ReadonlySet<string>
  readonly expiresIn: 'normal' | 'missing' | 'absurd' | 'string'
}

export type Settings = {
  readonly current: () => Values
  readonly apply: (patch: ControlPatch) => void
  /** Takes the next failure meant for such a request off the queue. */
  readonly nextFailure: (kind: Kind) => FailureKind | undefined
}

const DEFAULTS: Values = {
  accessTokenSeconds: 3600,
  rdtSeconds: 3600,
  plan: { ratePerSecond: 1, burst: 10 },
  latencyMs: { lwa: 0, mint: 0, call: 0 },
  credentials: { clientSecrets: new Set(['simulated-secret']), revokedRefreshTokens: new Set() },
  deniedElements: new Set(),
  deniedOperations: new Set(),
  expiresIn: 'normal',
}

export const createSettings = (): Settings => {
  let values = DEFAULTS
  let failures: readonly Failure[] = []

  return {
    current: () => values,

    apply: (patch) => {
      values = patched(patch.reset ? DEFAULTS : values, patch)
      if (patch.fail !== undefined || patch.reset) failures = patch.fail ?? []
    },

    nextFailure: (kind) => {
      const next = failures.find(({ on, times }) => on === kind && times > 0)
      if (next === undefined) return undefined
      failures = failures.map((failure) => (failure === next ? { ...next, times: next.times - 1 } : failure))
      return next.as
    },
  }
}

const patched = (before: Values, patch: ControlPatch): Values => ({
  accessTokenSeconds: patch.accessTokenSeconds ?? before.accessTokenSeconds,
  rdtSeconds: patch.rdtSeconds ?? before.rdtSeconds,
  plan: {
    ratePerSecond: patch.mintRatePerSecond ?? before.plan.ratePerSecond,
    burst: patch.mintBurst ?? before.plan.burst,
  },
  latencyMs: { ...before.latencyMs, ...patch.latencyMs },
  credentials: {
    clientSecrets: setOf(patch.clientSecrets) ?? before.credentials.clientSecrets,
    revokedRefreshTokens: setOf(patch.revokeRefreshTokens) ?? before.credentials.revokedRefreshTokens,
  },
  deniedElements: setOf(patch.denyElements) ?? before.deniedElements,
  deniedOperations: setOf(patch.denyOperations) ?? before.deniedOperations,
  expiresIn: patch.expiresIn ?? before.expiresIn,
})

const setOf = (list: readonly string[] | undefined): ReadonlySet<string> | undefined => list && new Set(list)
