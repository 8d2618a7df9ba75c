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

let asked = 0

/** @param {URLSearchParams} question */
const answer = async (question) => {
  const mine = ++asked
  const said = await ask(question)
  if (mine === asked) fill(byId('explained'), said) // of two questions the answer to the last one stays
}

/** @param {URLSearchParams} question */
const ask = async (question) => {
  try {
    const response = await fetch(`explain?${question}`, { signal: AbortSignal.timeout(5000), cache: 'no-store' })
    /** @type {Record<string, string | boolean>} */
    const facts = await response.json()
    return element(
      'dl',
      { class: 'facts' },
      ...Object.entries(facts).flatMap(([name, value]) => [
        element('dt', null, name),
        element('dd', null, String(value)),
      ]),
    )
  } catch {
    return element('p', null, 'No answer. Is the sidecar still there? Ask again.')
  }
}
