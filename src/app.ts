/** Express: an application that says nothing of itself, and its router alone. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import express, { type Express, type Request, type Response } from 'express'

export type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'

export const createApp = (): Express => {
  const app = express()
  app.disable('x-powered-by')
  return app
}

export type Handle = (req: IncomingMessage, res: ServerResponse) => void

/** One handler for all requests. The router without an application: that would change the prototypes of every request and response. */
export const createRoute = (handle: Handle): Handle => {
  const router = express.Router()
  router.use(handle)
  return (req, res) => {
    if (req.url?.startsWith('/')) router(req as Request, res as Response, () => handle(req, res))
    else handle(req, res) // no path: the router would have Node parse it, and Node print it
  }
}
