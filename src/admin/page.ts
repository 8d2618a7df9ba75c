/** The page's files, read once. What they may do in a browser: load one another, and ask this listener. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

export type PageFile = { readonly type: string; readonly body: string }

const FILES = {
  '/': 'index.html',
  '/page/style.css': 'style.css',
  '/page/icon.svg': 'icon.svg',
  '/page/main.js': 'main.js',
  '/page/render.js': 'render.js',
  '/page/plots.js': 'plots.js',
  '/page/explain.js': 'explain.js',
  '/page/dom.js': 'dom.js',
  '/page/words.js': 'words.js',
} as const
const LIBRARY = { '/page/uplot.js': 'uPlot.iife.min.js', '/page/uplot.css': 'uPlot.min.css' } as const

const require = createRequire(import.meta.url)

/** By the path they are served under. Reads them: not before somebody looks. */
export const readPage = (): ReadonlyMap<string, PageFile> => {
  const own = path.join(import.meta.dirname, 'page')
  const library = path.dirname(require.resolve('uplot'))
  const read = (folder: string, files: Readonly<Record<string, string>>) =>
    Object.entries(files).map(([url, file]) => {
      const body = readFileSync(path.join(folder, file), 'utf8')
      return [url, { type: path.extname(file), body }] as const
    })
  return new Map([...read(own, FILES), ...read(library, LIBRARY)])
}

export const PAGE_PATHS: readonly string[] = Object.keys({ ...FILES, ...LIBRARY })

export const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
} as const
