/** An express application that says nothing of itself. */
import express, { type Express } from 'express'

export type { Request, RequestHandler, Response } from 'express'

export const createApp = (): Express => {
  const app = express()
  app.disable('x-powered-by')
  return app
}
