/** What must reach Amazon in no request's head, whatever the caller sent. */

import { valuesIn } from './strict-fields.ts'
import type { Head } from './strict-http.ts'

const OF_THE_CALLERS_CONNECTION = [
  'te',
  'trailer',
  'upgrade',
  'expect',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
]

/** `host`: Amazon's. */
export const judgeHead = ({ method, target, version, fields }: Head, host: string): readonly string[] => {
  const faults: string[] = []
  const names = fields.map(([name]) => name.toLowerCase())
  if (version !== '1.1') faults.push(`in HTTP/${version}`)
  if (!target.startsWith('/')) faults.push('it is no path')
  if (valuesIn(fields, 'host').join() !== host) faults.push(`for the host ${valuesIn(fields, 'host')}`)
  for (const name of ['x-amz-access-token', 'content-type', 'user-agent', 'connection'])
    if (names.filter((one) => one === name).length > 1) faults.push(`with ${name} twice`)
  for (const name of OF_THE_CALLERS_CONNECTION) if (names.includes(name)) faults.push(`with ${name}`)
  for (const value of valuesIn(fields, 'connection'))
    if (!/^(keep-alive|close)$/i.test(value)) faults.push(`with Connection: ${value}`)
  for (const name of names) {
    const plain = name.replace(/[^a-z0-9]/g, '-')
    if (plain.startsWith('x-rdt-')) faults.push(`with ${name}`)
    if (plain === 'x-amz-access-token' && name !== plain) faults.push(`with ${name}`)
  }
  return faults.map((fault) => `${method} ${target} went out ${fault}`)
}
