/** YAML, with errors of one line that quote nothing: a secret may have been pasted where it does not belong. */
import { parse, stringify } from 'yaml'

/** The value, or what is wrong with the text. Duplicate keys are wrong. */
export const readYaml = (text: string): { readonly value: unknown } | { readonly problem: string } => {
  try {
    return { value: parse(text, { logLevel: 'error' }) } // a warning would be printed, with lines of the text
  } catch (error) {
    // Not always a YAMLError: that an alias has no anchor is found out later.
    const [line = ''] = String(Object(error).message).split('\n')
    return { problem: `is not valid YAML: ${line.replace(QUOTED, '')}` }
  }
}

/** After the first colon comes what the text says; then the place. */
const QUOTED = /: .*?(?=( at line \d+, column \d+:)?$)/

export const writeYaml = (value: unknown): string => stringify(value)
