/** `npm run check-image`: builds the image without an engine, shows what is in it, and runs the demo in it. As root, on Linux. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { buildImage, type Image } from './build.ts'
import { contextFiles } from './context.ts'
import { parseDockerfile } from './dockerfile.ts'
import { cannotBuild } from './machine.ts'
import { problemsOf } from './rules.ts'
import { runImage } from './run.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const print = (text: string): boolean => process.stdout.write(`${text}\n`)

const rules = (): void => {
  const problems = problemsOf(parseDockerfile(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8')), contextFiles(ROOT))
  if (problems.length > 0) throw new Error(problems.join('\n'))
  print('The Dockerfile keeps to the rules.')
}

const contents = ({ tree, workdir, user, entrypoint, cmd, healthcheck }: Image): void => {
  print(
    `\nThe image: user ${user}, ${JSON.stringify([...entrypoint, ...cmd])}, health by ${JSON.stringify(healthcheck)}`,
  )
  const inTree = (command: string) => execFileSync('/bin/sh', ['-c', command], { cwd: tree, encoding: 'utf8' })
  print(inTree(`find . -path .${workdir} -prune -o -type f -printf '/%P\\n' | sort`))
  print(
    inTree(
      `du --apparent-size --block-size=kB --all --max-depth=1 .${workdir}; du --apparent-size --block-size=kB --summarize .`,
    ),
  )
}

const demo = async (image: Image): Promise<number> => {
  const container = runImage(image, { cmd: ['demo', '--once'] })
  try {
    const { code, out, err } = await container.ended
    print(`The demo in it, as process 1, user ${image.user}, on a read-only root:\n\n${out}${err}\nexit code ${code}`)
    return code ?? 1
  } finally {
    await container.remove()
  }
}

rules()
const reason = cannotBuild()
if (reason) throw new Error(`not built: ${reason}`)
const image = buildImage(ROOT, {}, print)
try {
  contents(image)
  process.exitCode = await demo(image)
} finally {
  image.remove()
}
