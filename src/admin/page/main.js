/** Asks /status every few seconds while somebody looks, and shows what it says. Sends nothing but GETs to where it came from. */
import { byId } from './dom.js'
import { listenToQuestions } from './explain.js'
import { createPlots } from './plots.js'
import { render, renderOld } from './render.js'

const EVERY_MS = 3000
const PATIENCE_MS = 5000

const pause = byId('pause')
const plots = createPlots()
let paused = false
/** @type {Date | undefined} By this computer's clock, which goes on while it sleeps. */
let answeredAt
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
let asking = false

const look = async () => {
  clearTimeout(timer)
  if (asking || paused || document.hidden) return
  asking = true
  const said = await ask()
  asking = false
  timer = setTimeout(look, EVERY_MS)
  if (paused) return
  if (said instanceof Error) renderOld('silent', said.message, answeredAt)
  else show(said)
}

/** @param {import('../status.ts').Status} status */
const show = (status) => {
  try {
    plots.show(status.lastHour)
    render(status)
    answeredAt = new Date()
  } catch (error) {
    reportError(error)
    renderOld('silent', 'Its answer is of another version: load this page again', answeredAt)
  }
}

/** @returns {Promise<import('../status.ts').Status | Error>} */
const ask = async () => {
  try {
    const answer = await fetch('status', { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' })
    return answer.ok ? await answer.json() : new Error(`It answers ${answer.status}`)
  } catch {
    return new Error('No answer')
  }
}

pause.addEventListener('click', () => {
  paused = !paused
  pause.setAttribute('aria-pressed', String(paused))
  if (paused) renderOld('paused', 'Paused', answeredAt)
  else void look()
})
document.addEventListener('visibilitychange', look)
listenToQuestions()
void look()
