/** `wait`: returns when a sidecar is ready, exit 0, or when the time is over, exit 1. For whatever must start after it. */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { adminOf, answerText, ask } from './admin-client.ts'
import type { Command } from './command.ts'
import { UsageError } from './usage-error.ts'

const EVERY_MS = 100
const [LEAST_MS, PATIENCE_MS] = [500, 2000] as const // of one probe

export const wait: Command = async (io) => {
  const { values } = parseArgs({
    args: io.args,
    options: { config: { type: 'string' }, timeout: { type: 'string', default: '60s' } },
  })
  const until = performance.now() + millisecondsOf(values.timeout)
  const url = `${adminOf(io, values.config)}/readyz`
  for (;;) {
    const status = await ask(url, 'GET', Math.min(PATIENCE_MS, Math.max(LEAST_MS, until - performance.now())))
    if (status === 200) return 0
    if (performance.now() + EVERY_MS > until) {
      io.err(`not ready within ${values.timeout}: ${answerText(url, status)}\n`)
      return 1
    }
    await delay(EVERY_MS)
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** `90s`, `500ms`, `2m`; seconds where no unit is said. */
const millisecondsOf = (text: string): number => {
  const [, amount, unit = 's'] = /^(\d+)(ms|s|m)?$/.exec(text) ?? []
  if (amount === undefined) throw new UsageError('--timeout must be a time such as 60s, 500ms or 2m')
  return Number(amount) * (UNITS[unit] ?? 0)
}
