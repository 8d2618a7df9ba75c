/**
 * A call with its credential's own access token, not an RDT. Where Amazon's edge no longer takes that of a managed seller, nobody but
 * the sidecar can get another: it does, and sends the call once more where its body is at hand.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { renewable } from '../rdt/credential.ts'
import type { Seller } from '../rdt/minter.ts'
import { hasBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { Handling } from './forward.ts'
import { ACCESS_TOKEN } from './headers.ts'
import { type Forbidden, isTokensFault } from './read-answer.ts'

type Mend = (forbidden: Forbidden) => Promise<void>

export const createOwnSender = ({ callOf, tell, fail, accessFor, forward }: Exchange) => {
  /** `mend`: gets a 403 that the token is not to blame for. Amazon's answer to what is sent a second time stands. */
  const send = async (
    req: IncomingMessage,
    res: ServerResponse,
    seller: Seller,
    handling: Handling & { readonly again?: boolean | undefined } = {},
    mend: Mend = async ({ passOn }) => passOn(),
  ): Promise<void> => {
    const { again, ...others } = handling
    const token = await accessFor(res, seller.credential)
    if (token === undefined) return
    req.headers[ACCESS_TOKEN] = token
    if (again) return forward(req, res, seller.origin, others)
    const decide = (forbidden: Forbidden): Promise<void> => {
      const refused = isTokensFault(forbidden) && renewable(seller.credential, token)
      if (!refused) return mend(forbidden)
      if (handling.body === undefined && hasBody(req)) return mend(forbidden) // it has streamed by; the next call has a new token
      callOf(res).replay = true
      tell(res, 'replayed')
      return send(req, res, seller, { ...handling, again: true })
    }
    return forward(req, res, seller.origin, {
      ...others,
      onForbidden: (forbidden) => void decide(forbidden).catch((bug) => fail(res, bug)),
    })
  }
  return send
}
