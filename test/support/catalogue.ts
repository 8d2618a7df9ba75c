/** The shipped catalogue, and Amazon's operations to hold it against. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { createCatalogue } from '../../src/sp-api/operations.ts'
import { configFrom } from './pair.ts'

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
export const shippedOperations = configFrom({}).operations
export const shippedCatalogue = createCatalogue(shippedOperations)

/** A template with its parameters filled in. */
export const fill = (template: string, value = 'ABC-123.x_y~z'): string => template.replace(/\{\w+\}/g, value)
