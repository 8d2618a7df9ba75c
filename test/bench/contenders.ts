/**
 * Who is compared: the sidecar as users run it, and what they would put in its place, all in front of the same upstream with the
 * same connections. Node programs run on this Node with NODE_ENV=production.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '../support/listen.ts'
import { isOnPath } from '../support/tools.ts'
import { type Program, type Running, startProgram } from './processes.ts'
import { openRequests, restrictedRequests } from './requests.ts'

export type Contender = {
  /** As the tables name it. */
  readonly name: string
  /** On Node, so that it can be profiled. */
  readonly node: boolean
  /** The program that it needs and this machine has not. */
  readonly missing?: string | undefined
  readonly requests: readonly Buffer[]
  /** What every answer says once it is warm. */
  readonly expected?: string
  /** `nodeOptions`: on the command line before the script. */
  readonly start: (upstreamPort: number, nodeOptions?: readonly string[], env?: Env) => Promise<Running>
}
type Env = Readonly<Record<string, string>>

export const RESTRICTED = 'RDT sidecar, restricted, cached'
export const OPEN = 'RDT sidecar, not restricted'
export const BARE = 'express + http-proxy-middleware'

const ROOT = path.join(import.meta.dirname, '../..')
const PEERS = path.join(import.meta.dirname, 'peers')
const ORIGIN = 'http://127.0.0.1'

/** Where nothing is timed, BENCH_MAIN=src/main.ts spares the build. */
export const sidecarScript = (): string => path.join(ROOT, process.env['BENCH_MAIN'] ?? 'dist/main.js')

/** The built sidecar with its default configuration: log level info, audit stream on, both to a file. */
export const startSidecar = (upstreamPort: number, nodeOptions: readonly string[] = [], env: Env = {}) =>
  startProgram({
    command: process.execPath,
    args: [...nodeOptions, sidecarScript(), 'serve'],
    env: {
      SIDECAR_PORT: '0',
      SIDECAR_ADMIN_PORT: '0',
      SIDECAR_ENDPOINT: `${ORIGIN}:${upstreamPort}`,
      ...env,
    },
    port: /"data":\[\{[^\]]*?"port":(\d+)/,
  })

const onNode = (name: string, script: string): Contender => ({
  name,
  node: true,
  requests: restrictedRequests,
  start: (upstreamPort, nodeOptions = [], env = {}) =>
    startProgram({
      command: process.execPath,
      args: [...nodeOptions, path.join(PEERS, script), `${ORIGIN}:${upstreamPort}`],
      env,
      port: /port (\d+)/,
    }),
})

const nginxConfiguration = (folder: string, port: number, upstreamPort: number): string => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((use) => `${use}_temp_path ${folder}/${use};`).join(' ')}
  keepalive_requests 1000000;
  upstream amazon { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://amazon; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`
const nginx: Contender = {
  name: 'nginx, one worker',
  node: false,
  missing: isOnPath('nginx') ? undefined : 'nginx',
  requests: restrictedRequests,
  start: async (upstreamPort) => {
    const port = await freePort()
    return startInFolder((folder) => {
      const file = path.join(folder, 'nginx.conf')
      writeFileSync(file, nginxConfiguration(folder, port, upstreamPort))
      return { command: 'nginx', args: ['-p', folder, '-c', file, '-e', 'stderr'], port }
    })
  },
}

const go: Contender = {
  name: 'Go httputil.ReverseProxy',
  node: false,
  missing: isOnPath('go') ? undefined : 'go',
  requests: restrictedRequests,
  start: (upstreamPort) =>
    startInFolder((folder) => {
      const command = path.join(folder, 'reverse-proxy')
      execFileSync('go', ['build', '-o', command, path.join(PEERS, 'reverse-proxy.go')], { cwd: folder })
      return { command, args: [`${ORIGIN}:${upstreamPort}`], port: /port (\d+)/ }
    }),
}

/** With an empty folder of its own, which goes when it ends. */
const startInFolder = async (programIn: (folder: string) => Program): Promise<Running> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rdt-peer-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const running = await startProgram(programIn(folder))
    return { ...running, stop: () => running.stop().finally(remove) }
  } catch (error) {
    remove()
    throw error
  }
}

export const CONTENDERS: readonly Contender[] = [
  {
    name: RESTRICTED,
    node: true,
    requests: restrictedRequests,
    expected: '\r\nx-rdt-verdict: hit\r\n',
    start: startSidecar,
  },
  {
    name: OPEN,
    node: true,
    requests: openRequests,
    expected: '\r\nx-rdt-verdict: not-restricted\r\n',
    start: startSidecar,
  },
  onNode(BARE, 'express-bare.ts'),
  onNode(`${BARE}, own agent`, 'express-agent.ts'),
  onNode('@fastify/http-proxy', 'fastify.ts'),
  onNode('node:http alone', 'node-http.ts'),
  nginx,
  go,
]

export const startUpstream = (...args: readonly string[]): Promise<Running> =>
  startProgram({
    command: process.execPath,
    args: [path.join(import.meta.dirname, 'upstream.ts'), ...args],
    port: /port (\d+)/,
  })
