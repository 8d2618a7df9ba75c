/** The catalogue that is shipped. */
import { createCatalogue } from '../../src/sp-api/operations.ts'
import { configFrom } from './pair.ts'

export const shippedOperations = configFrom({}).operations
export const shippedCatalogue = createCatalogue(shippedOperations)

/** A template with its parameters filled in. */
export const fill = (template: string, value = 'ABC-123.x_y~z'): string => template.replace(/\{\w+\}/g, value)
