/** The admin listener: probes, metrics, status. Holds no token, no seller, no path with ids; depends on neither Amazon nor the callers. */
import { createApp } from '../app.ts'

export type AdminOptions = {
  readonly ready: () => boolean
  /** In Prometheus' text format. */
  readonly metrics: { readonly contentType: string; readonly metrics: () => Promise<string> }
  readonly status: () => object
}

export const createAdmin = ({ ready, metrics, status }: AdminOptions) => {
  const app = createApp()
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
