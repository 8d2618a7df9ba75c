/** What a Dockerfile must hold to, as far as reading it can tell. */
import { type Dockerfile, type Instruction, pairOf, type Stage } from './dockerfile.ts'

type Rule = (dockerfile: Dockerfile, context: readonly string[]) => readonly string[]

/** All problems at once. `context`: the files of the build context. */
export const problemsOf: Rule = (dockerfile, context) => [
  ...new Set(RULES.flatMap((rule) => rule(dockerfile, context))),
]

const basesArePinned: Rule = ({ stages }) =>
  stages.flatMap(({ base }, index) => {
    const known = base === 'scratch' || stages.slice(0, index).some(({ name }) => name === base)
    return known || /:\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$/.test(base) ? [] : [`${base}: not pinned`]
  })

const sourcesExist: Rule = ({ stages }, context) =>
  eachInstruction(stages, 'COPY', ({ flags, words, line }, at) => {
    const from = flags['from']
    if (from !== undefined)
      return stages.slice(0, at).some(({ name }) => name === from) ? [] : [`line ${line}: no stage ${from} before this`]
    return words
      .slice(0, -1)
      .filter((source) => !holds(context, source))
      .map((source) => `line ${line}: ${source} is not in the build context`)
  })

const nothingIsAdded: Rule = ({ stages }) =>
  eachInstruction(stages, 'ADD', ({ line }) => [`line ${line}: ADD; COPY says what it does`])

const installsAreLocked: Rule = ({ stages }) =>
  eachInstruction(stages, 'RUN', ({ text, line }) => {
    const problems: string[] = []
    if (/\b(curl|wget)\b[^;&]*\|\s*(\w*sh|node)\b/.test(text)) problems.push(`line ${line}: runs what it downloads`)
    if (/\bnpm (i|install|update|exec)\b|\bnpx\b/.test(text))
      problems.push(`line ${line}: only npm ci keeps to the lock`)
    if (/\bnpm ci\b(?!.*--ignore-scripts)/.test(text)) problems.push(`line ${line}: packages could run scripts`)
    return problems
  })

const holdsNoSecret: Rule = ({ stages, args }) => {
  const declared = (['ARG', 'ENV'] as const).flatMap((keyword) =>
    eachInstruction(stages, keyword, ({ words }) => words.map((word) => pairOf(word)[0])),
  )
  return [...Object.keys(args), ...declared]
    .filter((name) => /TOKEN|SECRET|PASS|CREDENTIAL|PRIVATE|_KEY|AUTH/i.test(name))
    .map((name) => `${name}: a secret would stay in the image`)
}

const commandsNeedNoShell: Rule = ({ stages }) =>
  (['ENTRYPOINT', 'CMD', 'HEALTHCHECK'] as const).flatMap((keyword) => {
    const last = stages.at(-1)?.instructions.findLast((one) => one.keyword === keyword)
    if (!last) return [`the last stage has no ${keyword}`]
    return last.exec ? [] : [`line ${last.line}: ${keyword} in shell form`]
  })

const userIsNumeric: Rule = ({ stages }) => {
  const user = stages.at(-1)?.instructions.findLast(({ keyword }) => keyword === 'USER')?.words[0]
  return user && /^[1-9]\d*:[1-9]\d*$/.test(user) ? [] : [`USER ${user ?? 'root'}: not a numeric user other than root`]
}

const RULES: readonly Rule[] = [
  basesArePinned,
  sourcesExist,
  nothingIsAdded,
  installsAreLocked,
  holdsNoSecret,
  commandsNeedNoShell,
  userIsNumeric,
]

const eachInstruction = (
  stages: readonly Stage[],
  keyword: string,
  tell: (instruction: Instruction, stage: number) => readonly string[],
): readonly string[] =>
  stages.flatMap(({ instructions }, at) =>
    instructions.filter((one) => one.keyword === keyword).flatMap((one) => tell(one, at)),
  )

const holds = (context: readonly string[], source: string): boolean => {
  const bare = source.replace(/\/$/, '')
  return context.some((file) => file === bare || file.startsWith(`${bare}/`))
}
