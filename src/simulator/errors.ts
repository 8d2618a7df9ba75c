/**
 * Answers, and Amazon's error answers word for word (sources in docs/simulator.md). Builds values only; sending
 * them is send.ts. Key order differs between texts as it does at Amazon: clients must parse, not compare.
 */

/** A whole answer, ready to be sent; `pii` says that personal data is in it, `error` which OAuth error. */
export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly pii: boolean
  readonly error?: string
}

/** A JSON answer. */
export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
  pii: false,
})

/** Amazon's error list with one error in it. */
export const errorList = (
  status: number,
  code: string,
  message: string,
  details = '',
  headers: Readonly<Record<string, string>> = {},
): Answer => json(status, { errors: [{ code, message, details }] }, headers)

/** 400 InvalidInput. `details` is the simulator's own help where Amazon sends none. */
export const invalidInput = (message: string, details = ''): Answer => errorList(400, 'InvalidInput', message, details)

/** 403 of Amazon's gateway. Empty details: a matter of role or scope. Details: the token is at fault. */
export const accessDenied = (details = ''): Answer =>
  json(
    403,
    { errors: [{ message: 'Access to requested resource is denied.', code: 'Unauthorized', details }] },
    { 'x-amzn-ErrorType': 'AccessDeniedException' },
  )

/** The details of a 403 that blames the token. */
export const tokenFaults = {
  none: 'Access token is missing in the request header.',
  expired: 'The access token you provided has expired.',
  revoked: 'The access token you provided is revoked, malformed or invalid.',
  unknown: 'The access token you provided is revoked, malformed or invalid.',
} as const

/** A restricted report document asked for with an LWA token. */
export const documentForbidden = (): Answer => errorList(403, 'Unauthorized', 'Access to the resource is forbidden')

/** 429: no Retry-After and no rate header, as at Amazon. */
export const quotaExceeded = (): Answer =>
  errorList(429, 'QuotaExceeded', 'You exceeded your quota for the requested resource.', '', {
    'x-amzn-ErrorType': 'TooManyRequestsException',
  })

export const notFound = (): Answer => errorList(404, 'NotFound', 'The requested resource could not be found.')

export const tooLarge = (): Answer =>
  errorList(413, 'RequestTooLarge', 'The request size exceeded the maximum accepted size.')

/** What Amazon's edge says to a request it will not even read: a web page, not JSON. */
export const edgeRefusal = (): Answer => ({
  status: 400,
  headers: { 'content-type': 'text/html' },
  body: '<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n',
  pii: false,
})

/** An OAuth error as Login with Amazon sends them (RFC 6749 section 5.2). */
export const oauthError = (status: number, error: string, description: string): Answer => ({
  ...json(status, { error, error_description: description }, { 'cache-control': 'no-store' }),
  error,
})
