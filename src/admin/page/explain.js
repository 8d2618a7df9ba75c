/** The box that explains a call. */
import { byId, element, fill } from './dom.js'

export const listenToQuestions = () => {
  const form = /** @type {HTMLFormElement} */ (byId('explain'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const asked = new FormData(form)
    const question = new URLSearchParams({ method: text(asked.get('method')), path: text(asked.get('path')) })
    void answer(question)
  })
}

/** @param {FormDataEntryValue | null} value */
const text = (value) => (typeof value === 'string' ? value.trim() : '')

let latest = 0

/** @param {URLSearchParams} question */
const answer = async (question) => {
  const mine = ++latest
  const said = await ask(question)
  if (mine === latest) fill(byId('explained'), ...said) // of two questions the answer to the last one stays
}

/** @param {URLSearchParams} question */
const ask = async (question) => {
  // before its answer: the one to the question before may still stand there, and the same answer twice would not be read out
  const asked = element('p', { class: 'question' }, `${question.get('method')} ${question.get('path')}`)
  try {
    const response = await fetch(`explain?${question}`, { signal: AbortSignal.timeout(5000), cache: 'no-store' })
    /** @type {Record<string, string | boolean>} */
    const facts = await response.json()
    const list = Object.entries(facts).flatMap(([name, value]) => [
      element('dt', null, name),
      element('dd', null, String(value)),
    ])
    return [asked, element('dl', { class: 'facts' }, ...list)]
  } catch {
    return [asked, element('p', null, 'No answer. Is the sidecar still there? Ask again.')]
  }
}
