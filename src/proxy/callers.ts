/**
 * Who may call in the name of managed sellers: whoever shows one of the tokens that are configured. All of them are compared, in a
 * time that tells nothing. Holds digests, no tokens.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { CallerConfig } from '../config/callers.ts'
import { type Catalogue, createCatalogue } from '../sp-api/operations.ts'
import { operationOf, type Recognition } from '../sp-api/recognise.ts'
import { readings, type SafeTarget, segmentsOf } from '../sp-api/target.ts'

export type Caller = {
  /** In log lines. */
  readonly name: string
  /** Ids; undefined: all. */
  readonly sellers: ReadonlySet<string> | undefined
  /** Undefined: all. */
  readonly operations: AllowedOperations | undefined
}
/** Ids of the catalogue, or `other`; and templates of others. */
type AllowedOperations = { readonly ids: ReadonlySet<string>; readonly templates: Catalogue }

type Token = { readonly digest: Buffer; readonly place: string; readonly caller: Caller }

export const createCallers = () => {
  let tokens: readonly Token[] = []
  let usedAt = new Map<string, number>() // digest → Unix time

  return {
    /** From now on these. */
    configure: (configs: readonly CallerConfig[]): void => {
      tokens = configs.flatMap((config) => {
        const caller = callerOf(config)
        return config.tokens.map((token, i) => ({
          digest: digestOf(token.reveal()),
          place: `${config.key}.${i + 1}`,
          caller,
        }))
      })
      const known = new Set(tokens.map(({ digest }) => digest.toString('hex')))
      usedAt = new Map([...usedAt].filter(([digest]) => known.has(digest)))
    },
    /** Whose token it is. */
    find: (text: string): Caller | undefined => {
      const digest = digestOf(text)
      const matching = tokens.filter((token) => timingSafeEqual(token.digest, digest))
      const [found] = matching
      if (found) usedAt.set(found.digest.toString('hex'), Date.now() / 1000)
      return found?.caller
    },
    /** When each token was last shown, in seconds of Unix time, by its place in the configuration. */
    lastUse: (): readonly (readonly [secret: string, at: number])[] =>
      tokens.map(({ digest, place }) => [place, usedAt.get(digest.toString('hex')) ?? 0] as const),
  }
}
export type Callers = ReturnType<typeof createCallers>

const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer')

const callerOf = ({ name, sellers, operations }: CallerConfig): Caller => ({
  name,
  sellers: sellers && new Set(sellers),
  operations: operations && allowed(operations),
})

const allowed = (names: readonly string[]): AllowedOperations => ({
  ids: new Set(names),
  templates: createCatalogue(
    names.flatMap((id) => {
      const [method = '', path] = id.split(' ')
      return path === undefined ? [] : [{ id, method, path, takes: [], generic: false, rdt: 'optional' as const }]
    }),
  ),
})

/**
 * Whether a caller may have this done. A path that can be read in two ways is none of any template's. The Tokens API is open to
 * those alone who may do everything: the RDT that it hands out could be for anything.
 */
export const mayCall = (
  { operations }: Caller,
  method: string,
  recognition: Exclude<Recognition, { kind: 'unsafe' }>,
): boolean => {
  if (!operations) return true
  const { ids, templates } = operations
  const { target } = recognition
  if (mayBeTokens(target)) return false
  if (ids.has(recognition.kind === 'restricted' ? recognition.operation.id : 'other')) return true
  return !target.odd && operationOf(templates, { method, path: target.path }) !== undefined
}

/**
 * Whether a request says by a header that it is another one than its first line says. That Amazon reads such headers is not known;
 * servers do, and a list of operations would then be none.
 */
export const saysAnother = (headers: IncomingHttpHeaders): boolean =>
  Object.keys(headers).some((name) => SAYS_ANOTHER.has(name.replace(/[^a-z]/g, '-')))
const SAYS_ANOTHER = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
])

/** In some reading, of this version or another. */
const mayBeTokens = ({ odd, path }: SafeTarget): boolean => {
  const ways = odd ? readings(path) : [segmentsOf(path)]
  return !ways || ways.some(([first]) => first?.toLowerCase() === 'tokens')
}
