/** What is promised of every fault, and shown by a test for each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noOpenssl } from '../support/certificates.ts'
import { boundMs } from './bounds.ts'
import type { Hop } from './relay.ts'
import { NAMES, OWN_MINT, type Scenario, SERVED, timesPosted } from './scenarios.ts'
import { runTrial, type Seen, type Trial } from './trial.ts'

/** The machine may have other work. */
const GRACE_MS = 4000
/** Requests that a question costs at most, where the sidecar asks. */
const ATTEMPTS = 3
const SECRETS = /At(za|zr|z\.sprdt)\||simulated-secret|caller-token-of/
/** Where nothing is wrong, and where the call itself fails. */
const VERDICTS = /^(minted|hit|not-restricted)$/

export const assertKept = (scenario: Scenario, trial: Trial): void => {
  const { hop, gets, says, bound } = scenario
  for (const seen of trial.during) {
    assert.equal(seen.got, gets, `${seen.got}: ${seen.details}`)
    assert.match(seen.verdict, gets.includes(' lwa-') || gets.includes(' mint-') ? rejectedBy(gets) : VERDICTS)
    if (says) assert.match(seen.details, says)
  }
  assertInTime(scenario, trial.during)
  assertOnce(scenario, trial)
  assertServedAgain(scenario, trial)
  assert.equal(trial.strays, 0, 'no redirect was followed')
  assertLacks(trial.said, SECRETS)
  assertLacks(trial.said, /reason="internal"} [1-9]/)
  if (bound !== 'bytes') assertLacks(trial.said, /client_aborts_total [1-9]/)
  if (hop !== 'call') for (const { got, text } of trial.during) if (got !== SERVED) assertLacks(text, SECRETS)
}

/** Without showing the whole of it. */
const assertLacks = (text: string, what: RegExp): void => assert.equal(what.exec(text)?.[0], undefined)

const rejectedBy = (gets: string): RegExp => new RegExp(`^rejected;${gets.split(' ')[1]}$`)

const assertInTime = (scenario: Scenario, during: readonly Seen[]): void => {
  const bound = boundMs(scenario)
  if (bound === undefined) return
  for (const { tookMs } of during) assert.ok(tookMs < bound + GRACE_MS, `${tookMs} ms, ${bound} are promised`)
}

/** No call arrived twice, and those whose RDT or access token could not be had did not arrive at all. */
const assertOnce = (scenario: Scenario, { during, after, back, asked, attempts }: Trial): void => {
  for (const { probe, arrived } of during)
    assert.equal(arrived(), probe === OWN_MINT ? 0 : timesPosted(scenario), `${probe.method} ${probe.target}`)
  for (const { arrived } of [...after, ...back]) assert.ok(arrived() <= 1, `it arrived ${arrived()} times`)
  if (scenario.hop === 'call') return
  for (const count of [asked, attempts]) assert.ok(count <= ATTEMPTS, `${count} requests to the hop`)
}

const assertServedAgain = ({ recovers }: Scenario, { after, back }: Trial): void => {
  const last = recovers === 'next' ? after : back
  for (const { got, verdict, details } of last) assert.deepEqual([got, VERDICTS.test(verdict)], [SERVED, true], details)
  for (const { got, retryAfterS } of after) if (got !== SERVED) assert.ok(recovers === 'refusal' || isSoon(retryAfterS))
}

/** Seconds. */
const isSoon = (retryAfterS: number): boolean => retryAfterS > 0 && retryAfterS <= 2

/** A test for each, several at once. */
export const tryAll = (hop: Hop, scenarios: readonly Scenario[]): void => {
  describe(NAMES[hop], { concurrency: 12 }, () => {
    for (const scenario of scenarios)
      test(
        `${NAMES[hop]}, ${scenario.fault}: ${scenario.gets}`,
        { skip: 'tls' in scenario.injection && noOpenssl },
        async (t) => assertKept(scenario, await runTrial(t, scenario)),
      )
  })
}
