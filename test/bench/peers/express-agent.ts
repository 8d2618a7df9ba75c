/** The same with an agent that keeps as many connections as the sidecar's. The library's own, the default, keeps 64 idle ones. */
import { Agent } from 'node:http'
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { tellPort } from './tell-port.ts'

const [, , target = ''] = process.argv
const agent = new Agent({ keepAlive: true, maxSockets: 256 })
const app = express()
app.use(createProxyMiddleware({ target, changeOrigin: true, agent }))
tellPort(app.listen(0, '127.0.0.1'))
