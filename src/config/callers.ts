/** Who may call in the name of managed sellers, and what they may do. */
import type { Operation } from '../sp-api/operations.ts'
import { type Findings, isMissing } from './files.ts'
import type { Settings } from './schema.ts'
import { readSecrets, type Secret } from './secrets.ts'

export type CallerConfig = {
  /** In log lines. */
  readonly name: string
  /** The key that names its file. */
  readonly key: string
  /** Two while one takes the place of the other; none where the file is yet to be made. */
  readonly tokens: readonly Secret[]
  /** Ids; undefined: all. */
  readonly sellers: readonly string[] | undefined
  /** Ids of the catalogue, `other`, `METHOD /path/{template}`; undefined: all. */
  readonly operations: readonly string[] | undefined
}

const MOST_TOKENS = 2
const SHORT = 20 // characters; serve makes 43
const NO_TOKENS_API =
  'the Tokens API is open to callers without a list of operations alone: the RDT that it hands out could be for anything'

/** `wrong`: sections that hold defaults because what they were set to is wrong. */
export const callersOf = (
  settings: Settings,
  operations: readonly Operation[],
  found: Findings,
  wrong: ReadonlySet<unknown>,
): readonly CallerConfig[] => {
  const callers = readCallers(settings, operations, found, wrong)
  for (const [i, caller] of callers.entries()) complain(caller, callers.slice(0, i), found)
  return callers
}

/** One that cannot be told from those before it might get their rights, or they its. */
const complain = ({ name, key, tokens }: CallerConfig, before: readonly CallerConfig[], { problems }: Findings) => {
  const texts = new Set(tokens.map((token) => token.reveal()))
  for (const other of before) {
    if (other.name === name) problems.push({ path: `${key}.name`, message: `must differ from that of ${other.key}` })
    if (other.tokens.some((token) => texts.has(token.reveal())))
      problems.push({ path: `${key}.tokenFile`, message: `the file holds a token of ${other.key} too` })
  }
}

const readCallers = (
  { auth, sellers }: Settings,
  operations: readonly Operation[],
  found: Findings,
  wrong: ReadonlySet<unknown>,
): readonly CallerConfig[] => {
  const { callerTokenFile, createCallerTokenFile } = auth
  const callers = (auth.callers ?? []).map((row, i): CallerConfig => {
    const at = `auth.callers.${i}`
    const unknown = (key: string, names: readonly string[] = [], known: readonly string[], what: string) => {
      for (const name of names)
        if (!known.includes(name)) found.problems.push({ path: `${at}.${key}`, message: `there is no ${what} ${name}` })
    }
    const ids = row.operations?.filter((name) => !name.includes(' '))
    if (!wrong.has('sellers')) unknown('sellers', row.sellers, sellers?.map(({ id }) => id) ?? [], 'seller')
    unknown('operations', ids, ['other', ...operations.map(({ id }) => id)], 'operation')
    if (row.operations?.some((name) => / \/tokens\//i.test(name)))
      found.problems.push({ path: `${at}.operations`, message: NO_TOKENS_API })
    const tokens = readTokens(`${at}.tokenFile`, row.tokenFile, found)
    return { name: row.name, key: at, tokens, sellers: row.sellers, operations: row.operations }
  })
  if (callerTokenFile === null) return callers
  const key = 'auth.callerTokenFile'
  const tokens =
    createCallerTokenFile && isMissing(callerTokenFile, found) ? [] : readTokens(key, callerTokenFile, found)
  return [{ name: 'default', key, tokens, sellers: undefined, operations: undefined }, ...callers]
}

const readTokens = (key: string, file: string, found: Findings): readonly Secret[] => {
  const tokens = readSecrets(key, file, found, MOST_TOKENS)
  if (tokens.some((token) => token.reveal().length < SHORT))
    found.warnings.push({ path: key, message: `a token shorter than ${SHORT} characters can be guessed` })
  return tokens
}
