/** A proxy on node:http alone that pipes, with an agent that keeps connections: `node node-http.ts TARGET`, prints its port. */
import { Agent, createServer, request } from 'node:http'
import { pipeline } from 'node:stream'
import { tellPort } from './tell-port.ts'

const { hostname, port, host } = new URL(process.argv[2] ?? '')
const agent = new Agent({ keepAlive: true, maxSockets: 256 })

const server = createServer((req, res) => {
  const headers = { ...req.headers, host }
  const forwarded = request({ agent, hostname, port, method: req.method, path: req.url, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers)
    pipeline(answer, res, () => {})
  })
  forwarded.on('error', () => res.destroy())
  req.pipe(forwarded)
})
tellPort(server.listen(0, '127.0.0.1'))
