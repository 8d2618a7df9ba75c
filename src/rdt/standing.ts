/**
 * For how long Amazon's word on a caller's own access token is taken: an hour from the first RDT that it was granted, for no such
 * token lives longer; then Amazon is asked again. Garbage takes no room here: only what Amazon has granted an RDT is known. Nor do
 * managed sellers, whose access tokens the sidecar renews itself.
 */
import { createExpiringMap } from '../expiring-map.ts'
import type { Credential } from './credential.ts'
import { type Refused, reachOf, UNEXPLAINED } from './refusal.ts'

const HOUR_MS = 3_600_000 // Login with Amazon's expires_in
const MOST_CREDENTIALS = 10_000

export const createStandings = (now: () => number) => {
  // `until` 0: refused since, and granted nothing after that
  const known = createExpiringMap<{ readonly until: number }>({ maxEntries: MOST_CREDENTIALS, now })
  const learn = ({ id }: Credential, until: number): number => {
    known.set(id, { until }, until - now())
    return until
  }
  return {
    /** Amazon has just granted it an RDT. Until when RDTs that it was granted are used, on our clock in milliseconds. */
    granted: (credential: Credential): number => {
      if ('managed' in credential) return Number.POSITIVE_INFINITY
      return known.get(credential.id)?.until || learn(credential, now() + HOUR_MS)
    },
    /** Amazon has granted it one elsewhere, where they are used until `told`. */
    grantedElsewhere: (credential: Credential, told = now() + HOUR_MS): number => {
      if ('managed' in credential) return Number.POSITIVE_INFINITY
      const { until = told } = known.get(credential.id) ?? {}
      return until > 0 ? learn(credential, Math.min(until, told)) : until
    },
    /** A mint by it was refused. Whether it has lost its standing by that: Amazon no longer takes a token that was good before. */
    refused: (credential: Credential, refusal: Refused): boolean => {
      // a refusal that is not in Amazon's words need not be Amazon's
      if (reachOf(refusal) !== 'credential' || refusal.code === UNEXPLAINED.code) return false
      if (!known.get(credential.id)?.until) return false
      known.set(credential.id, { until: 0 }, HOUR_MS) // what others were granted by it has ended by then
      return true
    },
    /** It was refused after it had been good: nothing is had by it until Amazon itself grants something. */
    lost: ({ id }: Credential): boolean => known.get(id)?.until === 0,
  }
}
