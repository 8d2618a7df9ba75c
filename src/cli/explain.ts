/** `explain METHOD PATH`: how such a request would be treated, and why. Sends nothing. */
import { parseArgs } from 'node:util'
import { type Plan, type Policy, planCall } from '../rdt/need.ts'
import { DOCUMENTS } from '../reports/documents.ts'
import { createCatalogue } from '../sp-api/operations.ts'
import { type Recognition, recognise } from '../sp-api/recognise.ts'
import { type Command, configOf } from './command.ts'
import { UsageError } from './usage-error.ts'

export const explain: Command = async (io) => {
  const { values, positionals } = parseArgs({
    args: io.args,
    allowPositionals: true,
    options: { config: { type: 'string' }, json: { type: 'boolean' } },
  })
  const [method, path] = positionals
  if (!method || !path || positionals.length > 2)
    throw new UsageError('usage: explain METHOD PATH [--json] [--config FILE]')
  const { settings, operations, listeners } = configOf(io, values.config)
  const recognition = recognise(createCatalogue(operations), method.toUpperCase(), path)
  const facts = factsOf(recognition, settings.rdt, method.toUpperCase(), listeners[0]?.endpoint.sandbox ?? false)
  io.out(values.json ? `${JSON.stringify(facts)}\n` : table(facts))
  return 0
}

const factsOf = (
  recognition: Recognition,
  policy: Policy,
  method: string,
  sandboxEndpoint: boolean,
): Record<string, unknown> => {
  if (recognition.kind === 'unsafe') return { treated: 'refused with 400 unsafe-path', why: recognition.why }
  const plan = planCall(policy, {
    recognition,
    method,
    steering: {},
    callerHasRdt: false,
    sandboxEndpoint,
    document: recognition.target.path.startsWith(DOCUMENTS) ? 'unknown' : undefined,
  })
  const operation = recognition.kind === 'restricted' ? recognition.operation : undefined
  return {
    operation: operation?.id ?? 'none of the restricted operations',
    restricted: operation !== undefined,
    ...treatment(plan),
    ...(operation && { 'without an RDT': WITHOUT[operation.rdt] }),
    ...(operation?.sunset && { 'removed by Amazon on': operation.sunset }),
  }
}

const WITHOUT = {
  optional: 'Amazon answers 200, less the personal data',
  required: 'Amazon refuses (403), or is not known to answer',
}

const treatment = (plan: Plan): Record<string, unknown> => {
  if (plan.kind === 'unsafe') return { treated: 'refused with 400 unsafe-path', why: plan.why }
  if (plan.kind === 'pass') {
    const why = plan.reason
      ? `verdict ${plan.verdict};${plan.reason}`
      : 'no row of the catalogue matches its method and path'
    return { treated: "streamed through with the caller's own token", why }
  }
  const { resources, targetApplication, unsure } = plan.need
  const [resource = NOTHING] = resources
  return {
    treated: 'an RDT takes the place of the access token',
    ...(unsure && { 'unless the report is of an unrestricted type': "then the caller's own token goes out" }),
    resource: `${resource.method} ${resource.path}`,
    scope: resource.path.includes('{') ? 'generic: one RDT for all resources of the operation' : 'this resource',
    'data elements': resource.dataElements?.join(', ') ?? 'the operation takes none',
    ...(targetApplication && { 'target application': targetApplication }),
    'if no RDT can be had':
      plan.onMintFailure === 'reject' ? 'the call is refused' : "the call goes out with the caller's own token",
  }
}

const NOTHING = { method: '', path: '', dataElements: undefined }

const table = (facts: Record<string, unknown>): string => {
  const width = Math.max(...Object.keys(facts).map((key) => key.length))
  return Object.entries(facts)
    .map(([key, value]) => `${key.padEnd(width)}  ${value}\n`)
    .join('')
}
