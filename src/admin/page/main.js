/** Asks /status every few seconds while somebody looks, and shows what it says. Sends nothing but GETs to where it came from. */
import { byId } from './dom.js'
import { listenToQuestions } from './explain.js'
import { createPlots } from './plots.js'
import { render, renderSilence } from './render.js'

const EVERY_MS = 3000
const PATIENCE_MS = 5000

const pause = byId('pause')
const plots = createPlots()
let paused = false
let answeredAt = performance.now()
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
let asking = false

const look = async () => {
  clearTimeout(timer)
  if (asking || paused || document.hidden) return
  asking = true
  const status = await ask()
  asking = false
  timer = setTimeout(look, EVERY_MS)
  if (status) {
    answeredAt = performance.now()
    render(status)
    plots.show(status.lastHour)
  } else renderSilence((performance.now() - answeredAt) / 1000)
}

/** @returns {Promise<import('../status.ts').Status | undefined>} Undefined where there is no answer, or another than it should be. */
const ask = async () => {
  try {
    const answer = await fetch('status', { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' })
    return answer.ok ? await answer.json() : undefined
  } catch {
    return undefined
  }
}

pause.addEventListener('click', () => {
  paused = !paused
  pause.setAttribute('aria-pressed', String(paused))
  void look()
})
document.addEventListener('visibilitychange', look)
listenToQuestions()
void look()
