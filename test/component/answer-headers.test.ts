/** What is read of an answer's headers is what Node would read, however they come: both read the same bytes from a real connection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { headersRead } from '../../src/proxy/headers.ts'

const READ = ['connection', 'content-encoding', 'keep-alive', 'x-amzn-requestid']

const spelled = fc
  .tuple(fc.constantFrom(...READ, 'content-type', 'x-amzn-requestie', 'keep-alivf', '__proto__'), fc.boolean())
  .map(([name, loud]) => (loud ? name.toUpperCase() : name))
const lines = fc.array(fc.tuple(spelled, fc.constantFrom('close', 'gzip', 'timeout=5', 'a-b-c', '')), { maxLength: 8 })

test('property: as Node reads them, repeated and in any spelling', async (t) => {
  let head = ''
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${head}Content-Length: 0\r\n\r\n`))
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answerTo = async (): Promise<IncomingMessage> => {
    const [answer] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
    return answer.resume()
  }
  await fc.assert(
    fc.asyncProperty(lines, async (several) => {
      head = several.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const { headers, rawHeaders } = await answerTo()
      const expected = Object.fromEntries(READ.flatMap((name) => (name in headers ? [[name, headers[name]]] : [])))
      assert.deepEqual({ ...headersRead(rawHeaders) }, expected)
    }),
    { numRuns: 300 },
  )
})
