/** JSON lines on pino: the log, and the audit stream beside it. A redactor sits on the stream itself: whatever reaches it, tokens do not pass. */
import { type DestinationStream, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
/** `audit`: whether the audit stream is written; it does not ask for the level. */
export type LogSettings = { readonly level: LogLevel; readonly audit: boolean }
/** `swap`: a call got an RDT; `pass`: one that concerns personal data went out without; `hand-out`: a caller got an RDT it asked for. */
export type AuditEvent = 'mint' | 'swap' | 'pass' | 'refusal' | 'hand-out' | 'flush' | 'admin' | 'configuration'
export type Logger = Record<Exclude<LogLevel, 'silent'>, (fields: object, message: string) => void> & {
  /** A line marked `"log":"audit"`. */
  readonly audit: (event: AuditEvent, fields: object) => void
  /** From now on. */
  readonly configure: (settings: LogSettings) => void
}

// LWA access and refresh tokens, RDTs, application credentials. Whatever is before them: in JSON a line break ends in the letter n.
const SECRETS = /(?:Atz[ar]|Atc|Atz\.sprdt)(?:\||%7[Cc])[^\s"\\,;]+|amzn1\.oa2-cs\.[\w.-]+/g

export const redact = (text: string): string => text.replace(SECRETS, '[redacted]')

export const createLogger = (settings: LogSettings, destination?: DestinationStream): Logger => {
  const lines = pino(
    {
      level: settings.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  )
  const auditLines = lines.child({ log: 'audit' })
  const configure = ({ level, audit }: LogSettings): void => {
    lines.level = level
    auditLines.level = audit ? 'info' : 'silent'
  }
  configure(settings)
  return {
    debug: (fields, message) => lines.debug(fields, message),
    info: (fields, message) => lines.info(fields, message),
    warn: (fields, message) => lines.warn(fields, message),
    error: (fields, message) => lines.error(fields, message),
    audit: (event, fields) => auditLines.info({ event, ...fields }),
    configure,
  }
}
