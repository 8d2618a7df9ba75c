/** The demo's words: a small table and the lines to try by hand. Pure; colour only where `paint` gives it. */
import type { DemoCall } from './demo-workload.ts'

export type Paint = (style: 'bold' | 'green' | 'dim', text: string) => string

export const tableOf = (calls: readonly DemoCall[], paint: Paint): string => {
  const rows = [...Map.groupBy(calls, ({ operation }) => operation)].map(([operation, group]) => [
    operation,
    String(group.length),
    count(group.map(({ status }) => String(status))),
    count(group.map(({ verdict }) => verdict)),
  ])
  const table = [['operation', 'calls', 'status', 'verdicts (x-rdt-verdict)'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] ?? '').length)))
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  )
  return lines.map((line, i) => `  ${i === 0 ? paint('bold', line) : line}\n`).join('')
}

export type Economy = {
  readonly restricted: number
  readonly mints: number
  readonly throttled: number
  readonly personal: number
  readonly directMs: number
  readonly throughMs: number
}

export const economyOf = (economy: Economy, paint: Paint): string => {
  const { restricted, mints, throttled, personal, directMs, throughMs } = economy
  const saved = paint('green', `${restricted - mints} saved`)
  return [
    `  ${restricted} restricted calls, ${personal} of them with personal data in the answer.`,
    `  ${mints} mints at Amazon, ${saved}; ${throttled} answered 429.`,
    `  A cached call takes ${throughMs.toFixed(2)} ms, ${directMs.toFixed(2)} ms without the sidecar: ${(throughMs - directMs).toFixed(2)} ms added (medians, this machine).`,
    '',
  ].join('\n')
}

export type Burst = { readonly orders: number; readonly mints: number; readonly throttled: number; readonly ms: number }

export const burstText = ({ orders, mints, throttled, ms }: Burst, paint: Paint): string => `
${paint('bold', `${orders} orders at once, an RDT for each`)} (x-rdt-scope: specific)
  ${mints} mints, up to 50 resources in each; ${throttled} answered 429; all served within ${ms.toFixed(0)} ms. One by one: ${orders - 10} seconds.
`

export type Steady = {
  readonly calls: number
  readonly waited: number
  readonly renewals: number
  readonly lifeS: number
}

export const steadyText = ({ calls, waited, renewals, lifeS }: Steady, paint: Paint): string => `
${paint('bold', `One address over and over, with RDTs that live ${lifeS} s`)}
  ${calls} calls, ${paint('green', `${waited} waited for a mint`)}; ${renewals} mints renewed the RDT behind their backs.
`

/** What the simulator counted while some work was done; `failed` is the callers' count. */
export type Span = {
  readonly calls: number
  readonly personal: number
  readonly failed: number
  readonly mints: number
  readonly lwa: number
  readonly lwaRefused: number
}

export type Managed = {
  readonly day: Span
  readonly unproven: { readonly status: number; readonly error: string; readonly atAmazon: number }
  readonly renewed: Span
  readonly rotated: Span
  readonly lifeS: number
}

export const managedText = ({ day, unproven, renewed, rotated, lifeS }: Managed, paint: Paint): string => `
${paint('bold', 'Services that hold nothing')} (they name a seller and show a caller token; two sellers' secrets are the same sidecar's)
  ${day.calls} calls served, ${day.personal} of them with personal data; ${day.lwa} LWA requests, ${day.mints} mints.
  Without the caller token: ${unproven.status} ${unproven.error}; ${unproven.atAmazon} requests reached Amazon.
  ${renewed.calls} calls with access tokens that live ${lifeS} s, ${paint('green', `${renewed.failed} failed`)}; ${renewed.lwa} LWA requests renewed them behind their backs, ${renewed.mints} mints.
  ${rotated.calls} calls after the client secret was rotated, ${paint('green', `${rotated.failed} failed`)}; ${rotated.lwa} LWA requests with the new one, ${rotated.lwaRefused} refused, ${rotated.mints} mints.
`

export type Places = {
  readonly amazon: string
  readonly sidecar: string
  readonly admin: string
  /** The client secret that LWA takes. */
  readonly secret: string
  readonly managed: { readonly seller: string; readonly tokenFile: string }
}

export const watchIt = (admin: string): string => `Watch it in a browser: ${admin}/\n\n`

export const tryByHand = ({ amazon, sidecar, admin, secret, managed }: Places, paint: Paint): string => `
${paint('bold', 'Try it by hand')} (everything stays up until Ctrl-C, and two calls a second go on):

  ${paint('dim', '# the page for people on call, in a browser')}
  ${admin}/

  LWA=$(curl -s ${amazon}/auth/o2/token -d grant_type=refresh_token -d 'refresh_token=Atzr|seller-a' \\
    -d client_id=amzn1.application-oa2-client.demo -d client_secret=${secret} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  ${paint('dim', '# straight to Amazon: 200, and the personal data is missing')}
  curl -s  ${amazon}/orders/v0/orders/902-1845936-5435001/address -H "x-amz-access-token: $LWA"

  ${paint('dim', '# the same call through the sidecar')}
  curl -si ${sidecar}/orders/v0/orders/902-1845936-5435001/address -H "x-amz-access-token: $LWA"

  ${paint('dim', '# by a service that holds nothing')}
  curl -si ${sidecar}/orders/v0/orders/902-1845936-5435001/address \\
    -H "x-rdt-seller: ${managed.seller}" -H "x-rdt-caller-token: $(cat ${managed.tokenFile})"

  curl -s  ${admin}/status
  curl -s  ${admin}/metrics | grep ^rdt_
`

const count = (values: readonly string[]): string =>
  [...Map.groupBy(values, (value) => value)].map(([value, all]) => `${all.length} ${value}`).join(', ')
