/** What /status says, in the page's places. */
import { byId, element, fill } from './dom.js'
import { ago, capital, count, counted, duration, share } from './words.js'

/** @typedef {import('../status.ts').Status} Status */

/** @param {Status} status */
export const render = (status) => {
  const open = status.problems.filter(({ wentWellSince }) => !wentWellSince).length
  fill(
    byId('about'),
    `Version ${status.version}, up for ${duration(status.uptimeSeconds)}, configuration `,
    element('code', null, status.configuration),
  )
  fill(byId('problems'), ...problems(status))
  fill(byId('figures'), ...figures(status))
  fill(body('operations'), ...operations(status))
  fill(body('hour'), ...minutes(status.lastHour))
  fill(byId('sunsets'), ...status.sunsets.map(sunset))
  fill(byId('listeners'), ...status.listeners.map(listener))
  fill(byId('surroundings'), surroundings(status))
  const { state } = status
  const text = STATES[state](open)
  const well = state === 'serving' && open === 0
  say(state === 'serving' && open > 0 ? 'look' : state, text, well ? 'RDT sidecar' : `${text} – RDT sidecar`)
}

/**
 * That what is there to be read is not of now. The same words for as long as it lasts: they are read out when they change.
 * @param {'silent' | 'paused'} state @param {string} why @param {Date | undefined} since
 */
export const renderOld = (state, why, since) => {
  // Swedes write dates as ISO does
  say(state, since ? `${why}. What follows is as of ${since.toLocaleString('sv')}.` : why, `${why} – RDT sidecar`)
}

/** @param {string} state @param {string} text @param {string} title */
const say = (state, text, title) => {
  document.title = title
  document.body.dataset['state'] = state
  fill(byId('state'), text)
}

/** @param {string} id */
const body = (id) => byId(id).querySelector('tbody') ?? byId(id)

/** @type {Record<Status['state'], (open: number) => string>} */
const STATES = {
  starting: () => 'Starting',
  serving: (open) => (open === 0 ? 'Ready, nothing is wrong' : `Ready, ${counted(open, 'thing')} to look at`),
  draining: () => 'Draining',
}

/** @param {Status} status */
const problems = ({ problems }) => {
  if (problems.length === 0) return [element('p', null, 'Nothing in the last quarter of an hour.')]
  return problems.map((problem) => {
    const { what, cure, alert, wentWellSince } = problem
    return element(
      'article',
      { class: wentWellSince ? 'problem past' : 'problem' },
      element('h3', null, what),
      element('p', { class: 'quiet' }, circumstances(problem)),
      element('p', null, element('strong', null, 'What to do: '), cure),
      ...(alert ? [element('p', { class: 'quiet' }, 'In the runbook: ', element('code', null, alert))] : []),
    )
  })
}

/** @param {Status['problems'][number]} problem */
const circumstances = (problem) => {
  if (!('times' in problem)) return 'Now.'
  const { operation, status, code, times, firstSecondsAgo, lastSecondsAgo, wentWellSince } = problem
  const answered = status === undefined ? [] : [`answered ${status}${code ? ` ${code}` : ''}`]
  const since =
    times === 1
      ? ago(lastSecondsAgo)
      : `${count(times)} times ${firstSecondsAgo < 5 ? 'just now' : `in the last ${duration(firstSecondsAgo)}, the latest ${ago(lastSecondsAgo)}`}`
  const told = [...answered, since].join(', ')
  const known = operation !== undefined && operation !== 'other'
  return `${known ? `${operation}, ${told}` : capital(told)}.${wentWellSince ? ' It has gone well since.' : ''}`
}

/** @param {Status} status */
const figures = ({ calls, lookups, hitRatio, mints, mintsSaved, cacheEntries, mintQueue }) => {
  const needed = Object.values(lookups).reduce((sum, one) => sum + one, 0)
  return [
    figure('Calls', count(calls), `${count(needed)} questions for an RDT`),
    figure('Hit ratio', share(hitRatio), 'of the questions found it in the cache'),
    figure('Mints', count(mints), 'asked of Amazon, with any outcome'),
    figure('Mints saved', count(mintsSaved), `${counted(needed, 'question')} less ${counted(mints, 'mint')}`),
    figure('RDTs cached', count(cacheEntries), 'ready for the next call'),
    figure('Waiting now', count(mintQueue), 'for a mint'),
  ]
}
/** @param {string} name @param {string} value @param {string} note */
const figure = (name, value, note) =>
  element('div', null, element('dt', null, name), element('dd', null, value), element('dd', { class: 'quiet' }, note))

