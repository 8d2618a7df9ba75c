/**
 * What the store may see: names that are keyed hashes, and values that are sealed and bound to their name. With two keys everything
 * has a name, and is sealed, under each: replicas that know only one of them still meet.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

export type Sealer = ReturnType<typeof createSealer>

/** Another one where what is kept takes another form: replicas of both then do not meet. */
const FORM = 'rdt-sidecar 1'
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** `keys`: 32 bytes each. */
export const createSealer = (keys: readonly Buffer[]) => {
  const derived = keys.map((key) => {
    const derive = (use: string) => Buffer.from(hkdfSync('sha256', key, '', `${FORM} ${use}`, 32))
    return { naming: derive('names'), sealing: derive('values') }
  })
  const sealingKey = (i: number): Buffer => {
    const one = derived[i]
    if (!one) throw new Error('there is no such key')
    return one.sealing
  }
  return {
    /** How many names everything has. */
    keys: keys.length,
    /** The names of one thing, one a key. */
    names: (kind: string, what = ''): readonly string[] =>
      derived.map(({ naming }) => `rdt:${createHmac('sha256', naming).update(`${kind}\n${what}`).digest('base64url')}`),
    /** `context`: without the same one it does not open. */
    seal: (i: number, context: string, text: string): string => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, sealingKey(i), nonce).setAAD(Buffer.from(context))
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return sealed.toString('base64url')
    },
    /** Undefined where it was not sealed so. */
    open: (i: number, context: string, value: string): string | undefined => {
      const sealed = Buffer.from(value, 'base64url')
      if (!derived[i] || sealed.length < NONCE_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv(CIPHER, sealingKey(i), sealed.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(context))
        .setAuthTag(sealed.subarray(-TAG_BYTES))
      try {
        return decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        return undefined
      }
    },
  }
}
