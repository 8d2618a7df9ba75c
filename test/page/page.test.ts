import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import axe from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { startBrowser } from '../support/browser.ts'
import { createLife, type Life } from '../support/life.ts'
import { startManaged } from '../support/managed.ts'
import { many, until } from '../support/many.ts'
import { metric } from '../support/metric.ts'
import { type Pair, startPair } from '../support/pair.ts'
import { needs } from '../support/tools.ts'

// The page as people see it, in a real Chromium. Its pictures are kept in test/artefacts, which git does not know.

const skip = needs('chromium')
const ARTEFACTS = path.join(import.meta.dirname, '../artefacts')
const EVERY_MS = 3000
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }

suite('the page, in Chromium', { skip }, () => {
  const life = createLife()
  let browser: Awaited<ReturnType<typeof startBrowser>>
  before(async () => {
    mkdirSync(ARTEFACTS, { recursive: true })
    browser = await startBrowser(life)
  })
  after(life.end)

  /** Opens it and waits for the first answer of /status to be shown. Its clock runs on by itself, and can be turned: `page.clock`. */
  const look = async (t: Life, { admin }: Pick<Pair, 'admin'>, options?: BrowserContextOptions) => {
    const visit = await browser.visit(t, `${admin}/`, options, (page) => page.clock.install())
    await visit.page.waitForSelector('#figures dt')
    const state = () => visit.page.textContent('#state')
    const asked = () => visit.requests.filter((one) => one.endsWith('/status')).length
    return {
      ...visit,
      state,
      /** Turns its clock on, poll by poll, until it is so. */
      polledUntil: (done: () => boolean | Promise<boolean>) =>
        until(async () => {
          await visit.page.clock.runFor(EVERY_MS)
          return done()
        }),
      /** How often it asks /status within a minute of its clock. */
      asksInAMinute: async () => {
        const before = asked()
        await visit.page.clock.runFor(60_000)
        await explain(visit.page, 'GET', `/${crypto.randomUUID()}`) // what is asked after all of them
        return asked() - before
      },
    }
  }

  test('it loads without a complaint, asks this listener alone, and only reads', async (t) => {
    const pair = await startBusy(t)
    const { page, complaints, requests, polledUntil } = await look(t, pair)
    await explain(page, 'GET', '/orders/v0/orders/902-1')
    await polledUntil(() => requests.filter((one) => one.endsWith('/status')).length >= 3)
    assert.deepEqual(complaints, [])
    for (const request of requests) assert.ok(request.startsWith(`GET ${pair.admin}/`), request)
    assert.equal(new Set(requests.filter((one) => !one.includes('/status'))).size, 12) // the page, its files, one question
    assert.equal(await page.evaluate(() => document.cookie + localStorage.length + sessionStorage.length), '00')
  })

  test('its numbers are those of /metrics after a known workload', async (t) => {
    const pair = await startBusy(t)
    const { page } = await look(t, pair)
    const figures = await figuresOf(page)
    const of = async (series: string) => String(await metric(pair, series))
    assert.deepEqual(figures, {
      Calls: '66', // 40 + 20 + 3 + 1 + 2
      'Hit ratio': '62.9 %', // 39 of 62
      Mints: String((await mintsIn(pair)).length),
      'Mints saved': String(62 - (await mintsIn(pair)).length),
      'RDTs cached': await of('rdt_token_cache_entries'),
      'Waiting now': '0',
    })
    assert.equal(await of('rdt_token_lookups_total{result="hit"}'), '39')
    assert.equal(figures['Calls'], String(await sumOf(pair, 'rdt_http_requests_total')))
    assert.equal(figures['Mints'], String(await sumOf(pair, 'rdt_mint_requests_total')))
    const lookups = await sumOf(pair, 'rdt_token_lookups_total')
    assert.equal(figures['Mints saved'], String(lookups - Number(figures['Mints'])))

    const rows = await page.locator('#operations tbody tr').all()
    const table = await Promise.all(
      rows.map(async (row) => (await row.locator('th, td').allTextContents()).slice(0, 5)),
    )
    const specific = (await mintsIn(pair)).length - 2
    assert.deepEqual(table, [
      ['orders-v0.getOrderAddress', '41', '97.5 %', '1', '1'],
      ['orders-v0.getOrderBuyerInfo', '20', '0 %', String(specific), '0'],
      ['other', '3', '–', '0', '0'],
      ['mfn-v0.getShipment', '2', '0 %', '1', '2'],
    ])
    for (const [route = '', calls] of table)
      assert.equal(String(await sumOf(pair, 'rdt_http_requests_total', `route="${route}"`)), calls, route)
    const refusals = await page.locator('#operations tbody tr td:last-child').allTextContents()
    assert.match(refusals.join('|'), /^missing-token, 403, .*\|none\|none\|mint-refused, 400 InvalidInput, .*$/)
  })

  test('it goes on by itself, and stops where it is told to, which it says', async (t) => {
    const pair = await startPair(t)
    const { page, complaints, state, polledUntil, asksInAMinute } = await look(t, pair)
    const calls = () => page.locator('#figures dd').first().textContent()
    assert.equal(await calls(), '0')
    assert.equal(await state(), 'Ready, nothing is wrong')
    await pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken())
    await polledUntil(async () => (await calls()) === '1')

    const pause = page.getByRole('button', { name: 'Pause' })
    await pause.click()
    assert.equal(await pause.getAttribute('aria-pressed'), 'true')
    assert.match((await state()) ?? '', /^Paused\. What follows is as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.$/)
    assert.match(await page.title(), /^Paused/)
    assert.ok((await asksInAMinute()) <= 1) // one was under way
    assert.match((await state()) ?? '', /^Paused/)
    await pause.click()
    await until(async () => (await state()) === 'Ready, nothing is wrong') // at once: nobody turned the clock
    assert.deepEqual(complaints, [])
  })

  test('it says when nobody answers any more, once, and shows the next sidecar that does', async (t) => {
    const pair = await startPair(t)
    await pair.call('/sellers/v1/marketplaceParticipations', pair.simulator.accessToken())
    await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 0)
    const { page, state, polledUntil } = await look(t, pair)
    const calls = () => page.locator('#figures dd').first().textContent()
    await pair.close()
    await polledUntil(async () => /^No answer\. What follows is as of 20/.test((await state()) ?? ''))
    const said = await state()
    await page.clock.fastForward(3_600_000) // the lid was closed
    await page.clock.runFor(60_000)
    assert.equal(await state(), said) // a screen reader reads out what changes here
    assert.equal(await page.title(), 'No answer – RDT sidecar')
    assert.equal(await calls(), '1') // what was known stays to be read
    await startPair(t, { env: { SIDECAR_ADMIN_PORT: new URL(pair.admin).port } })
    await polledUntil(async () => (await calls()) === '0')
    assert.equal(await state(), 'Ready, nothing is wrong')
  })

  test('an answer that is none, or not of this version, is not taken for one', async (t) => {
    const pair = await startPair(t)
    const { page, state, polledUntil } = await look(t, pair)
    const status = (await (await fetch(`${pair.admin}/status`)).json()) as object
    for (const [answer, said] of [
      [{ status: 502, body: 'bad gateway' }, /^It answers 502\. What follows is as of/],
      [{ contentType: 'text/html', body: '<h1>Sign in</h1>' }, /^No answer\. What follows/],
      [{ json: { ...status, state: 'hibernating' } }, /^Its answer is of another version: load this page again\. What/],
      [{ json: { ...status, lastHour: undefined } }, /^Its answer is of another version/],
      [{ json: null }, /^Its answer is of another version/],
    ] as const) {
      await page.route('**/status', (route) => route.fulfill(answer))
      await polledUntil(async () => said.test((await state()) ?? ''))
      assert.equal(await page.getAttribute('body', 'data-state'), 'silent')
      await page.unroute('**/status')
      await polledUntil(async () => (await state()) === 'Ready, nothing is wrong')
    }
  })

  test('whoever selects, reads or types is not disturbed by what changes', async (t) => {
    const pair = await startPair(t)
    const misuse = () => pair.call('/orders/v0/orders/1/address')
    await misuse()
    const { page, state, polledUntil } = await look(t, pair)
    await page.getByText('The same as a table').click()
    await page.getByLabel('Path').fill('/half')
    await page.evaluate(() => {
      const of = (selector: string) => document.querySelector(selector) ?? document.body
      getSelection()?.selectAllChildren(of('.problem p:nth-of-type(2)'))
      const kept = ['#state', '.problem h3', '#about code', '#operations th[scope=row]', '#hour td'].map(of)
      const changed: string[] = []
      for (const node of kept)
        new MutationObserver(() => changed.push(node.outerHTML)).observe(node, {
          subtree: true,
          childList: true,
          characterData: true,
        })
      Object.assign(globalThis, { changed: () => [...changed, ...kept.filter((one) => !one.isConnected)].map(String) })
    })
    for (const calls of ['2', '3']) {
      await misuse()
      await polledUntil(async () => (await page.locator('#figures dd').first().textContent()) === calls)
    }
    assert.deepEqual(await page.evaluate(() => (globalThis as unknown as { changed: () => string[] }).changed()), [])
    assert.match(await page.evaluate(() => String(getSelection())), /^What to do: Have the service send/)
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'path')
    assert.equal(await page.getByLabel('Path').inputValue(), '/half')
    assert.ok(await page.locator('#hour').isVisible())
    assert.equal(await state(), 'Ready, 1 thing to look at')
  })

  test('what is wrong is said in words with its cure, and that it has gone well since', async (t) => {
    const pair = await startPair(t)
    const token = pair.simulator.accessToken()
    pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
    const shipment = () => pair.call('/mfn/v0/shipments/7f9a', token)
    await shipment()
    const { page, polledUntil } = await look(t, pair)
    const problem = page.locator('.problem')
    assert.equal(await page.textContent('#state'), 'Ready, 1 thing to look at')
    assert.match(await page.title(), /^Ready, 1 thing to look at/)
    assert.match(
      (await problem.textContent()) ?? '',
      /lacks the role.*mfn-v0\.getShipment, answered 400.*What to do: Check role and authorisation in Seller Central.*RdtMintRefused/,
    )
    pair.simulator.control({ denyOperations: [] })
    await fetch(`${pair.admin}/flush`, { method: 'POST' })
    assert.equal((await shipment()).status, 200)
    await polledUntil(async () => /gone well since/.test((await problem.textContent()) ?? ''))
    assert.equal(await page.textContent('#state'), 'Ready, nothing is wrong')
  })

  test('it says that it drains for as long as it does', async (t) => {
    const pair = await startPair(t, { env: { SIDECAR_DRAIN_LAME_DUCK_MS: '3000' } })
    const { state, polledUntil } = await look(t, pair)
    const closed = pair.close()
    await polledUntil(async () => (await state()) === 'Draining')
    await closed
  })

  test('the last hour is drawn, told in words, and there to be read as a table', async (t) => {
    const pair = await startBusy(t)
    const { page } = await look(t, pair)
    const mints = (await mintsIn(pair)).length
    const said = await page.textContent('#mints-said')
    assert.match(
      said ?? '',
      new RegExp(`^Now \\d+, most ${mints}\\. Of one seller ${mints} at most, where its plan is 60\\.$`),
    )
    for (const plot of ['#plot-mints', '#plot-queue']) assert.ok(await inked(page, `${plot} canvas`), plot)
    await page.getByText('The same as a table').click()
    const cells = await page.locator('#hour tbody tr td:nth-child(2)').allTextContents()
    assert.equal(
      cells.reduce((sum, cell) => sum + Number(cell), 0),
      mints,
    )
  })

  test('the box explains a call as the command does, also one that is refused, by keyboard alone', async (t) => {
    const pair = await startPair(t)
    const { page, complaints } = await look(t, pair)
    for (const path of [
      '/orders/v0/orders/902-1/orderItems',
      '/orders/v0/orders/..%2f902-1',
      '/listings/2021-08-01/items/A1/<b>',
    ]) {
      await page.getByLabel('Path').focus()
      await page.keyboard.press('ControlOrMeta+a')
      await page.keyboard.type(path)
      await page.keyboard.press('Enter')
      const { body: facts } = await askExplain(pair, 'GET', path)
      const shown = Object.entries(facts).map(([name, value]) => [name, String(value)])
      await until(async () => JSON.stringify(await pairsIn(page, '#explained dl')) === JSON.stringify(shown))
    }
    assert.deepEqual(complaints, [])
  })

  test('everything that can be used is reached by keyboard, in the order in which it is read', async (t) => {
    const pair = await startPair(t)
    const { page } = await look(t, pair)
    const reached: string[] = []
    for (let i = 0; i < 7; i += 1) {
      await page.keyboard.press('Tab')
      reached.push(
        await page.evaluate(() => {
          const { activeElement: at } = document
          return at?.getAttribute('name') ?? at?.getAttribute('href') ?? at?.textContent?.trim() ?? ''
        }),
      )
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle)
      assert.notEqual(outline, 'none', reached.at(-1))
    }
    assert.deepEqual(reached, ['Pause', 'The same as a table', 'method', 'path', 'Explain', 'status', 'metrics'])
  })

  for (const [name, options] of [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['phone', PHONE],
    ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
  ] as const) {
    test(`${name}: nothing is cut off, axe finds no serious fault, and a picture is kept`, async (t) => {
      const pair = await startBusy(t)
      const { page, complaints } = await look(t, pair, options)
      await page.getByText('The same as a table').click()
      await explain(page, 'GET', '/orders/v0/orders/902-1/orderItems')
      await page.screenshot({ path: path.join(ARTEFACTS, `page-${name}.png`), fullPage: true })
      const dark = 'colorScheme' in options && options.colorScheme === 'dark'
      assert.equal((await brightness(page)) < 0.5, dark)
      const [scrollWidth, clientWidth] = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement
        return [scrollWidth, clientWidth] as const
      })
      assert.ok(scrollWidth <= clientWidth, `${scrollWidth} pixels in ${clientWidth}`)
      assert.deepEqual(await cutOff(page), [])
      assert.deepEqual(await seriousFaults(page), [])
      assert.deepEqual(complaints, [])
    })
  }

  test('colours follow the system while the page is open', async (t) => {
    const pair = await startPair(t)
    const { page } = await look(t, pair, { colorScheme: 'light' })
    const light = await inkOf(page, '#plot-mints canvas')
    await page.emulateMedia({ colorScheme: 'dark' })
    await until(async () => (await brightness(page)) < 0.5 && (await inkOf(page, '#plot-mints canvas')) !== light)
  })

  test('a page that nobody looks at asks nothing', async (t) => {
    const pair = await startPair(t)
    const { page, requests, asksInAMinute } = await look(t, pair)
    assert.ok((await asksInAMinute()) > 1)
    const hide = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await hide(true)
    assert.ok((await asksInAMinute()) <= 1) // one was under way
    const before = requests.length
    await hide(false)
    await until(() => requests.length > before) // at once: nobody turned the clock
  })

  test('managed sellers are counted, not named', async (t) => {
    const managed = await startManaged(t, { sellers: ['seller-canary', 'seller-b'] })
    managed.simulator.control({ revokeRefreshTokens: ['Atzr|seller-canary'] })
    await managed.ask('/orders/v0/orders/order-canary/address', 'seller-canary')
    const { page } = await look(t, managed)
    assert.match((await page.textContent('#surroundings')) ?? '', /^2 managed sellers\./)
    assert.match((await page.textContent('#problems')) ?? '', /Login with Amazon refuses.*Check the refresh token/)
    assert.doesNotMatch(await page.content(), /canary|seller-b|Atz/)
  })
})

