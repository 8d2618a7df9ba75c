/** Bodies of any size stream both ways: nothing is kept, nothing waits for the end. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, it } from 'node:test'
import { watchBuffers } from '../support/buffers.ts'
import { answerTo, digestOf, manyChunks, open } from '../support/http-client.ts'
import { LWA } from '../support/recording-upstream.ts'
import { startWorld } from '../support/wire.ts'

const OPEN = '/sellers/v1/account'
const RESTRICTED = '/orders/v0/orders/902-1/address'
const CHUNKS = 800 // of 64 KiB: 50 MiB
const MIB = 1_048_576

const expected = digestOf(Readable.from(manyChunks(CHUNKS)), createHash('sha256'))

describe('fifty megabytes', () => {
  for (const path of [OPEN, RESTRICTED]) {
    it(`come down from ${path} whole, without being kept`, async (t) => {
      const { base } = await startWorld(t, {
        stream: (_, res) => void pipeline(Readable.from(manyChunks(CHUNKS)), res),
      })
      const res = await answerTo(open(base, 'GET', path, { 'x-amz-access-token': LWA }).end())
      const buffers = watchBuffers()
      assert.equal(await digestOf(res, createHash('sha256'), buffers.look), await expected)
      assert.ok(buffers.most() < 8 * MIB, `${buffers.most()} bytes held`)
    })
  }

  for (const headers of [{ 'content-length': String(CHUNKS * 65_536) }, { 'transfer-encoding': 'chunked' }]) {
    it(`go up whole, without being kept: ${Object.entries(headers)[0]?.join(': ')}`, async (t) => {
      const buffers = watchBuffers()
      const { base } = await startWorld(t, {
        stream: async (req, res) => res.end(await digestOf(req, createHash('sha256'), buffers.look)),
      })
      const req = open(base, 'POST', OPEN, headers)
      const [answer] = await Promise.all([answerTo(req), pipeline(Readable.from(manyChunks(CHUNKS)), req)])
      assert.equal(String(Buffer.concat(await answer.toArray())), await expected)
      assert.ok(buffers.most() < 8 * MIB, `${buffers.most()} bytes held`)
    })
  }
})

describe('streaming', () => {
  it('brings Amazon the first bytes of an upload while the caller still sends', async (t) => {
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>()
    const { base } = await startWorld(t, {
      stream: (req, res) => {
        resolve(req)
        req.on('end', () => res.end('done'))
      },
    })
    const req = open(base, 'POST', OPEN, { 'content-length': '10' })
    req.write('first')
    const atAmazon = await promise
    const [first] = await once(atAmazon, 'data')
    assert.deepEqual([String(first), atAmazon.complete], ['first', false])
    req.end('later')
    assert.equal(String(Buffer.concat(await (await answerTo(req)).toArray())), 'done')
  })

  for (const path of [OPEN, RESTRICTED]) {
    it(`brings the caller the first bytes of ${path} while Amazon still sends`, async (t) => {
      let finish = () => {}
      const { base } = await startWorld(t, {
        stream: (_, res) => {
          res.write('first')
          finish = () => res.end('later')
        },
      })
      const res = await answerTo(open(base, 'GET', path, { 'x-amz-access-token': LWA }).end())
      const [first] = await once(res, 'data')
      assert.equal(String(first), 'first')
      finish()
      assert.equal(String(Buffer.concat(await res.toArray())), 'later')
    })
  }

  it('brings the caller an answer that Amazon gives before the upload has ended', async (t) => {
    const { base } = await startWorld(t, {
      stream: (_, res) => res.writeHead(413, { connection: 'close' }).end('enough'),
    })
    const req = open(base, 'PUT', OPEN, { 'content-length': '1000000' })
    req.write('first')
    const res = await answerTo(req)
    assert.deepEqual([res.statusCode, String(Buffer.concat(await res.toArray()))], [413, 'enough'])
    req.destroy()
  })
})
