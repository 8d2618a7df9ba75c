/** Every JavaScript and shell block of docs/clients.md runs as it stands there, and shows personal data. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { person } from '../../src/simulator/people.ts'
import { CREDENTIALS } from '../support/clients/client.ts'
import { startManaged } from '../support/managed.ts'
import { type Pair, startPair } from '../support/pair.ts'
import { needs } from '../support/tools.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const PRELOAD = path.join(ROOT, 'test/support/clients/amazon-is-here.ts')
const DOCUMENT = readFileSync(path.join(ROOT, 'docs/clients.md'), 'utf8')
const { name, email, street } = person('seller-a', '902-1845936-5435001')

type Block = { readonly section: string; readonly managed: boolean; readonly language: string; readonly text: string }
const MANAGED = 'Services that hold nothing'
/** The fenced blocks, each with the section it stands in: a client's name. */
const blocks: readonly Block[] = DOCUMENT.split(/^## /m).flatMap((chapter) =>
  chapter.split(/^### /m).flatMap((part) =>
    [...part.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
      section: part.split('\n')[0] ?? '',
      managed: chapter.startsWith(MANAGED),
      language,
      text,
    })),
  ),
)
const executed = blocks.filter(({ language }) => language === 'js' || language === 'sh')

for (const chapter of [false, true])
  test(`there is a guide to run for each client that the tests have${chapter ? ', without credentials too' : ''}`, () => {
    assert.deepEqual(
      executed.filter(({ managed }) => managed === chapter).map(({ section }) => section),
      ['amazon-sp-api', '@sp-api-sdk', "Amazon's JavaScript SDK", 'curl'],
    )
  })

test('the versions it speaks of are the ones that were run', () => {
  const versionOf = (name: string): string =>
    JSON.parse(readFileSync(path.join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version
  const stated = [
    `(#amazon-sp-api) ${versionOf('amazon-sp-api')} |`,
    `orders ${versionOf('@sp-api-sdk/orders-api-v0')}, common ${versionOf('@sp-api-sdk/common')})`,
    `(#amazons-javascript-sdk) ${versionOf('@amazon-sp-api-release/amazon-sp-api-sdk-js')} |`,
    `Tokens client (${versionOf('@sp-api-sdk/tokens-api-2021-03-01')})`,
  ]
  const document = DOCUMENT.replace(/\s+/g, ' ') // wherever its lines end
  for (const text of stated) assert.ok(document.includes(text), text)
})

/** Inside node_modules, so that imports resolve and nothing is left in the work tree. */
const folder = (t: TestContext): string => {
  const cache = path.join(ROOT, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(path.join(cache, 'guide-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const run = promisify(execFile)
const output = async (
  t: TestContext,
  { language, text }: Block,
  pair: Pick<Pair, 'base' | 'amazon'>,
  secrets: Readonly<Record<string, string>>,
): Promise<string> => {
  const file = path.join(folder(t), language === 'js' ? 'guide.mjs' : 'guide.sh')
  writeFileSync(file, text)
  const env = { PATH: process.env['PATH'], SIDECAR: pair.base, AMAZON: pair.amazon, ...secrets }
  const command = language === 'js' ? [process.execPath, '--import', PRELOAD] : ['sh', '-eu']
  const [program = '', ...args] = command
  return (await run(program, [...args, file], { env, timeout: 60_000 })).stdout
}

const needed = ({ language }: Block) => ({ skip: language === 'sh' && needs('curl') })

for (const block of executed.filter(({ managed }) => !managed)) {
  test(`the guide for ${block.section} runs as it stands`, needed(block), async (t) => {
    const pair = await startPair(t)
    const shown = await output(t, block, pair, {
      LWA_ENDPOINT: `${pair.amazon}/auth/o2/token`,
      LWA_CLIENT_ID: CREDENTIALS.clientId,
      LWA_CLIENT_SECRET: CREDENTIALS.clientSecret,
      LWA_REFRESH_TOKEN: CREDENTIALS.refreshToken('seller-a'),
    })
    for (const personal of [email, name, street]) assert.ok(shown.includes(personal), `${personal} in:\n${shown}`)
    assert.equal(shown.split(`For you, from ${name}`).length - 1, 2, 'both pages of items')
    assert.deepEqual(
      pair.calls().map(({ operation, token, status }) => `${operation} ${token} ${status}`),
      ['getOrders', 'getOrderItems', 'getOrderItems', 'getOrderAddress'].map((one) => `orders-v0.${one} rdt 200`),
    )
    const minters = pair.mints().map(({ headers }) => headers['user-agent'])
    assert.deepEqual(new Set(minters), new Set(['rdt-sidecar/0.0.0-test']), 'the client minted nothing itself')
    assert.equal(minters.length, 3)
  })
}

for (const block of executed.filter(({ managed }) => managed)) {
  test(`the guide for ${block.section} without credentials runs as it stands`, needed(block), async (t) => {
    const pair = await startManaged(t, { sellers: ['shop-us', 'shop-eu'] })
    const shown = await output(t, block, pair, { CALLER_TOKEN_FILE: pair.callerTokenFile })
    const addressee = person('shop-us', '902-1845936-5435001')
    for (const personal of [addressee.name, addressee.street]) assert.ok(shown.includes(personal), shown)
    assert.deepEqual(
      pair.calls().map(({ operation, token, status }) => `${operation} ${token} ${status}`),
      ['orders-v0.getOrderAddress rdt 200'],
    )
    const askers = pair.lwa().map(({ headers }) => headers['user-agent'])
    assert.deepEqual(askers, ['rdt-sidecar/0.0.0-test'], 'the client asked Login with Amazon for nothing')
  })
}
