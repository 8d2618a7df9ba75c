/** The admin listener: probes, metrics, status. Holds no token, no seller, no path with ids; depends on neither Amazon nor the callers. */
import express, { type Express } from 'express'
import type { Registry } from 'prom-client'

export type AdminOptions = {
  readonly ready: () => boolean
  readonly metrics: Registry
  readonly status: () => object
}

export const createAdmin = ({ ready, metrics, status }: AdminOptions): Express => {
  const app = express()
  app.disable('x-powered-by')
  app.get('/livez', (_req, res) => {
    res.type('text').send('live\n')
  })
  app.get('/readyz', (_req, res) => {
    res
      .status(ready() ? 200 : 503)
      .type('text')
      .send(ready() ? 'ready\n' : 'not ready\n')
  })
  app.get('/metrics', async (_req, res) => {
    res.set('content-type', metrics.contentType).send(await metrics.metrics())
  })
  app.get('/status', (_req, res) => {
    res.json(status())
  })
  app.use((_req, res) => {
    res.status(404).json({ error: 'not found', try: ['/livez', '/readyz', '/metrics', '/status'] })
  })
  return app
}
