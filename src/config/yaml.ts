/** YAML, with errors of one line. */
import { parse, stringify, YAMLError } from 'yaml'

/** The value, or what is wrong with the text. Duplicate keys are wrong. */
export const readYaml = (text: string): { readonly value: unknown } | { readonly problem: string } => {
  try {
    return { value: parse(text) }
  } catch (error) {
    if (!(error instanceof YAMLError)) throw error
    return { problem: `is not valid YAML: ${error.message.split('\n')[0]}` }
  }
}

export const writeYaml = (value: unknown): string => stringify(value)
