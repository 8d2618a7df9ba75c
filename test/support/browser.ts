/** A real Chromium, Debian's, driven by playwright-core: what a page says on its console and asks of the network is kept. */
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Life } from './life.ts'

export type Visit = {
  readonly page: Page
  /** Errors and warnings on the console, and uncaught ones. */
  readonly complaints: readonly string[]
  /** Method and address of every request. */
  readonly requests: readonly string[]
}

/** One for a file of tests. */
export const startBrowser = async (life: Life) => {
  // no sandbox: it does not run for root; what it opens is ours
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  })
  life.after(() => browser.close())
  return {
    /** A profile of its own, gone with the test. `prepare`: before anything is loaded. */
    visit: async (
      t: Life,
      address: string,
      options: BrowserContextOptions = {},
      prepare?: (page: Page) => Promise<unknown>,
    ): Promise<Visit> => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
      t.after(() => context.close())
      const page = await context.newPage()
      const complaints: string[] = []
      const requests: string[] = []
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`)
      })
      page.on('pageerror', (error) => complaints.push(String(error)))
      context.on('request', (request) => requests.push(`${request.method()} ${request.url()}`))
      await prepare?.(page)
      await page.goto(address)
      return { page, complaints, requests }
    },
  }
}
