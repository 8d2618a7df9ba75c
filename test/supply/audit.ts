/**
 * `npm run audit`: npm's audit of what ships, and of what it is made and tested with. Exit code 1 where there are findings. Not every
 * registry offers an audit, and one that does can be out of reach: that is told, passes, and fails with AUDIT_REQUIRED=true.
 */
import { spawnSync } from 'node:child_process'
import { ROOT } from './lock.ts'

const CHECKS = [
  ['what ships', ['--omit=dev', '--audit-level=low']],
  ['all, tools of development included', ['--audit-level=high']],
] as const
const SEVERITIES = ['info', 'low', 'moderate', 'high', 'critical']

type Advisory = { readonly title: string; readonly url: string; readonly severity: string; readonly range: string }
type Finding = { readonly name: string; readonly severity: string; readonly via: readonly (Advisory | string)[] }
/** npm's answer: a report, or what the registry said instead, or an error of npm's own. */
type Answer = {
  readonly auditReportVersion?: number
  readonly vulnerabilities?: Readonly<Record<string, Finding>>
  readonly message?: string
}

const answerTo = (args: readonly string[]): Answer => {
  const command = ['audit', '--json', '--fetch-timeout=60000', ...args]
  const { stdout, stderr, error } = spawnSync('npm', command, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (error) throw error
  try {
    const answer: Answer = JSON.parse(stdout)
    if (answer.auditReportVersion || answer.message) return answer
  } catch {}
  throw new Error(`npm ${command.join(' ')} failed:\n${stdout}${stderr}`)
}

const linesOf = ({ name, severity, via }: Finding): readonly string[] =>
  via.map((one) =>
    typeof one === 'string'
      ? `  ${name}, ${severity}: through ${one}`
      : `  ${name} ${one.range}, ${one.severity}: ${one.title}, ${one.url}`,
  )

const tell = (line: string): boolean => process.stdout.write(`npm audit: ${line}\n`)

for (const [what, args] of CHECKS) {
  const { vulnerabilities, message } = answerTo(args)
  if (!vulnerabilities) {
    tell(`NOTHING WAS CHECKED: this registry offers no audit, or is out of reach: ${message}`)
    if (process.env['AUDIT_REQUIRED'] === 'true') process.exitCode = 1
    break
  }
  const least = SEVERITIES.indexOf(args.at(-1)?.split('=')[1] ?? '')
  const findings = Object.values(vulnerabilities).filter(({ severity }) => SEVERITIES.indexOf(severity) >= least)
  tell(`${what} (${args.join(' ')}): ${findings.length === 0 ? 'nothing known' : `findings: ${findings.length}`}`)
  for (const line of findings.flatMap(linesOf)) process.stdout.write(`${line}\n`)
  if (findings.length > 0) process.exitCode = 1
}
