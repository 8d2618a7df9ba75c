/** @fastify/http-proxy with nothing set: `node fastify.ts TARGET`, prints its port. */
import proxy from '@fastify/http-proxy'
import { fastify } from 'fastify'
import { tellPort } from './tell-port.ts'

const [, , upstream = ''] = process.argv
const app = fastify()
await app.register(proxy, { upstream })
await app.listen({ port: 0, host: '127.0.0.1' })
tellPort(app.server)
