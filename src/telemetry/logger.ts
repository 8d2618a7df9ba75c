/** JSON lines on pino. A redactor sits on the stream itself: whatever reaches it, tokens do not pass. */
import { type DestinationStream, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type Logger = Record<Exclude<LogLevel, 'silent'>, (fields: object, message: string) => void>

// LWA access and refresh tokens, RDTs, application credentials.
const SECRETS = /\b(?:Atz[ar]|Atc|Atz\.sprdt)\|[^\s"\\,;]+|\bamzn1\.oa2-cs\.[\w.-]+/g

export const redact = (text: string): string => text.replace(SECRETS, '[redacted]')

export const createLogger = (level: LogLevel, destination?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  )
