/** What is generated, as it should be: `npm run generate` writes it, a test holds the files to it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { operatorFileSchema } from '../../src/config/schema.ts'
import { CHART, exampleChart, renderText } from './chart.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** How to make each file. */
export const GENERATED: Readonly<Record<string, () => string>> = {
  'config/config.schema.json': () => json(operatorFileSchema()),
  'helm/values.schema.json': () => valuesSchema(),
  'docs/kubernetes.md': () => kubernetesPage(),
  'docs/example-pod.yaml': () => examplePod(),
}

const valuesSchema = (): string => {
  const schema = JSON.parse(read('helm/values.schema.json'))
  const { $schema: _, ...config } = operatorFileSchema()
  schema.properties.config = config
  return json(schema)
}

const TABLE = /(<!-- values:[^>]*-->\n)[\s\S]*(<!-- end of values -->)/

const kubernetesPage = (): string => {
  const page = read('docs/kubernetes.md')
  if (!TABLE.test(page)) throw new Error('docs/kubernetes.md has no place for the values')
  return page.replace(TABLE, (_, start: string, end: string) => `${start}${valuesTables()}\n${end}`)
}

const examplePod = (): string =>
  `# helm template shop helm/examples/shop --namespace orders: made by \`npm run generate\`.\n${renderText({}, { chart: exampleChart() })}`

/** A table for each `## ` comment of values.yaml. */
const valuesTables = (): string => {
  const root = parseDocument(readFileSync(path.join(CHART, 'values.yaml'), 'utf8')).contents
  if (!isMap(root)) throw new Error('values.yaml holds no map')
  return rowsOf(root)
    .map(({ heading, key, value, meaning }) => {
      const start = heading ? `\n**${heading}**\n\n| value | default | meaning |\n|--|--|--|\n` : ''
      return `${start}| \`${key}\` | \`${value}\` |${meaning && ` ${meaning}`} |\n`
    })
    .join('')
}

type Row = { readonly heading: string; readonly key: string; readonly value: string; readonly meaning: string }

const rowsOf = (map: YAMLMap, prefix = '', ofMap = ''): readonly Row[] =>
  map.items.flatMap((pair: Pair, i) => {
    const { key, value } = pair
    if (!isScalar(key)) throw new Error(`a key of ${prefix} is no scalar`)
    const place = prefix + String(key.value)
    const comment = key.commentBefore ?? (i === 0 ? (map.commentBefore ?? ofMap) : '')
    if (isMap(value) && value.items.length > 0) return rowsOf(value, `${place}.`, comment)
    const [, heading = '', meaning = ''] = /^(?:# (.*)\n\n)?([\s\S]*)$/.exec(comment) ?? []
    return [{ heading, key: place, value: shown(value), meaning: meaning.replace(/\n/g, ' ').trim() }]
  })

const LONGEST = 40

const shown = (value: unknown): string => {
  const text = JSON.stringify(value)
  return text.length > LONGEST ? '…' : text
}
