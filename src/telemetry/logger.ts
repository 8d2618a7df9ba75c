/** JSON lines on pino: the log, and the audit stream beside it. A redactor sits on the stream itself: whatever reaches it, tokens do not pass. */
import { type DestinationStream, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
/** `audit`: whether the audit stream is written; it does not ask for the level. */
export type LogSettings = { readonly level: LogLevel; readonly audit: boolean }
/** `swap`: a call got an RDT; `pass`: one that concerns personal data went out without; `hand-out`: a caller got an RDT it asked for; `access-token`: a managed seller's was fetched. */
export type AuditEvent =
  | 'access-token'
  | 'mint'
  | 'swap'
  | 'pass'
  | 'refusal'
  | 'hand-out'
  | 'flush'
  | 'admin'
  | 'configuration'
export type Logger = Record<Exclude<LogLevel, 'silent'>, (fields: object, message: string) => void> & {
  /** A line marked `"log":"audit"`. */
  readonly audit: (event: AuditEvent, fields: object) => void
  /** From now on. */
  readonly configure: (settings: LogSettings) => void
  /** Writes what was said a moment ago: for a process that ends. */
  readonly flush: () => void
}

// LWA access and refresh tokens, RDTs, application credentials. Whatever is before them: in JSON a line break ends in the letter n.
const SECRETS = /(?:Atz[ar]|Atc|Atz\.sprdt)(?:\||%7[Cc])[^\s"\\,;]+|amzn1\.oa2-cs\.[\w.-]+/g

export const redact = (text: string): string => text.replace(SECRETS, '[redacted]')

type Destination = DestinationStream & { readonly flush?: () => void }

export const createLogger = (settings: LogSettings, destination: Destination = createOutput()): Logger => {
  const lines = pino(
    {
      level: settings.level,
      base: null,
      timestamp: createClock(),
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    destination,
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
    flush: () => destination.flush?.(),
  }
}

/** Standard output: lines that are said in one go are one write. */
const createOutput = (): Destination => {
  const out = pino.destination({ fd: 1, sync: true })
  let said = ''
  const flush = () => {
    if (said !== '') out.write(said)
    said = ''
  }
  return {
    write: (line) => {
      if (said === '') queueMicrotask(flush)
      said += line
    },
    flush,
  }
}

/** The time as ISO text, made once a millisecond. */
const createClock = () => {
  let at = 0
  let text = ''
  return (): string => {
    const now = Date.now()
    if (now !== at) text = `,"time":"${new Date(now).toISOString()}"`
    at = now
    return text
  }
}
