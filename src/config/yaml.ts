/** YAML, with errors of one line that quote nothing: a secret may have been pasted where it does not belong. */
import { parse, stringify } from 'yaml'

/** The value, or what is wrong with the text. Duplicate keys are wrong. */
export const readYaml = (text: string): { readonly value: unknown } | { readonly problem: string } => {
  try {
    return { value: parse(text, { logLevel: 'error' }) } // a warning would be printed, with lines of the text
  } catch (error) {
    const { code, message } = Object(error) // not always a YAMLError: that an alias has no anchor is found out later
    const [line = ''] = String(message).split('\n')
    const [place = ''] = PLACE.exec(line) ?? []
    const words = QUOTES.get(code)
    return { problem: `is not valid YAML: ${words === undefined ? line.replace(QUOTED, '') : words + place}` }
  }
}

const PLACE = / at line \d+, column \d+:$/
/** After the first colon comes what the text says; then the place. */
const QUOTED = /: .*?(?=( at line \d+, column \d+:)?$)/
/** By code: our words for those that say in their midst what the text says. */
const QUOTES: ReadonlyMap<unknown, string> = new Map([
  ['BAD_DIRECTIVE', 'A directive that is none'],
  ['BAD_DQ_ESCAPE', 'Invalid escape sequence'],
  ['TAG_RESOLVE_FAILED', 'A tag that is none: put a text that begins with ! in quotes'],
])

export const writeYaml = (value: unknown): string => stringify(value)
