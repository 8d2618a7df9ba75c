/** Paths as long as a URL may be, which a caller can make up by the thousand: what is remembered of them is short. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REACHES } from '../../src/rdt/refusal.ts'
import { refusalKey } from '../../src/rdt/refusals.ts'
import { rdtOf, refused, startMinting, token } from '../support/minting.ts'

const path = (length: number): string => `/${'a'.repeat(length - 1)}`

test('a refusal is remembered under a short name, however long its path, and each path has another', async () => {
  const made = startMinting(async () => refused('No.'))
  for (let i = 0; i < 2; i += 1) assert.equal((await made.get(path(10_000))).kind, 'refused')
  assert.equal(made.calls(), 1)
  await made.get(path(10_001))
  assert.equal(made.calls(), 2)
  const need = { resources: [{ method: 'GET', path: path(10_000) }], operation: `GET ${path(10_000)}` }
  const question = { origin: 'https://na', credential: { id: 'c', token: 't' }, need }
  for (const reach of REACHES) assert.ok(refusalKey(reach, question).length < 100, reach)
})

test('an RDT for a path that is longer than any of Amazon’s is used once and not kept', async () => {
  const made = startMinting(async (n) => token(n))
  const twice = async (length: number) => [rdtOf(await made.get(path(length))), rdtOf(await made.get(path(length)))]
  assert.deepEqual(await twice(512), ['minted Atz.sprdt|1', 'hit Atz.sprdt|1'])
  assert.deepEqual(await twice(513), ['minted Atz.sprdt|2', 'minted Atz.sprdt|3'])
})
