/** Managed sellers' accounts at Login with Amazon, which outlive changes of the configuration. */
import type { SellerConfig } from '../config/sellers.ts'
import type { Credential, Credentials } from '../rdt/credential.ts'
import { type Account, type AccountEvents, type AccountOptions, createAccount } from './account.ts'

export type SellersOptions = Omit<AccountOptions, 'clientId' | 'grant' | 'events'> & {
  readonly credentials: Credentials
  readonly eventsOf: (seller: string, credential: () => Credential) => AccountEvents
}

type Known = { readonly account: Account; readonly credential: Credential }

export const createSellers = ({ credentials, eventsOf, ...options }: SellersOptions) => {
  let accounts = new Map<string, Known>() // in the order of the configuration

  const open = ({ id, clientId }: SellerConfig, grant: AccountOptions['grant']): Known => {
    const account = createAccount({ ...options, clientId, grant, events: eventsOf(id, () => credential) })
    const credential = credentials.manage(account)
    return { account, credential }
  }

  return {
    /**
     * From now on these; returns the credential of each. Whoever stays keeps its tokens, and secrets that changed are tried
     * at once; whoever went and comes back is somebody new.
     */
    configure: (configs: readonly SellerConfig[]): readonly Credential[] => {
      const kept = new Map<string, Known>()
      for (const config of configs) {
        const key = JSON.stringify([config.clientId, config.id])
        const grant = { clientSecret: config.clientSecret.reveal(), refreshToken: config.refreshToken.reveal() }
        const known = accounts.get(key)
        known?.account.change(grant)
        kept.set(key, known ?? open(config, grant))
      }
      for (const [key, { account }] of accounts) if (!kept.has(key)) account.close()
      accounts = kept
      return [...kept.values()].map(({ credential }) => credential)
    },
    /** What was refused may be asked for again. */
    forget: (): void => {
      for (const { account } of accounts.values()) account.forget()
    },
    /** Whether any of them uses secrets before those that are configured, which are refused. */
    anyFallenBack: (): boolean => [...accounts.values()].some(({ account }) => account.fallenBack()),
    /** When each configured secret last worked, in seconds of Unix time, by its place in the configuration. */
    lastUse: (): readonly (readonly [secret: string, at: number])[] =>
      [...accounts.values()].flatMap(({ account }, i) =>
        Object.entries(account.lastUse()).map(([what, at]) => [`sellers.${i}.${what}`, at] as const),
      ),
    close: (): void => {
      for (const { account } of accounts.values()) account.close()
    },
  }
}
export type Sellers = ReturnType<typeof createSellers>
