/** What package.json asks for and package-lock.json holds. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

export const ROOT = path.join(import.meta.dirname, '../..')

export type Locked = {
  readonly version: string
  readonly license?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly dev?: true
  readonly optional?: true
  readonly inBundle?: true
  readonly deprecated?: string
  readonly hasInstallScript?: true
  readonly dependencies?: Readonly<Record<string, string>>
}
type Manifest = {
  readonly name: string
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
export type Lock = { readonly packages: Readonly<Record<string, Locked>> }

const read = (name: string): unknown => JSON.parse(readFileSync(path.join(ROOT, name), 'utf8'))
export const manifest = read('package.json') as Manifest
export const lock = read('package-lock.json') as Lock

/** Of every package but this one: where it goes, and what the lock says of it. */
export const packages: readonly (readonly [place: string, Locked])[] = Object.entries(lock.packages).filter(
  ([place]) => place !== '',
)

/** Those that `npm ci --omit=dev` installs. */
export const shipped = packages.filter(([, { dev }]) => !dev)

export const nameOf = (place: string): string =>
  place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
