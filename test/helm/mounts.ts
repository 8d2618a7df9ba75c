/**
 * Folders of this process in the place of a pod's volumes: the program reads and writes there what its mounts let it, and a caller
 * sees of it what its own mounts show. Paths that no mount covers stay as they are, and nothing is there.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { stringify } from 'yaml'
import { type Certificate, selfSigned } from '../support/certificates.ts'
import { type Rendered, scratchFile } from './chart.ts'
import { envOf, type Pod, sidecarOf } from './pods.ts'

let count = 0

/** What the files of Secrets hold here: the simulator's application and one of its sellers, a store's key and password. */
const SECRETS = {
  'client-secret': 'simulated-secret',
  'refresh-token': 'Atzr|seller-a',
  key: Buffer.alloc(32, 'key').toString('base64'),
  password: 'password-of-redis',
  'redis.password': 'password-of-redis',
}
/** What callers show whose token is in this Secret. */
export const callerTokenOf = (secretName: string): string => `caller-token-of-${secretName}`

/** `config`: the values' own, which stands for the operator's file where that is not the chart's. */
export const mount = (pod: Pod, objects: readonly Rendered[], config: unknown) => {
  const sidecar = sidecarOf(pod)
  const folders = new Map<string, string>(
    pod.spec.volumes.map(({ name }: Rendered) => [name, scratchFile(`v${++count}`)]), // short: paths of sockets are bounded
  )
  /** Paths of a container → paths of this machine, in any text. */
  const seenBy =
    ({ volumeMounts = [] }: Rendered) =>
    (text: string): string =>
      volumeMounts.reduce(
        (so: string, { name, mountPath }: Rendered) => so.replaceAll(`${mountPath}/`, `${folders.get(name)}/`),
        text,
      )
  const here = seenBy(sidecar)
  const map = objects.find(({ kind, data }) => kind === 'ConfigMap' && data['config.yaml'] !== undefined)
  const operatorFile: string = map?.data['config.yaml'] ?? stringify(config)
  const env = envOf(sidecar)
  const texts = [operatorFile, ...Object.values(env)].join('\n')
  for (const volume of pod.spec.volumes) {
    const { name, secret, configMap, emptyDir } = volume
    const folder = folders.get(name) ?? ''
    const { mountPath } = sidecar.volumeMounts.find((one: Rendered) => one.name === name)
    mkdirSync(folder)
    if (emptyDir) chmodSync(folder, 0o777)
    for (const [key, text] of secret ? secretFiles(secret, mountPath, texts) : [])
      writeFileSync(path.join(folder, key), text, { mode: secret.defaultMode })
    if (configMap) writeFileSync(path.join(folder, path.basename(env['SIDECAR_CONFIG'] ?? '')), here(operatorFile))
  }
  return {
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, here(value)])),
    seenBy,
  }
}

/** Those that are mounted by name, else those that the configuration names. */
const secretFiles = (
  { secretName, items }: Rendered,
  mountPath: string,
  texts: string,
): readonly (readonly [string, string])[] => {
  const named = [...texts.matchAll(new RegExp(`${mountPath}/([-._\\w]+)`, 'g'))].map(([, key = '']) => key)
  const keys: readonly string[] = items?.map((item: Rendered) => item.path) ?? [...new Set(named)]
  return keys.map((key) => [key, contentOf(key, secretName)])
}

const contentOf = (key: string, secretName: string): string => {
  if (/\.(crt|key)$/.test(key)) return key === 'tls.key' ? certificate().key : certificate().cert
  return `${{ ...SECRETS, token: callerTokenOf(secretName) }[key] ?? assert.fail(`nobody knows what ${key} holds`)}\n`
}

let made: Certificate | undefined
/** Of the Service that the chart makes for the release `shop`; its own authority, and good for callers too. */
export const certificate = (): Certificate => {
  const names = ['', '.orders', '.orders.svc'].map((rest) => `DNS:shop-rdt-sidecar${rest}`).join(',')
  made ??= selfSigned(path.dirname(scratchFile('certificate')), 'shop-rdt-sidecar', names)
  return made
}