/** 66 calls: 40 for an address, 20 orders' buyers with an RDT each, 3 unrestricted, one without a token, 2 that Amazon refuses. */
const startBusy = async (t: Life): Promise<Pair> => {
  const pair = await startPair(t)
  const token = pair.simulator.accessToken('seller-a')
  for (let i = 0; i < 40; i += 1) await pair.call(`/orders/v0/orders/${i}/address`, token)
  const headers = { 'x-rdt-scope': 'specific' }
  await many(20, (i) => pair.call(`/orders/v0/orders/${i}/buyerInfo`, token, { headers }))
  for (let i = 0; i < 3; i += 1) await pair.call('/sellers/v1/marketplaceParticipations', token)
  pair.simulator.control({ denyOperations: ['mfn-v0.getShipment'] })
  for (let i = 0; i < 2; i += 1) await pair.call('/mfn/v0/shipments/7f9a', token)
  await pair.call('/orders/v0/orders/1/address')
  await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 0)
  return pair
}
const mintsIn = async (pair: Pair) => pair.mints()

/** The sum of all series of a metric whose labels hold this text. */
const sumOf = async ({ admin }: Pair, name: string, label = ''): Promise<number> => {
  const lines = (await (await fetch(`${admin}/metrics`)).text()).split('\n')
  return lines
    .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

const askExplain = async ({ admin }: Pick<Pair, 'admin'>, method: string, path: string) => ({
  body: (await (await fetch(`${admin}/explain?${new URLSearchParams({ method, path })}`)).json()) as object,
})

const explain = async (page: Page, method: string, path: string): Promise<void> => {
  await page.getByLabel('Method').fill(method)
  await page.getByLabel('Path').fill(path)
  await page.getByRole('button', { name: 'Explain' }).click()
  await page.waitForSelector('#explained dl')
}

/** Terms and their descriptions. */
const pairsIn = (page: Page, list: string): Promise<string[][]> =>
  page.$$eval(`${list} dt`, (terms) =>
    terms.map((term) => [term.textContent ?? '', term.nextElementSibling?.textContent ?? '']),
  )
const figuresOf = async (page: Page): Promise<Record<string, string>> =>
  Object.fromEntries(await pairsIn(page, '#figures'))

/** Of the background, 0 black to 1 white. */
const brightness = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const [red = 0, green = 0, blue = 0] =
      getComputedStyle(document.body)
        .backgroundColor.match(/[\d.]+/g)
        ?.map(Number) ?? []
    return (red + green + blue) / 765
  })

/** Its pixels, as one text. */
const inkOf = (page: Page, canvas: string): Promise<string> =>
  page.$eval(canvas, (one) => (one as HTMLCanvasElement).toDataURL())
/** Whether it is drawn upon. */
const inked = (page: Page, canvas: string): Promise<boolean> =>
  page.$eval(canvas, (one) => {
    const { width, height } = one as HTMLCanvasElement
    const pixels = (one as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? []
    return pixels.some((value) => value > 0)
  })

/** Texts of which a part is outside of what holds them, or of the screen. */
const cutOff = (page: Page): Promise<string[]> =>
  page.$$eval('main :is(h2, h3, p, dt, dd, li, th, td, label, button, code)', (all) =>
    all
      .filter((one) => !one.closest('thead, .scrolls, .u-legend'))
      .filter((one) => {
        const { right, left } = one.getBoundingClientRect()
        return (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0) || right > innerWidth + 1 || left < -1
      })
      .map((one) => one.textContent ?? ''),
  )

const seriousFaults = async (page: Page): Promise<string[]> => {
  await page.evaluate(axe.source) // by the debugger, which the page's policy does not concern
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run())
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
