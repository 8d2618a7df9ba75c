import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import axe from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import type { Status } from '../../src/admin/status.ts'
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
        const others = () => explain(visit.page, 'GET', `/${crypto.randomUUID()}`) // requests are told in their order
        await others()
        const before = asked()
        for (let thirds = 0; thirds < 3; thirds += 1) {
          await visit.page.clock.runFor(20_000)
          await others()
        }
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
    const late = Promise.withResolvers<void>()
    await page.route('**/status', async (route) => {
      await late.promise
      await route.continue()
    })
    const underWay = page.waitForRequest('**/status')
    await page.clock.runFor(EVERY_MS)
    await underWay
    await pause.click()
    const answered = page.waitForResponse('**/status')
    late.resolve()
    await (await answered).finished()
    await page.unroute('**/status')
    assert.equal(await pause.getAttribute('aria-pressed'), 'true')
    assert.match((await state()) ?? '', /^Paused\. What follows is as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.$/)
    assert.match(await page.title(), /^Paused/)
    assert.equal(await asksInAMinute(), 0)
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
    assert.equal(await page.locator('.problem.past').count(), 0)
    await polledUntil(async () => /gone well since/.test((await problem.textContent()) ?? ''))
    assert.equal(await page.textContent('#state'), 'Ready, nothing is wrong')
    assert.equal(await page.locator('.problem.past').count(), 1)
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
    assert.equal(
      await page.textContent('#plot-mints .u-legend'),
      `Minutes ago0All${mints}Busiest seller${mints}Its plan60`,
    )
    assert.match(
      (await page.textContent('#queue-said')) ?? '',
      /^At most (?!0)\d+ resources? at once, the longest for .* seconds?\.$/,
    )
    for (const plot of ['#plot-mints', '#plot-queue']) assert.ok((await pixelsOf(page, `${plot} canvas`)) > 0, plot)
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
      await page.keyboard.type(` ${path} `)
      await page.keyboard.press('Enter')
      await page.getByRole('status').getByText(`GET ${path}`, { exact: true }).waitFor()
      const { body: facts } = await askExplain(pair, 'GET', path)
      const shown = Object.entries(facts).map(([name, value]) => [name, String(value)])
      assert.deepEqual(await pairsIn(page, '#explained dl'), shown)
    }
    assert.deepEqual(complaints, [])
  })

  test('which sidecar it is, where it listens, and what Amazon removes', async (t) => {
    const pair = await startPair(t, {
      listeners: (amazon) => [amazon, { host: 'localhost', port: 0, endpoint: amazon }],
    })
    await pair.call('/orders/v0/orders/1/address', pair.simulator.accessToken())
    await until(async () => (await metric(pair, 'rdt_http_requests_in_flight')) === 0)
    const status = (await (await fetch(`${pair.admin}/status`)).json()) as Status
    const { page } = await look(t, pair)
    assert.match(
      (await page.textContent('#about')) ?? '',
      new RegExp(`^Version 0\\.0\\.0-test, up for .*, configuration ${status.configuration}$`),
    )
    assert.deepEqual(await page.locator('#listeners li').allTextContents(), [
      `127.0.0.1:${pair.ports[0]} to ${pair.amazon}`,
      `localhost:${pair.ports[1]} to ${pair.amazon}`,
    ])
    const days = Math.ceil((Date.parse('2027-03-27') - Date.now()) / 86_400_000)
    assert.match(
      (await page.textContent('#sunsets')) ?? '',
      days > 0
        ? new RegExp(
            `^Orders v0: ${days} days? left until 2027-03-27 \\(6 operations\\)\\. 1 call to them since the start, last `,
          )
        : /^Orders v0: since 2027-03-27 /,
    )
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
    test(`${name}: nothing is cut off, axe finds no fault, and a picture is kept`, async (t) => {
      const pair = await startBusy(t)
      const { page, complaints } = await look(t, pair, options)
      await page.getByText('The same as a table').click()
      await explain(page, 'GET', '/orders/v0/orders/902-1/orderItems')
      await page.screenshot({ path: path.join(ARTEFACTS, `page-${name}.png`), fullPage: true })
      const dark = 'colorScheme' in options && options.colorScheme === 'dark'
      assert.equal((await brightness(page)) < 0.5, dark)
      assert.equal(await widthOf(page), page.viewportSize()?.width)
      assert.deepEqual(await cutOff(page), [])
      assert.deepEqual(await faults(page), [])
      for (const state of ['starting', 'serving', 'draining', 'silent', 'paused']) {
        await page.evaluate((state) => document.body.setAttribute('data-state', state), state)
        assert.deepEqual(await faults(page, '#state'), [], state)
      }
      assert.equal(await page.getByRole('status').count(), 2) // what is so, what was asked: both are read out
      await page.getByRole('img', { name: /^Mints per minute, and the usage plan of one seller Now/ }).waitFor()
      await page.getByRole('img', { name: /^Waiting for a mint At most \d+ resources? at once/ }).waitFor()
      const operations = page.getByRole('table').filter({ hasText: 'Last refusal' }) // on a phone too, where it is cards
      for (const [role, count] of [
        ['columnheader', 6],
        ['rowheader', 4],
        ['cell', 4 * 5],
      ] as const)
        assert.equal(await operations.getByRole(role).count(), count, role)
      const label = await operations
        .getByRole('cell')
        .first()
        .evaluate((cell) => getComputedStyle(cell, '::before').content)
      assert.equal(label, 'isMobile' in options ? '"Calls"' : 'none')
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
    assert.ok((await asksInAMinute()) >= 3)
    const hide = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await hide(true)
    assert.equal(await asksInAMinute(), 0)
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

  test('of two questions the last one is answered, whichever answer comes first; and none is said to be none', async (t) => {
    const pair = await startPair(t)
    const { page } = await look(t, pair)
    const slow = Promise.withResolvers<void>()
    await page.route('**/explain?*slow', async (route) => {
      await slow.promise
      await route.continue()
    })
    await page.getByLabel('Path').fill('/slow')
    await page.keyboard.press('Enter')
    await explain(page, 'GET', '/quick')
    const answered = page.waitForResponse('**/explain?*slow')
    slow.resolve()
    await (await answered).finished()
    await page.evaluate(async () => (await fetch('status')).json()) // what came before it has been seen to
    assert.equal(await page.textContent('#explained .question'), 'GET /quick')
    await page.route('**/explain?*', (route) => route.abort())
    await page.getByLabel('Path').fill('/none')
    await page.keyboard.press('Enter')
    await page.getByText('GET /noneNo answer.').waitFor()
  })

  test('behind a proxy that gives it a path of its own, it asks nothing outside of that', async (t) => {
    const pair = await startPair(t)
    const proxy = http.createServer(async ({ url = '' }, res) => {
      const answer = await fetch(pair.admin + url.replace(/^\/pods\/a/, ''))
      const { 'content-length': _, ...headers } = Object.fromEntries(answer.headers)
      res.writeHead(answer.status, headers).end(await answer.text())
    })
    t.after(() => proxy.close())
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const outside = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/pods/a`
    const { page, complaints, requests } = await look(t, { admin: outside })
    await explain(page, 'GET', '/orders/v0/orders/902-1')
    assert.ok((await pixelsOf(page, '#plot-mints canvas')) > 0)
    for (const request of requests) assert.ok(request.startsWith(`GET ${outside}/`), request)
    assert.deepEqual(complaints, [])
  })

  test('odd values are shown as they are, and fit: at 1280 pixels and at 320, which is a zoom of 400 %', async (t) => {
    const pair = await startPair(t)
    const { page, complaints, polledUntil } = await look(t, pair)
    const odd = oddStatus((await (await fetch(`${pair.admin}/status`)).json()) as Status)
    await page.route('**/status', (route) => route.fulfill({ json: odd }))
    await polledUntil(async () => (await page.locator('#operations tbody tr').count()) === 60)
    assert.equal(await page.locator('main :is(img, b)').count(), 0)
    assert.equal(await page.locator('#operations th[scope=row]').first().textContent(), MARKUP)
    assert.deepEqual(Object.values(await figuresOf(page)), [
      '1,000,000,000',
      '–',
      '1,000,000,001',
      '-1,000,000,002',
      '1,000,000,003',
      '1,000,000,004',
    ])
    assert.match((await page.textContent('#about')) ?? '', /, up for 2 days, /)
    assert.match((await page.textContent('#hour tbody tr')) ?? '', /^01,000,059/) // this minute is the first row
    assert.match((await page.textContent('#mints-said')) ?? '', /^Now 1,000,059, most 2,000,000\./)
    assert.match(
      (await page.textContent('#queue-said')) ?? '',
      /^At most 1,000,000 resources at once, the longest for 30 seconds/,
    )
    for (const plot of ['#plot-mints', '#plot-queue'])
      assert.ok((await pixelsOf(page, `${plot} canvas`, { first: 30 })) > 0, 'no numbers beside')
    assert.ok((await pixelsOf(page, '#plot-queue canvas', { colour: LINE_2 })) > 2000) // seconds, beside a million resources
    assert.match((await page.textContent('#listeners')) ?? '', /\[fe80::1\]:8080 to https.*\/run\/.*\.sock to https/)
    assert.match((await page.textContent('#surroundings')) ?? '', /The store is out of reach\.$/)
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 900 })
      assert.deepEqual(await cutOff(page), [])
      assert.equal(await widthOf(page), width)
      const [canvas, place] = await page.$eval('#plot-mints', (one) => [
        one.querySelector('canvas')?.clientWidth,
        one.clientWidth,
      ])
      assert.equal(canvas, place)
      await page.screenshot({ path: path.join(ARTEFACTS, `page-odd-${width}.png`), fullPage: true })
    }
    await page.unroute('**/status')
    await polledUntil(async () => (await page.locator('#operations tbody tr').count()) === 1)
    assert.equal(await page.textContent('#problems'), 'Nothing in the last quarter of an hour.')
    assert.equal(await page.textContent('#operations tbody'), 'No call yet.')
    assert.deepEqual(complaints, [])
  })

  test('to go on for long costs no memory: nodes, listeners and plots stay as many as they were', async (t) => {
    const pair = await startPair(t)
    const { page, polledUntil } = await look(t, pair)
    const debug = await page.context().newCDPSession(page)
    await debug.send('Performance.enable')
    const held = async () => {
      await debug.send('HeapProfiler.collectGarbage')
      const { metrics } = await debug.send('Performance.getMetrics')
      return ['Nodes', 'JSEventListeners'].map((name) => metrics.find((one) => one.name === name)?.value ?? Number.NaN)
    }
    const goOn = async (polls: number) => {
      for (let i = 0; i < polls; i += 1) {
        await pair.call('/orders/v0/orders/1/address')
        await polledUntil(() => true)
      }
    }
    await goOn(10)
    const [nodes = 0, listeners] = await held()
    await goOn(100)
    let [nodesThen = Number.NaN, listenersThen] = await held()
    for (let again = 0; again < 20 && nodesThen >= nodes + 100; again += 1) {
      await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)))
      ;[nodesThen = Number.NaN, listenersThen] = await held() // what the last poll has left is not always collected at once
    }
    assert.ok(nodesThen < nodes + 100, `${nodesThen} nodes, ${nodes} before`)
    assert.equal(listenersThen, listeners)
    assert.equal(await page.locator('canvas').count(), 2)
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
  await page.getByRole('status').getByText(`${method} ${path}`, { exact: true }).waitFor()
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
/** How many of its pixels are drawn upon: of its first ones from the left, of one colour. */
const pixelsOf = (
  page: Page,
  canvas: string,
  { first, colour }: { first?: number; colour?: readonly [number, number, number] } = {},
): Promise<number> =>
  page.$eval(
    canvas,
    (one, { first, colour }) => {
      const { width, height } = one as HTMLCanvasElement
      const copy = new OffscreenCanvas(width, height).getContext('2d') // one that is read again and again is complained of
      copy?.drawImage(one as HTMLCanvasElement, 0, 0)
      const data = copy?.getImageData(0, 0, first ?? width, height).data ?? []
      let found = 0
      for (let i = 0; i < data.length; i += 4)
        if (colour ? colour.every((part, j) => data[i + j] === part) : (data[i + 3] ?? 0) > 0) found += 1
      return found
    },
    { first, colour },
  )
/** Of the second line where it is light. */
const LINE_2 = [180, 83, 9] as const

const MARKUP = '<img src=x onerror=alert(1)>.<b>x</b>'
const LONG = `${'a'.repeat(300)}.b`

/** As many, as long, as large as can be. */
const oddStatus = (status: Status): Status => {
  const operation = {
    calls: 1e9,
    needed: 1e9,
    hit: 999_999_999,
    minted: 0,
    rejected: 1e9,
    mints: 1e9,
    lastCallSecondsAgo: 3,
  }
  const lastRefusal = { reason: 'mint-refused', status: 400, code: 'A'.repeat(100), secondsAgo: 4000 }
  const problem = {
    kind: 'mint-refused',
    status: 400,
    code: 'A'.repeat(100),
    times: 1e9,
    firstSecondsAgo: 800,
    lastSecondsAgo: 3,
  } as const
  const ids = [MARKUP, LONG, ...Array.from({ length: 58 }, (_, i) => `family-v${i}.operation`)]
  const minutes = status.lastHour.mints.map((_, i) => i)
  const endpoint = 'https://sandbox.sellingpartnerapi-na.amazon.com'
  return {
    ...status,
    calls: 1e9,
    mints: 1e9 + 1,
    mintsSaved: -1e9 - 2,
    cacheEntries: 1e9 + 3,
    mintQueue: 1e9 + 4,
    uptimeSeconds: 200_000,
    hitRatio: null,
    store: { state: 'alone', replicas: 1 },
    listeners: [
      ...Array.from({ length: 9 }, () => ({ host: 'fe80::1', port: 8080, endpoint })),
      { socketPath: `/run/${'a'.repeat(90)}.sock`, endpoint },
    ],
    operations: Object.fromEntries(ids.map((id) => [id, { ...operation, lastRefusal }])),
    problems: ids
      .slice(0, 20)
      .map((id, i) => ({ ...problem, operation: id, wentWellSince: i > 9, what: MARKUP, cure: LONG, alert: LONG })),
    lastHour: {
      ...status.lastHour,
      mints: minutes.map((i) => (i === 0 ? 2e6 : 1e6 + i)),
      mostWaiting: minutes.map(() => 1e6),
      longestWaitSeconds: minutes.map(() => 30),
    },
  }
}

/** Of all there is to be seen, in pixels: more than the window's where one would have to scroll sideways. */
const widthOf = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth)

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

const faults = async (page: Page, within = 'html'): Promise<string[]> => {
  await page.evaluate(axe.source) // by the debugger, which the page's policy does not concern
  const { violations } = await page.evaluate(
    (within) => (globalThis as unknown as { axe: typeof axe }).axe.run(within),
    within,
  )
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
