/** Pure: what RFC 9112 has a server refuse, though Node's parser lets it pass. */
import type { IncomingMessage } from 'node:http'
import type { OwnError } from '../sp-api/errors.ts'

type Head = Pick<IncomingMessage, 'httpVersion' | 'headers' | 'rawHeaders'>

/** Why two servers could take the request for two different ones. */
export const flawIn = ({ httpVersion, headers, rawHeaders }: Head): OwnError | undefined => {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return OTHER_VERSION // §2.3
  const { length: hosts } = hostsIn(rawHeaders)
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) return NOT_ONE_HOST // §3.2
  const coding = headers['transfer-encoding']
  if (coding === undefined) return undefined
  if (httpVersion === '1.0') return CODED_IN_1_0 // §6.1
  return coding.toLowerCase() === 'chunked' ? undefined : OTHER_CODING // §6.3
}

/** The values of all Host lines: Node shows the first alone. */
export const hostsIn = (rawHeaders: readonly string[]): readonly string[] => {
  const hosts: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts.push(rawHeaders[i + 1] ?? '')
  }
  return hosts
}

const OTHER_VERSION: OwnError = {
  name: 'invalid-header',
  status: 505,
  message: 'The request must be HTTP/1.1 or HTTP/1.0.',
}
const NOT_ONE_HOST: OwnError = { name: 'invalid-header', message: 'The request must have one Host.' }
const CODED_IN_1_0: OwnError = { name: 'invalid-header', message: 'HTTP/1.0 knows no Transfer-Encoding.' }
const OTHER_CODING: OwnError = {
  name: 'invalid-header',
  message: 'Transfer-Encoding must be chunked: any other coding would be lost on the way.',
}
