/** Amazon's error shape, and the catalogue of the answers that the sidecar makes itself. */

/** `errors[]` of every SP-API model. */
export type ErrorList = {
  readonly errors: readonly { readonly code: string; readonly message: string; readonly details: string }[]
}

const CATALOGUE = {
  'unsafe-path': [400, 'InvalidInput'],
  'invalid-header': [400, 'InvalidInput'],
  'missing-token': [403, 'Unauthorized'],
  'untrusted-caller': [403, 'Unauthorized'],
  'unknown-seller': [403, 'Unauthorized'],
  'operation-not-allowed': [403, 'Unauthorized'],
  'forwarded-call': [400, 'InvalidInput'],
  'foreign-host': [421, 'MisdirectedRequest'],
  'lwa-refused': [403, 'Unauthorized'],
  'lwa-unavailable': [503, 'ServiceUnavailable'],
  'body-too-large': [413, 'RequestTooLarge'],
  'mint-refused': [403, 'Unauthorized'], // always overridden by Amazon's own
  'mint-throttled': [429, 'QuotaExceeded'],
  'mint-unavailable': [503, 'ServiceUnavailable'],
  'upstream-unreachable': [502, 'BadGateway'],
  'upstream-timeout': [504, 'GatewayTimeout'],
  draining: [503, 'ServiceUnavailable'],
  overloaded: [503, 'ServiceUnavailable'],
  internal: [500, 'InternalFailure'],
} as const

export type ErrorName = keyof typeof CATALOGUE
export const ERROR_NAMES = Object.keys(CATALOGUE) as readonly ErrorName[]

export type OwnError = {
  readonly name: ErrorName
  readonly message: string
  /** What to do about it. */
  readonly details?: string
  /** What it is about, where the name alone does not tell: of a closed set, for operators, never sent. */
  readonly cause?: string
  /** Seconds, for Retry-After. */
  readonly retryAfterS?: number
  /** In place of the catalogue's. */
  readonly status?: number
  readonly code?: string
  /** Amazon's, where the answer is Amazon's own to a mint. */
  readonly requestId?: string | undefined
}

export type OwnAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorList
}

/** An error of ours → status, headers and body as Amazon would shape them. */
export const answerOf = (error: OwnError): OwnAnswer => {
  const { name, message, details = '', retryAfterS, requestId } = error
  const [status, code] = CATALOGUE[name]
  return {
    status: error.status ?? status,
    headers: {
      'x-rdt-error': name,
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      ...(requestId === undefined ? {} : { 'x-amzn-requestid': requestId }),
    },
    body: { errors: [{ code: error.code ?? code, message, details }] },
  }
}

/** The first error of a body in Amazon's shape; undefined where the text is anything else. Key order and spacing vary: parsed, never compared. */
export const firstError = (text: string): ErrorList['errors'][number] | undefined => {
  try {
    const { code, message, details } = JSON.parse(text).errors[0]
    return { code: String(code ?? ''), message: String(message ?? ''), details: String(details ?? '') }
  } catch {
    return undefined
  }
}

/** The code of a system error (ECONNREFUSED, …) and nothing else of it: messages may quote what was sent. */
export const systemCode = (error: unknown): string => {
  const { code } = Object(error)
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : 'UNKNOWN'
}
