/** Express and http-proxy-middleware with nothing set, as the manual's first example: `node express-bare.ts TARGET`, prints its port. */
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { tellPort } from './tell-port.ts'

const [, , target = ''] = process.argv
const app = express()
app.use(createProxyMiddleware({ target, changeOrigin: true }))
tellPort(app.listen(0, '127.0.0.1'))
