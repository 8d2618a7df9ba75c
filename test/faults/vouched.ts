/** Certificates of a machine that is called localhost: one to be trusted in this process, and those that must not be. */
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { authority, selfSigned } from '../support/certificates.ts'
import { folderFor } from '../support/cli.ts'
import { createLife } from '../support/life.ts'

const make = async () => {
  const life = createLife()
  const folder = folderFor(life)
  const root = authority(folder, 'root')
  const elsewhere = selfSigned(folder, 'elsewhere', 'DNS:elsewhere.invalid')
  const made = {
    good: root.issue('localhost'),
    expired: root.issue('localhost', -1),
    /** Of an authority that is trusted, for another host. */
    elsewhere,
    /** Nobody vouches for it. */
    stranger: selfSigned(folder, 'localhost'),
  }
  setDefaultCACertificates([...getCACertificates('default'), root.cert, elsewhere.cert])
  await life.end()
  return made
}
let made: ReturnType<typeof make> | undefined

/** Made once, and trusted from then on. */
export const vouched = (): ReturnType<typeof make> => (made ??= make())
export type Vouched = Awaited<ReturnType<typeof make>>
