/**
 * The simulator's public types: what a test, the command line or `POST /_simulator/control` may ask of it and
 * what its log says. Types only; the rules are in the files beside this one.
 */
import type { RequestListener } from 'node:http'

export type SimulatorOptions = {
  /** Milliseconds, monotonic; every expiry and every token bucket reads it. Default `performance.now`. */
  readonly now?: () => number
}

export type Simulator = {
  /** Starts listening (127.0.0.1 and any free port by default) and resolves to the base URL, e.g. `http://127.0.0.1:9700`. */
  readonly listen: (port?: number, host?: string) => Promise<string>
  /** Stops listening and destroys open connections, hanging ones too. */
  readonly close: () => Promise<void>
  /** The whole simulator as a request listener, for a server of one's own (supertest). */
  readonly handle: RequestListener
  /** A fresh valid LWA access token (`Atza|…`) for a seller id, `seller-a` by default; any seller id exists. */
  readonly accessToken: (seller?: string) => string
  /** What was asked, oldest first; the last 100 000 entries. Calls still under way show status 0. */
  readonly log: () => readonly LogEntry[]
  /** The same as `POST /_simulator/control`. @throws Error naming the problem when the patch is not a valid one. */
  readonly control: (patch: ControlPatch) => void
}

export type LogEntry = {
  /** Arrival, in milliseconds on the simulator's clock. */
  readonly at: number
  readonly kind: 'lwa' | 'mint' | 'call'
  readonly method: string
  /** The request target as it arrived, bytes untouched (token-like text in it apart). */
  readonly target: string
  /** e.g. `orders-v0.getOrder`, for calls that match an operation. */
  readonly operation?: string
  /** 0 = not answered: a reset, a hang, a caller that left, or still under way. */
  readonly status: number
  /** What kind of token the call presented in `x-amz-access-token`. */
  readonly token: TokenKind
  /** Whom the token speaks for; for kind `lwa`, whom the refresh token names, granted or not. */
  readonly seller?: string
  /** For kind `lwa`: the OAuth error of the answer, e.g. `invalid_client`. */
  readonly error?: string
  /** Personal data was in the answer. */
  readonly pii: boolean
  /** For kind `mint`: the body that was read. */
  readonly mint?: unknown
  /** Request headers as they arrived; `x-amz-access-token`, `authorization` and `cookie` read `<removed>`. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Bytes of the request body. */
  readonly bodyBytes: number
}

export type TokenKind = 'none' | 'lwa' | 'rdt' | 'expired' | 'revoked' | 'unknown'

export type ControlPatch = {
  /** Lifetime, in seconds, of LWA access tokens issued from now on. Default 3600. */
  readonly accessTokenSeconds?: number
  /** Lifetime, in seconds, of RDTs issued from now on. Default 3600. */
  readonly rdtSeconds?: number
  /** Usage plan of createRestrictedDataToken per application and selling partner. Default 1. */
  readonly mintRatePerSecond?: number
  /** Capacity of that plan's bucket. Default 10. Changing the plan starts every bucket full. */
  readonly mintBurst?: number
  /** Wait before answering, in real milliseconds. Default 0. */
  readonly latencyMs?: { readonly lwa?: number; readonly mint?: number; readonly call?: number }
  /** Replaces the queue of failures to come. */
  readonly fail?: readonly Failure[]
  /** Every token of the kind issued so far answers as revoked from now on. */
  readonly revoke?: 'rdts' | 'access-tokens' | 'all'
  /** The client secrets LWA accepts, two during a rotation; any other is `invalid_client`. Default `simulated-secret`. */
  readonly clientSecrets?: readonly string[]
  /** Replaces the list of refresh tokens LWA answers `invalid_grant`. Access tokens had with them stay valid. Default none. */
  readonly revokeRefreshTokens?: readonly string[]
  /** Data elements the application has no role for: a mint that asks for one is refused, naming it. */
  readonly denyElements?: readonly string[]
  /** Operation ids the application has no role for: mints are refused, the call itself answers 403. */
  readonly denyOperations?: readonly string[]
  /** How `expiresIn` of mint answers is falsified: left out, -5, or "soon". */
  readonly expiresIn?: 'normal' | 'missing' | 'absurd' | 'string'
  /** Back to defaults, log emptied, buckets full, before the rest of the patch applies. Issued tokens stay. */
  readonly reset?: true
}

export type Failure = { readonly on: 'lwa' | 'mint' | 'call'; readonly times: number; readonly as: FailureKind }

/**
 * A status, or: `reset` the connection before answering · `hang` never answer · `garbage` 200 with a body that is not
 * JSON · `html` 200 with a web page · `cut` the real answer's headers and half its body, then nothing · `empty` 200 `{}`.
 */
export type FailureKind =
  | 400
  | 401
  | 403
  | 404
  | 415
  | 429
  | 500
  | 503
  | 'reset'
  | 'hang'
  | 'garbage'
  | 'html'
  | 'cut'
  | 'empty'
