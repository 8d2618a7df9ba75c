/** Header fields after RFC 9110 §5 and RFC 9112 §5, one line each. */

export type Field = readonly [name: string, value: string]

export const TCHAR = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const FIELD_LINE = new RegExp(`^(${TCHAR}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`)

export const readFields = (lines: readonly string[]): readonly Field[] | string => {
  const fields: Field[] = []
  for (const line of lines) {
    const [, name, value] = FIELD_LINE.exec(line) ?? []
    if (name === undefined || value === undefined) return `no field line: ${JSON.stringify(line.slice(0, 60))}`
    fields.push([name, value])
  }
  return fields
}

/** All values under a name (given in small letters), in the order of their lines. */
export const valuesIn = (fields: readonly Field[], name: string): readonly string[] =>
  fields.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)

// Control characters, a CR or LF by itself, and a line that goes on in the next one. Bytes may end between CR and LF.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that are looked for
const STRANGE = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|$)|(?<!\r)\n|\r\n[ \t]/

/** What no head may hold, for a message; undefined where there is nothing. */
export const strangeIn = (head: string): string | undefined => {
  const [found] = STRANGE.exec(head) ?? []
  return found === undefined ? undefined : JSON.stringify(found)
}
