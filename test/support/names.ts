/** Preloaded into a process (`NODE_OPTIONS=--import=…`): names below .test lead to 127.0.0.1 as long as the file of NAMES_FILE is there. */
import dns, { type LookupOptions } from 'node:dns'
import { existsSync } from 'node:fs'

type Done = (error: NodeJS.ErrnoException | null, ...found: readonly unknown[]) => void

const lookup = dns.lookup as (name: string, options: LookupOptions, done: Done) => void
const lookupHere = (name: string, options: LookupOptions, done: Done): void => {
  const here = name.endsWith('.test')
  if (!here || existsSync(process.env['NAMES_FILE'] ?? '')) lookup(here ? '127.0.0.1' : name, options, done)
  else process.nextTick(done, Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }))
}
Object.assign(dns, { lookup: lookupHere })
