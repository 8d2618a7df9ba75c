/** Reads the part of the Dockerfile language that our Dockerfile uses; anything else is an error, not a guess. */

export type Instruction = {
  readonly line: number
  /** As written, continued lines joined. */
  readonly source: string
  readonly keyword: string
  readonly flags: Readonly<Record<string, string>>
  /** What follows keyword and flags. */
  readonly text: string
  /** Without their quotes; of the JSON form its elements. */
  readonly words: readonly string[]
  /** JSON form: run as it is, without a shell. */
  readonly exec: boolean
}
export type Stage = { readonly name: string; readonly base: string; readonly instructions: readonly Instruction[] }
export type Dockerfile = { readonly args: Scope; readonly stages: readonly Stage[] }
/** Variables in force. */
export type Scope = Readonly<Record<string, string>>

const KEYWORDS = 'FROM ARG ENV LABEL WORKDIR COPY ADD RUN USER EXPOSE ENTRYPOINT CMD HEALTHCHECK STOPSIGNAL'.split(' ')

/** `buildArgs`: in the place of the file's own defaults. */
export const parseDockerfile = (text: string, buildArgs: Scope = {}): Dockerfile => {
  const instructions = logicalLines(text).map(({ line, text: one }) => instructionOf(line, one))
  const first = instructions.findIndex(({ keyword }) => keyword === 'FROM')
  if (first < 0) throw new Error('no FROM')
  let args: Scope = {}
  for (const one of instructions.slice(0, first)) {
    if (one.keyword !== 'ARG') throw new Error(`line ${one.line}: ${one.keyword} before the first FROM`)
    args = { ...args, ...declaredBy(one, args, buildArgs) }
  }
  const starts = instructions.flatMap(({ keyword }, at) => (keyword === 'FROM' ? [at] : []))
  const stages = starts.map((at, index) => stageOf(instructions.slice(at, starts[index + 1]), index, args))
  return { args, stages }
}

/** What an ARG declares: the build's value, else the value in force before the first FROM, else its default. */
export const declaredBy = ({ words }: Instruction, scope: Scope, buildArgs: Scope): Scope =>
  Object.fromEntries(
    words.flatMap((word) => {
      const [name, fallback] = pairOf(word)
      const value = buildArgs[name] ?? (fallback === undefined ? scope[name] : expand(fallback, scope))
      return value === undefined ? [] : [[name, value]]
    }),
  )

/** `${NAME}` and `$NAME`; an unknown name is an error. */
export const expand = (text: string, scope: Scope): string =>
  text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced: string, bare: string) => {
    const value = scope[braced ?? bare]
    if (value === undefined) throw new Error(`unknown variable in ${text}`)
    return value
  })

/** `name=value`; no value where there is no `=`. */
export const pairOf = (word: string): readonly [string, string | undefined] => {
  const at = word.indexOf('=')
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}

const stageOf = ([from, ...instructions]: readonly Instruction[], index: number, args: Scope): Stage => {
  const [base = '', as, name] = from?.words ?? []
  if (as !== undefined && (as.toUpperCase() !== 'AS' || !name)) throw new Error(`line ${from?.line}: FROM … AS name`)
  return { name: name ?? String(index), base: expand(base, args), instructions }
}

type Line = { readonly line: number; readonly text: string }

const logicalLines = (text: string): readonly Line[] => {
  const lines: Line[] = []
  let open: Line | undefined
  for (const [index, raw] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(raw)) continue
    const joined: Line = { line: open?.line ?? index + 1, text: (open?.text ?? '') + raw.trim().replace(/\\$/, '') }
    open = raw.trimEnd().endsWith('\\') ? joined : undefined
    if (!open) lines.push(joined)
  }
  if (open) throw new Error(`line ${open.line}: never ends`)
  return lines
}

const instructionOf = (line: number, source: string): Instruction => {
  const [, word = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(source) ?? []
  const keyword = word.toUpperCase()
  if (!KEYWORDS.includes(keyword)) throw new Error(`line ${line}: ${word || source} is not known here`)
  const [, options = '', text = ''] = /^((?:--[\w-]+(?:=\S+)?\s+)*)(.*)$/.exec(rest) ?? []
  const flags = Object.fromEntries(
    options
      .split(/\s+/)
      .filter(Boolean)
      .map((option) => pairOf(option.slice(2)))
      .map(([name, value]) => [name, value ?? '']),
  )
  const command = keyword === 'HEALTHCHECK' ? text.replace(/^CMD\s+/, '') : text
  const elements = command.startsWith('[') ? (JSON.parse(command) as string[]) : undefined
  return { line, source, keyword, flags, text, words: elements ?? wordsOf(text), exec: elements !== undefined }
}

const wordsOf = (text: string): readonly string[] =>
  (text.match(/(?:"(?:\\.|[^"])*"|'[^']*'|[^\s"'])+/g) ?? []).map((word) =>
    word.replace(/"((?:\\.|[^"])*)"|'([^']*)'/g, (_, double?: string, single?: string) =>
      double === undefined ? (single ?? '') : double.replace(/\\(.)/g, '$1'),
    ),
  )
