/** Certificate and key of the data listeners: read, and tried. */
import { createSecureContext } from 'node:tls'
import { systemCode } from '../sp-api/errors.ts'
import { type Findings, readText, warnIfOpen } from './files.ts'
import type { Settings } from './schema.ts'
import { type Secret, secretOf } from './secrets.ts'

export type TlsConfig = {
  /** PEM, the chain. */
  readonly cert: string
  readonly key: Secret
  /** PEM: who calls must show a certificate of one of these authorities. */
  readonly clientCa: string | undefined
}

/** Undefined where no certificate is configured, or something is wrong with it. */
export const tlsOf = ({ tls }: Settings, found: Findings): TlsConfig | undefined => {
  const { certFile, keyFile, clientCaFile } = tls
  if (certFile === null && keyFile === null && clientCaFile === null) return undefined
  for (const [key, value] of Object.entries({ certFile, keyFile }))
    if (value === null)
      found.problems.push({ path: `tls.${key}`, message: 'is missing: TLS needs a certificate and its key' })
  if (certFile === null || keyFile === null) return undefined
  const cert = readText('tls.certFile', certFile, found)
  const key = readText('tls.keyFile', keyFile, found)
  const clientCa = clientCaFile === null ? undefined : readAuthorities('tls.clientCaFile', clientCaFile, found)
  if (cert === undefined || key === undefined || (clientCaFile !== null && clientCa === undefined)) return undefined
  warnIfOpen('tls.keyFile', keyFile, found)
  const good =
    accepted('tls.certFile', 'holds no certificate in PEM', () => createSecureContext({ cert }), found) &&
    accepted('tls.keyFile', 'holds no key of tls.certFile', () => createSecureContext({ cert, key }), found)
  return good ? { cert, key: secretOf(key), clientCa } : undefined
}

/** The certificates of authorities, in PEM, that a file holds; undefined, with a problem at `key`, where it holds none. */
export const readAuthorities = (key: string, file: string, found: Findings): string | undefined => {
  const ca = readText(key, file, found)
  if (ca === undefined) return undefined
  // As `cert` too: OpenSSL takes a file without any certificate for an empty list of authorities.
  const attempt = () => createSecureContext({ ca, cert: ca })
  return accepted(key, 'holds no certificate in PEM', attempt, found) ? ca : undefined
}

const accepted = (path: string, problem: string, attempt: () => unknown, { problems }: Findings): boolean => {
  try {
    attempt()
    return true
  } catch (error) {
    problems.push({ path, message: `the file ${problem} (${systemCode(error)})` })
    return false
  }
}
