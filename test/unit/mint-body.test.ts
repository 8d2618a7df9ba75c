/** Bodies of callers' own mints that were made to be hard to read. What is read of sound ones: test/e2e/own-mints.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMintBody } from '../../src/rdt/mint-body.ts'

const MEGABYTE = 1_048_000
const mint = (...restrictedResources: unknown[]) => JSON.stringify({ restrictedResources })
const read = (text: string) => readMintBody(Buffer.from(text))

/** The shortest of five, in milliseconds. */
const took = (work: () => unknown): number =>
  Math.min(
    ...Array.from({ length: 5 }, () => {
      const from = performance.now()
      work()
      return performance.now() - from
    }),
  )

const HARD: readonly (readonly [string, string])[] = [
  ['a text as long as it may be', JSON.stringify('a'.repeat(MEGABYTE))],
  ['a list of half a million numbers', `[${'1,'.repeat(MEGABYTE / 2 - 2)}1]`],
  ['a text in the place of a resource', mint('a'.repeat(MEGABYTE))],
  ['half a million resources', `{"restrictedResources":[${'1,'.repeat(MEGABYTE / 2 - 20)}1]}`],
]

for (const [what, text] of HARD) {
  test(`whoever sends ${what} holds nobody up for longer than parsing it takes`, () => {
    const parsing = took(() => JSON.parse(text))
    assert.equal(read(text), undefined)
    // taken for an object, a text of a megabyte took half a second: a hundred times as long
    const reading = took(() => read(text))
    assert.ok(reading < 10 * parsing + 20, `${reading} ms to read, ${parsing} ms to parse`)
  })
}

test('what is kept in keys and said in the log is bounded: a long path, or an element over and over, is not read', () => {
  const resource = { method: 'GET', path: '/orders/v0/orders/1' }
  const elements = ['buyerInfo', 'shippingAddress', 'buyerTaxInformation']
  assert.equal(read(mint({ ...resource, dataElements: elements }))?.resources.length, 1)
  for (const dataElements of [['buyerInfo', 'buyerInfo'], Array.from({ length: 80_000 }, () => 'buyerInfo')])
    assert.equal(read(mint({ ...resource, dataElements })), undefined)
  assert.equal(read(mint({ ...resource, path: `/${'a'.repeat(500)}` }))?.resources.length, 1)
  assert.equal(read(mint({ ...resource, path: `/${'a'.repeat(512)}` })), undefined)
  assert.equal(read(mint({ path: '/', method: 'G'.repeat(512) })), undefined)
})
