/** `npm run screenshot`: the page as the demo fills it, as docs/page.png. SECONDS (70): how long the demo goes on before. Needs Chromium. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startBrowser } from '../support/browser.ts'
import { printed, start } from '../support/cli.ts'
import { createLife } from '../support/life.ts'

const ROOT = path.join(import.meta.dirname, '../..')

const main = async (): Promise<void> => {
  const seconds = Number(process.env['SECONDS'] ?? 70) // the plots then have two minutes
  const life = createLife()
  try {
    const demo = start(life, ['demo'], {}, [], path.join(ROOT, 'dist/main.js'))
    await printed(demo, /Try it by hand/)
    const [, address = ''] = await printed(demo, /browser: (\S+)\n/)
    await sleep(seconds * 1000)
    const { visit } = await startBrowser(life)
    const { page, complaints } = await visit(life, address, { colorScheme: 'light', deviceScaleFactor: 1 })
    await page.fill('#explain [name=path]', '/orders/v0/orders/902-1845936-5435001/orderItems')
    await page.click('#explain button')
    await page.waitForSelector('#explained > *')
    await page.waitForSelector('.plot canvas')
    if (complaints.length > 0) throw new Error(complaints.join('\n'))
    await page.screenshot({ fullPage: true, path: path.join(ROOT, 'docs/page.png') })
  } finally {
    await life.end()
  }
}

if (import.meta.main) await main()
