/** Authorities and certificates, made with openssl for one test. */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { needs } from './tools.ts'

/** For a test's `skip` option. */
export const noOpenssl = needs('openssl')

export type Certificate = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
const LOCAL = 'DNS:localhost,IP:127.0.0.1'

const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' })

const placesIn = (folder: string, name: string) =>
  ['key.pem', 'cert.pem', 'csr.pem'].map((what) => path.join(folder, `${name}.${what}`)) as [string, string, string]

const certificateIn = (keyFile: string, certFile: string): Certificate => ({
  certFile,
  keyFile,
  cert: readFileSync(certFile, 'utf8'),
  key: readFileSync(keyFile, 'utf8'),
})

/** One that vouches for itself, and can for others. `names`: whose, as OpenSSL has them; those of this machine where left out. */
export const selfSigned = (folder: string, name: string, names = LOCAL): Certificate => {
  const [key, cert] = placesIn(folder, name)
  const days = ['-days', '1', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`]
  openssl('req', '-x509', ...NEW_KEY, '-keyout', key, '-out', cert, ...days)
  return certificateIn(key, cert)
}

/** A made-up authority. */
export const authority = (folder: string, name: string) => {
  const own = selfSigned(folder, name)
  return {
    ...own,
    /** A certificate of its own; `days` -1: it ran out yesterday. */
    issue: (holder: string, days = 1): Certificate => {
      const [key, cert, request] = placesIn(folder, holder)
      openssl('req', '-new', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', `/CN=${holder}`)
      const by = ['-CA', own.certFile, '-CAkey', own.keyFile, '-CAcreateserial']
      openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-out', cert)
      return certificateIn(key, cert)
    },
  }
}

/** A handshake with TLS 1.1, which Node itself does not do any more; rejects with what the other side says. */
export const tryTls11 = (port: number): Promise<unknown> => {
  const old = ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0']
  const ended = promisify(execFile)('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...old])
  ended.child.stdin?.end() // it would wait for what to send
  return ended
}
