/** What this machine lends: the right to mount, and its own system in the place of the base image's. */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { needs } from '../support/tools.ts'

const NODE = path.join(import.meta.dirname, '../../node_modules/node/bin/node')

process.umask(0o022) // as in an engine, whatever this machine's is

/** For a test's `skip` option: images can be built here, else why not. */
export const cannotBuild = (): false | string => {
  const missing = needs('unshare', 'nsenter', 'setpriv', 'mount', 'npm', 'dpkg', 'ldd')
  if (missing || process.env['CI']) return missing
  const mounts = spawnSync('unshare', ['--mount', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'none', '/mnt'])
  return mounts.status === 0 ? false : 'only root may mount'
}

/**
 * Stands for `node:VERSION-bookworm-slim`: this machine's root below, and above it, in `folder`, the Node that the lock file
 * pins and npm where that image has them. What a Debian system does not hold is hidden.
 */
export const layBase = (folder: string): void => {
  const bin = path.join(folder, 'usr/local/bin')
  mkdirSync(bin, { recursive: true })
  copyFileSync(NODE, path.join(bin, 'node'))
  for (const tool of ['npm', 'npx']) symlinkSync(realpathSync(which(tool)), path.join(bin, tool))
  writeFileSync(path.join(folder, 'usr/local/LICENSE'), 'stands for the licence of Node.js\n')
  for (const name of readdirSync('/'))
    if (!DEBIAN.has(name)) execFileSync('mknod', [path.join(folder, name), 'c', '0', '0'])
}

const DEBIAN = new Set(
  'bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var'.split(' '),
)

export const which = (tool: string): string => execFileSync('which', [tool], { encoding: 'utf8' }).trim()

/** The way to the package registry, as Docker hands proxies to a build. */
export const networkOf = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value && /^(https?_proxy|no_proxy|npm_config_registry|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/i.test(name)
        ? [[name, value]]
        : [],
    ),
  )
