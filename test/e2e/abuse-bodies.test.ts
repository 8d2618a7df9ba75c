/** What a caller with a worthless token can do with the body of a mint of its own: nothing that others feel. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lwaToken, serving, simulating } from '../support/cli.ts'
import { many } from '../support/many.ts'
import { exchange } from '../support/raw.ts'
import { MINT_PATH } from '../support/simulator-client.ts'
import { readAnswer } from '../support/wire.ts'

const ADDRESS = '/orders/v0/orders/902-1845936-5435001/address'

test('bodies that come in chunks of a byte do not fill the memory: two of half a megabyte in a heap of 96 MB', async (t) => {
  const amazon = await simulating(t)
  const sidecar = await serving(t, { SIDECAR_ENDPOINT: amazon }, [], ['--max-old-space-size=96'])
  const head = `POST ${MINT_PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n`
  const body = `${'1\r\n \r\n'.repeat(500_000)}0\r\n\r\n`
  const answers = await many(2, (i) =>
    exchange(Number(new URL(sidecar.base).port), `${head}x-amz-access-token: Atza|${i}\r\n\r\n${body}`, { ms: 60_000 }),
  )
  assert.deepEqual(
    answers.map((text) => readAnswer(text).status),
    [403, 403], // a list of its chunks took 200 MB for each
  )
  const token = await lwaToken(amazon)
  const honest = await fetch(sidecar.base + ADDRESS, { headers: { 'x-amz-access-token': token } })
  assert.deepEqual([honest.status, sidecar.child.exitCode], [200, null])
})