/** @param {Status} status */
const operations = ({ operations }) => {
  const rows = Object.entries(operations).sort(([a, one], [b, other]) => other.calls - one.calls || (a < b ? -1 : 1))
  if (rows.length === 0)
    return [element('tr', { role: 'row' }, element('td', { role: 'cell', colspan: '6' }, 'No call yet.'))]
  return rows.map(([id, { calls, needed, hit, mints, rejected, lastRefusal }]) =>
    element(
      'tr',
      { role: 'row' },
      element('th', { role: 'rowheader', scope: 'row' }, id),
      cell('Calls', count(calls)),
      cell('Hit share', needed === 0 ? '–' : share(hit / needed)),
      cell('Mints', count(mints)),
      cell('Rejected', count(rejected)),
      cell('Last refusal', refusal(lastRefusal), 'text'),
    ),
  )
}
/** @param {string} name @param {string} value */
const cell = (name, value, kind = 'number') => element('td', { role: 'cell', class: kind, 'data-name': name }, value)

/** @param {Status['operations'][string]['lastRefusal']} refused */
const refusal = (refused) =>
  refused
    ? `${refused.reason}, ${refused.status}${refused.code ? ` ${refused.code}` : ''}, ${ago(refused.secondsAgo)}`
    : 'none'

/** @param {Status['lastHour']} hour */
const minutes = ({ mints, throttled, busiest, plan, mostWaiting, longestWaitSeconds }) =>
  mints
    .flatMap((minted, i) => {
      if (minted === null) return []
      const seen = [minted, throttled[i], busiest[i], plan[i], mostWaiting[i]]
      const cells = [...seen.map((value) => count(value ?? 0)), `${longestWaitSeconds[i] ?? 0} s`]
      const minutesAgo = element('th', { scope: 'row' }, String(mints.length - 1 - i))
      return [element('tr', null, minutesAgo, ...cells.map((text) => element('td', { class: 'number' }, text)))]
    })
    .reverse()

/** @param {Status['sunsets'][number]} sunset */
const sunset = ({ on, daysLeft, families, operations, calls, lastCallSecondsAgo }) => {
  const orders = families.includes('orders-v0')
  const when = daysLeft > 0 ? `${counted(daysLeft, 'day')} left until ${on}` : `since ${on}`
  const seen =
    lastCallSecondsAgo === null
      ? 'No call to them since the start.'
      : `${counted(calls, 'call')} to them since the start, last ${ago(lastCallSecondsAgo)}.${orders ? ' Move to Orders v2026-01-01, which needs no RDT.' : ''}`
  return element(
    'p',
    lastCallSecondsAgo === null ? null : { class: 'seen' },
    element(
      'strong',
      null,
      `${families.map((family) => (family === 'orders-v0' ? 'Orders v0' : family)).join(', ')}: ${when}`,
    ),
    ` (${counted(operations, 'operation')}). ${seen}`,
  )
}

/** @param {Status['listeners'][number]} listener */
const listener = ({ host, port, socketPath, endpoint }) =>
  element(
    'li',
    null,
    element('code', null, socketPath ?? `${host?.includes(':') ? `[${host}]` : host}:${port}`),
    ' to ',
    element('code', null, endpoint),
  )

/** @param {Status} status */
const surroundings = ({ managedSellers, usagePlans, usagePlan, store }) => {
  const { ratePerSecond, burst } = usagePlan
  const shared = store === null ? 'No store: other pods mint for themselves.' : STORE[store.state](store.replicas)
  const plan = `${counted(ratePerSecond, 'mint')} a second and ${burst} at once for each seller, more where Amazon says so`
  return `${counted(managedSellers, 'managed seller')}. Usage plan: ${plan}; ${counted(usagePlans, 'seller')} drew on it a moment ago. ${shared}`
}
/** @type {Record<NonNullable<Status['store']>['state'], (replicas: number) => string>} */
const STORE = {
  shared: (replicas) => `A store is shared by ${counted(replicas, 'pod')}; figures and plots are this one's.`,
  alone: () => 'The store is out of reach.',
}
