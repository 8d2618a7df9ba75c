/** Host names of this process that resolve as told: to this machine, not at all, or never to an end. All others are the system's. */

import { randomUUID } from 'node:crypto'
import dns, { type LookupAddress } from 'node:dns'
import type { Life } from '../support/life.ts'

/** `unknown`: the system is asked, and knows no name in .invalid (RFC 6761 §6.4). */
export type Resolution = 'here' | 'unknown' | 'silent'

const HERE: LookupAddress = { address: '127.0.0.1', family: 4 }
const names = new Map<string, Resolution>()

type Told = (error: Error | null, address: string | LookupAddress[], family?: number) => void
const system = dns.lookup
const lookup = (name: string, options: { all?: boolean }, told: Told): void => {
  const resolution = names.get(name)
  if (resolution === 'silent') return
  if (resolution === 'here')
    setImmediate(() => (options.all ? told(null, [HERE]) : told(null, HERE.address, HERE.family)))
  else system(name, options, told as never)
}
Object.assign(dns, { lookup: Object.assign(lookup, system) })

/** A name for one sidecar, which resolves to this machine until told otherwise. */
export const createName = (life: Life) => {
  const name = `amazon-${randomUUID()}.invalid`
  const resolve = (to: Resolution): void => void names.set(name, to)
  resolve('here')
  life.after(() => names.delete(name))
  return { name, resolve }
}
