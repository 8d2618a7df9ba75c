/** Builds what a Dockerfile says, stage by stage, without an engine: a stage is an overlay of folders, RUN is a chroot into it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { copyContext } from './context.ts'
import { declaredBy, expand, type Instruction, pairOf, parseDockerfile, type Scope, type Stage } from './dockerfile.ts'
import { layBase, networkOf } from './machine.ts'

export type Image = {
  /** The folder that holds its whole file system. */
  readonly tree: string
  readonly labels: Scope
  readonly env: Scope
  readonly workdir: string
  readonly user: string
  readonly ports: readonly string[]
  readonly stopSignal: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly healthcheck: readonly string[]
  readonly remove: () => void
}

/** Progress goes to `tell`, a line an instruction. */
export const buildImage = (root: string, buildArgs: Scope = {}, tell: (line: string) => void = () => {}): Image => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-image-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const { stages, args } = parseDockerfile(readFileSync(path.join(root, 'Dockerfile'), 'utf8'), buildArgs)
    chmodSync(folder, 0o711) // the user of the image passes through it
    copyContext(root, path.join(folder, 'context'))
    for (const one of ['base', 'work/base', 'work/stage', 'system', 'merged'])
      mkdirSync(path.join(folder, one), { recursive: true })
    layBase(path.join(folder, 'base'))
    const site: Site = { folder, buildArgs, args, tell }
    const built: Built[] = []
    for (const stage of stages) built.push(buildStage(site, stage, built))
    const last = built.at(-1)
    if (last?.base !== 'scratch')
      throw new Error('the last stage must begin FROM scratch: nothing stands in for its base')
    return { ...last.settings, tree: last.tree, remove }
  } catch (error) {
    remove()
    throw error
  }
}

type Site = {
  readonly folder: string
  readonly buildArgs: Scope
  readonly args: Scope
  readonly tell: (line: string) => void
}
type Settings = Omit<Image, 'tree' | 'remove'>
type Built = {
  readonly name: string
  readonly base: string
  readonly settings: Settings
  /** What the stage's own instructions made. */
  readonly tree: string
}

const NOTHING_SET: Settings = {
  labels: {},
  env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  workdir: '/',
  user: '0:0',
  ports: [],
  stopSignal: 'SIGTERM',
  entrypoint: [],
  cmd: [],
  healthcheck: [],
}

const buildStage = (site: Site, stage: Stage, before: readonly Built[]): Built => {
  const { name, base } = stage
  if (before.some((other) => other.name === base)) throw new Error(`FROM ${base}: not done here`)
  const tree = path.join(site.folder, `stage-${name}`)
  mkdirSync(tree)
  let settings = NOTHING_SET
  let declared: Scope = {}
  for (const one of stage.instructions) {
    site.tell(`${name}: ${one.source}`)
    const scope = { ...declared, ...settings.env }
    if (one.keyword === 'ARG')
      declared = { ...declared, ...declaredBy(one, { ...site.args, ...scope }, site.buildArgs) }
    else if (one.keyword === 'COPY') copy(site, { tree, settings }, expanded(one, scope), before)
    else if (one.keyword === 'RUN') run(site, { base, tree, settings }, one, scope)
    else settings = applied(settings, expanded(one, scope))
    if (one.keyword === 'WORKDIR') mkdirSync(path.join(tree, settings.workdir), { recursive: true })
  }
  return { name, base, settings, tree }
}

const expanded = (one: Instruction, scope: Scope): Instruction =>
  one.exec ? one : { ...one, words: one.words.map((word) => expand(word, scope)) }

const applied = (settings: Settings, { keyword, words, exec, line }: Instruction): Settings => {
  const [first = ''] = words
  const pairs = Object.fromEntries(words.map(pairOf).map(([name, value]) => [name, value ?? '']))
  if (keyword === 'LABEL') return { ...settings, labels: { ...settings.labels, ...pairs } }
  if (keyword === 'ENV') return { ...settings, env: { ...settings.env, ...pairs } }
  if (keyword === 'WORKDIR') return { ...settings, workdir: path.resolve(settings.workdir, first) }
  if (keyword === 'USER') return { ...settings, user: first }
  if (keyword === 'EXPOSE') return { ...settings, ports: [...settings.ports, ...words] }
  if (keyword === 'STOPSIGNAL') return { ...settings, stopSignal: first }
  if (!exec) throw new Error(`line ${line}: ${keyword} in shell form needs a shell in the image`)
  if (keyword === 'ENTRYPOINT') return { ...settings, entrypoint: words }
  if (keyword === 'CMD') return { ...settings, cmd: words }
  if (keyword === 'HEALTHCHECK') return { ...settings, healthcheck: words }
  throw new Error(`line ${line}: ${keyword}: not done here`)
}

/** From the build context, or from what another stage's own instructions made; to root, modes kept. */
const copy = (
  { folder }: Site,
  { tree, settings }: Pick<Built, 'tree' | 'settings'>,
  { flags, words, line }: Instruction,
  before: readonly Built[],
): void => {
  const other = flags['from'] === undefined ? undefined : before.find(({ name }) => name === flags['from'])
  if (Object.keys(flags).some((flag) => flag !== 'from') || (flags['from'] !== undefined && !other))
    throw new Error(`line ${line}: such a COPY is not done here`)
  const from = other?.tree ?? path.join(folder, 'context')
  const target = words.at(-1) ?? ''
  const to = path.join(tree, path.resolve(settings.workdir, target), target.endsWith('/') ? '/' : '')
  mkdirSync(to.endsWith('/') ? to : path.dirname(to), { recursive: true })
  for (const source of words.slice(0, -1)) {
    const what = path.join(from, source)
    const [contents, landing] = statSync(what).isDirectory()
      ? ['/.', '']
      : ['', to.endsWith('/') ? path.basename(what) : '']
    execFileSync('cp', ['--archive', '--no-preserve=ownership', '-T', what + contents, path.join(to, landing)])
  }
}

/** In namespaces of its own: what it mounts or starts is gone when it ends, however it ends. */
const run = (
  { folder }: Site,
  { base, tree, settings }: Omit<Built, 'name'>,
  { exec, words, text, line }: Instruction,
  scope: Scope,
): void => {
  if (base === 'scratch') throw new Error(`line ${line}: RUN in an image from scratch`)
  const command = exec ? words : ['/bin/sh', '-c', text]
  const result = spawnSync(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', '/bin/sh', '-euc', RUN, 'sh', folder, tree, settings.workdir].concat(
      command,
    ),
    {
      env: { HOME: '/root', ...networkOf(process.env), ...scope },
      encoding: 'utf8',
      timeout: 300_000,
      killSignal: 'SIGKILL',
    },
  )
  if (result.status !== 0) throw new Error(`line ${line}: RUN ${text}\n${result.stdout}${result.stderr}`)
}

// Two overlays, because no layer may lie inside another: the base over this machine's root, the stage over both.
const RUN = `
  cd "$1"
  mount -t overlay overlay -o "lowerdir=/,upperdir=base,workdir=work/base" system
  mount -t overlay overlay -o "lowerdir=system,upperdir=$2,workdir=work/stage" merged
  mount -t proc proc merged/proc
  mount --rbind /dev merged/dev
  cwd=$3
  shift 3
  exec unshare --root=merged --wd="$cwd" -- "$@"`
