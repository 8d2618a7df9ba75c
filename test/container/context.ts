/** The build context: what a clean checkout holds, less what .dockerignore keeps out. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** Paths of files, relative to `root`. */
export const contextFiles = (root: string): readonly string[] => {
  const ignored = ignoredBy(readFileSync(path.join(root, '.dockerignore'), 'utf8'))
  return checkedOut(root).filter((file) => !ignored(file))
}

/** Copies them. Their owner alone may read the copies: as bad as a checkout gets. */
export const copyContext = (root: string, to: string): void => {
  for (const file of contextFiles(root)) {
    const target = path.join(to, file)
    mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 })
    cpSync(path.join(root, file), target)
  }
  execFileSync('chmod', ['-R', 'go=', to])
}

/** The last line that fits a path or a folder above it decides; `!` lets in. */
export const ignoredBy = (text: string): ((file: string) => boolean) => {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => ({ out: !line.startsWith('!'), fits: patternOf(line.replace(/^!/, '')) }))
  return (file) => rules.findLast(({ fits }) => fits.test(file))?.out ?? false
}

const patternOf = (glob: string): RegExp => {
  const source = glob
    .replace(/^\/|\/$/g, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (wild) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*' })[wild] ?? '[^/]')
  return new RegExp(`^${source}(?:/|$)`)
}

/** What git holds or would take; where git cannot say, all but what is made here. */
const checkedOut = (root: string): readonly string[] => {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const git = spawnSync('git', list, { cwd: root, encoding: 'utf8' })
  if (git.status === 0) return git.stdout.split('\0').filter((file) => file && existsSync(path.join(root, file)))
  const made = ignoredBy(readFileSync(path.join(root, '.gitignore'), 'utf8'))
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (file) => !made(file) && statSync(path.join(root, file)).isFile(),
  )
}
