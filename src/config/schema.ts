/** The configuration's shape: zod is the one source of its types, ranges and messages. Defaults live in config/defaults.yaml. */
import { z } from 'zod'
import { ENDPOINT_NAMES, resolveEndpoint } from '../sp-api/endpoints.ts'
import { APPLICATION_ID, DATA_ELEMENTS, MOST_RESOURCES, REPORT_TYPE, SCOPES } from '../sp-api/operations.ts'

const whole = (min: number, max: number) => z.int().min(min).max(max)
const milliseconds = whole(1, 3_600_000)
const port = whole(0, 65_535)
const host = z.string().min(1)
const dataElements = z.array(z.enum(DATA_ELEMENTS))
const scope = z.enum(SCOPES)
const onMintFailure = z.enum(['reject', 'forward'])
const endpoint = z.string().refine((value) => resolveEndpoint(value) !== undefined, {
  error: `must be one of ${ENDPOINT_NAMES.join(', ')}, or a URL such as https://host (no path, no credentials)`,
})
const TEMPLATE = /^(\/([\w.~!$&'()*+,=:@-]+|\{\w+\}))+$/

/** A row of the catalogue of restricted operations. */
export const rowSchema = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
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

/** Rows by id. */
export const rowsSchema = z.record(
  z.string().regex(/^[a-z0-9][\w.-]*$/, 'ids hold letters, digits, dots and dashes'),
  rowSchema,
)

export const configSchema = z.strictObject({
  host,
  port,
  endpoint,
  listeners: z
    .array(z.strictObject({ host: host.optional(), port, endpoint }))
    .min(1)
    .nullable(),
  insecureListen: z.boolean(),
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
  upstream: z.strictObject({
    connectTimeoutMs: milliseconds,
    responseTimeoutMs: milliseconds,
    maxConnections: whole(1, 65_535),
  }),
  limits: z.strictObject({
    bodyBytes: whole(0, 1_073_741_824),
    headerBytes: whole(1024, 16_777_216),
    requestsInFlight: whole(1, 1_000_000),
  }),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']), audit: z.boolean() }),
  drain: z.strictObject({ maxMs: whole(0, 3_600_000) }),
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
