/** Amazon's operations, as its models and its guide have them (test/fixtures). */
import { readFileSync } from 'node:fs'
import path from 'node:path'

export type ModelOperation = {
  readonly model: string
  readonly operationId: string
  readonly method: string
  readonly path: string
  readonly restricted?: {
    readonly takes: readonly string[]
    readonly path: 'generic-ok' | 'specific-only' | 'no-path-param'
  }
}

const FIXTURE = path.join(import.meta.dirname, '../fixtures/sp-api-operations.json')

export const modelOperations: readonly ModelOperation[] = JSON.parse(readFileSync(FIXTURE, 'utf8'))
