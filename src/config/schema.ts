/** The configuration's shape: zod is the one source of its types, ranges and messages. Defaults live in config/defaults.yaml. */
import { z } from 'zod'
import { ENDPOINT_NAMES, resolveEndpoint } from '../sp-api/endpoints.ts'
import { APPLICATION_ID, DATA_ELEMENTS, MOST_RESOURCES, REPORT_TYPE, SCOPES, SELLER_ID } from '../sp-api/operations.ts'
import { holdsPassword, readStoreUrl } from './store-url.ts'

const whole = (min: number, max: number) => z.int().min(min).max(max)
const milliseconds = whole(1, 3_600_000)
const port = whole(0, 65_535)
const host = z.string().min(1)
const file = z.string().min(1)
const socketPath = file.max(100, 'must be shorter: systems take about 100 bytes')
const dataElements = z.array(z.enum(DATA_ELEMENTS))
/** What an operator calls a seller or a caller. */
const name = z
  .string()
  .regex(SELLER_ID, 'must begin with a letter or a digit, and hold letters, digits, dots, dashes, underscores')
const scope = z.enum(SCOPES)
const onMintFailure = z.enum(['reject', 'forward'])
const endpoint = z.string().refine((value) => resolveEndpoint(value) !== undefined, {
  error: `must be one of ${ENDPOINT_NAMES.join(', ')}, or a URL such as https://host (no path, no credentials)`,
})
const TEMPLATE = /^(\/([\w.~!$&'()*+,=:@-]+|\{\w+\}))+$/
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** A row of the catalogue of restricted operations. */
export const rowSchema = z.strictObject({
  method: z.enum(METHODS),
  path: z
    .string()
    .regex(TEMPLATE, 'must be a path template such as /orders/v0/orders/{orderId}, without a trailing slash'),
  takes: dataElements.optional(),
  generic: z.boolean().optional(),
  rdt: z.enum(['optional', 'required']).optional(),
  sunset: z.iso.date().nullish(),
  scope: scope.nullish(),
  dataElements: dataElements.nullish(),
  onMintFailure: onMintFailure.nullish(),
  mode: z.enum(['auto', 'skip']).nullish(),
})
export type Row = z.infer<typeof rowSchema>

const ROW_ID = /^[a-z0-9][\w.-]*$/

/** Rows by id. */
export const rowsSchema = z.record(z.string().regex(ROW_ID, 'ids hold letters, digits, dots and dashes'), rowSchema)

/** How a caller's allow-list names operations: rows of the catalogue, all others, or those of one template. */
const isOperationName = (text: string): boolean => {
  const [method, path] = text.split(' ')
  return path === undefined ? ROW_ID.test(text) : METHODS.some((one) => one === method) && TEMPLATE.test(path)
}

/** A managed seller. Its secrets have no place here: they come by file or by environment (sellers.ts). */
const sellerSchema = z.strictObject({
  id: name,
  clientId: z
    .string()
    .regex(APPLICATION_ID, 'must be the client id of an application (amzn1.…)')
    .refine((value) => !value.startsWith('amzn1.oa2-cs.'), { error: 'is a client secret: name a file that holds it' }),
  clientSecretFile: file.optional(),
  refreshTokenFile: file.optional(),
  endpoint: endpoint.optional(),
  default: z.boolean().optional(),
  dataElements: dataElements.optional(),
  scope: scope.optional(),
})

/** A caller with a token of its own, and what it may do: everything where that is left out. */
const callerSchema = z.strictObject({
  name,
  tokenFile: file,
  sellers: z.array(z.string()).min(1).optional(),
  operations: z
    .array(
      z
        .string()
        .refine(isOperationName, { error: 'must be an id of the catalogue, other, or METHOD /path/{template}' }),
    )
    .min(1)
    .optional(),
})

const isWebUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}
const lwaEndpoint = z.string().refine(isWebUrl, {
  error: 'must be a URL such as https://api.amazon.com/auth/o2/token (no credentials)',
})

const storeUrl = z
  .string()
  .refine((value) => !holdsPassword(value), {
    error: 'holds a password, which has no place in it: name the file that holds it in store.passwordFile',
    abort: true,
  })
  .refine((value) => readStoreUrl(value) !== undefined, {
    error: 'must be redis://[user@]host[:port][/db], or rediss://… for TLS (no password, nothing after the number)',
  })

export const configSchema = z.strictObject({
  host,
  port,
  socketPath: socketPath.nullable(),
  endpoint,
  listeners: z
    .array(
      z
        .strictObject({ host: host.optional(), port: port.optional(), socketPath: socketPath.optional(), endpoint })
        .refine((one) => (one.port === undefined) !== (one.socketPath === undefined), {
          error: 'must have a port or a socketPath, and not both',
        }),
    )
    .min(1)
    .nullable(),
  insecureListen: z.boolean(),
  tls: z.strictObject({ certFile: file.nullable(), keyFile: file.nullable(), clientCaFile: file.nullable() }),
  sellers: z.array(sellerSchema).min(1).nullable(),
  lwa: z.strictObject({ endpoint: lwaEndpoint, timeoutMs: milliseconds }),
  auth: z.strictObject({
    callerTokenFile: file.nullable(),
    createCallerTokenFile: z.boolean(),
    callers: z.array(callerSchema).min(1).nullable(),
    insecureAllowAnonymous: z.boolean(),
    allowForwarded: z.boolean(),
    hosts: z.array(z.string().regex(/^([\w.-]+|\[[\da-fA-F:.]+\])$/, 'must be a host name, without a port')),
  }),
  admin: z.strictObject({ host, port }),
  operationsFile: z.string().min(1),
  operations: z.record(rowsSchema.keyType, rowSchema.partial().nullable()),
  rdt: z.strictObject({
    scope,
    dataElements,
    onMintFailure,
    onRefusedElements: z.enum(['reject', 'drop']),
    sandbox: z.boolean(),
    targetApplication: z.string().regex(APPLICATION_ID, 'must be an application id (amzn1.…)').nullable(),
    expiryMarginMs: whole(0, 3_600_000),
    refreshAfter: z.number().positive().max(1),
  }),
  mint: z.strictObject({
    ratePerSecond: z.number().positive().max(1000),
    burst: whole(1, 10_000),
    maxWaitMs: milliseconds,
    maxQueue: whole(0, 1_000_000),
    timeoutMs: milliseconds,
    maxResources: whole(1, MOST_RESOURCES),
    batchWindowMs: whole(0, 60_000),
    serveTokensApi: z.boolean(),
  }),
  reports: z.strictObject({ restrictedTypes: z.array(z.string().regex(REPORT_TYPE, 'must be a report type (GET_…)')) }),
  cache: z.strictObject({ maxEntries: whole(1, 10_000_000) }),
  store: z.strictObject({
    url: storeUrl.nullable(),
    passwordFile: file.nullable(),
    keyFile: file.nullable(),
    caFile: file.nullable(),
    share: z.number().positive().max(1).nullable(),
    timeoutMs: whole(1, 5000),
    insecurePlaintext: z.boolean(),
  }),
  upstream: z.strictObject({
    connectTimeoutMs: milliseconds,
    responseTimeoutMs: milliseconds,
    maxConnections: whole(1, 65_535),
  }),
  limits: z.strictObject({
    bodyBytes: whole(0, 1_073_741_824),
    keptBytes: whole(0, 1_099_511_627_776),
    headerBytes: whole(1024, 16_777_216),
    headerCount: whole(1, 100_000),
    urlBytes: whole(1, 16_777_216),
    requestsInFlight: whole(1, 1_000_000),
    connections: whole(1, 1_000_000),
    headersTimeoutMs: milliseconds,
    requestTimeoutMs: whole(0, 86_400_000),
    idleTimeoutMs: milliseconds,
  }),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']), audit: z.boolean() }),
  drain: z.strictObject({ maxMs: whole(0, 3_600_000), lameDuckMs: whole(0, 60_000) }),
})

export type Settings = z.infer<typeof configSchema>

/** Paths of all leaf keys, e.g. `mint.ratePerSecond`: what an environment variable can name. */
export const keyPaths = (
  schema: z.ZodObject = configSchema,
  prefix: readonly string[] = [],
): readonly (readonly string[])[] =>
  Object.entries(schema.shape).flatMap(([key, child]) =>
    child instanceof z.ZodObject ? keyPaths(child, [...prefix, key]) : [[...prefix, key]],
  )

/** JSON Schema of the operator's file: every key and section may be left out; what is there is checked. */
export const operatorFileSchema = () => z.toJSONSchema(optional(configSchema), { target: 'draft-7' })

/** Lists are replaced as a whole, so their items stay as they are. */
const optional = (schema: z.ZodObject): z.ZodObject =>
  z.strictObject(
    Object.fromEntries(
      Object.entries(schema.shape).map(([key, child]) => [
        key,
        (child instanceof z.ZodObject ? optional(child) : (child as z.ZodType)).optional(),
      ]),
    ),
  )
