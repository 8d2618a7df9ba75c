/** What the benchmark says: sections of Markdown under one head that names machine, versions and date. */
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import path from 'node:path'

export type Section = { readonly title: string; readonly markdown: string }
/** `miniature`: a few requests, which shows that it works and nothing else. */
export type Size = 'full' | 'miniature'
export type SectionSource = { readonly name: string; readonly run: (size: Size) => Promise<Section> }

export type Column = { readonly name: string; readonly align?: 'left' | 'right' }

/** A Markdown table; columns of numbers stand right. */
export const tableOf = (columns: readonly Column[], rows: readonly (readonly string[])[]): string =>
  [columns.map(({ name }) => name), columns.map(({ align = 'right' }) => (align === 'left' ? '--' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
    .replace(/^\|.*--.*\|$/m, (line) => line.replaceAll(' ', ''))

/** Three significant digits, no exponent: 0.958, 12.3, 1,230. */
export const figure = (value: number): string => {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Of an installed package. */
export const versionOf = (name: string): string =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, '../../node_modules', name, 'package.json'), 'utf8')).version

/** `versions`: of what was measured, by name. */
export const machineOf = (date: Date, versions: Readonly<Record<string, string | undefined>>): string => {
  const processors = cpus()
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const machine = `${processors.length} × ${processors[0]?.model.trim()}, ${gib} GiB, Linux ${release()}`
  const names = Object.entries(versions).flatMap(([name, version]) => (version ? [`${name} ${version}`] : []))
  return `Measured ${date.toISOString().slice(0, 10)} on ${machine}. ${names.join(', ')}.`
}

export const documentOf = (machine: string, sections: readonly Section[]): string =>
  [
    '# Benchmarks',
    'Written by `npm run bench`; do not edit.',
    machine,
    ...sections.map(({ title, markdown }) => `## ${title}\n\n${markdown}`),
  ]
    .join('\n\n')
    .concat('\n')

/** The page with this between its markers `<!-- name: begin -->` and `<!-- name: end -->`. @throws Error where it has none. */
export const pageWith = (page: string, name: string, text: string): string => {
  const [begin, end] = [`<!-- ${name}: begin -->\n`, `<!-- ${name}: end -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no ${begin.trim()} … ${end}`)
  return `${page.slice(0, from)}${begin}${text}\n${page.slice(to)}`
}
