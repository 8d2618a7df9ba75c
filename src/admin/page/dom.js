/** Elements, made and filled without markup: whatever a text holds, it stays a text. */

/**
 * @param {string} tag
 * @param {Record<string, string> | null} attributes
 * @param {...(Node | string)} children
 */
export const element = (tag, attributes, ...children) => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** @param {string} id */
export const byId = (id) => {
  const found = document.getElementById(id)
  if (!found) throw new Error(`no #${id}`)
  return found
}

/**
 * Puts these in the place of what is there, unless it is the same: a screen reader does not read again, and whoever selects text keeps it.
 * @param {Element} parent
 * @param {...(Node | string)} children
 */
export const fill = (parent, ...children) => {
  const made = element(parent.tagName, null, ...children)
  if (made.innerHTML !== parent.innerHTML) parent.replaceChildren(...made.childNodes)
}
