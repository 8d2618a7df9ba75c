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
 * Makes what it holds into these, and touches only what differs: a screen reader does not read again what is the same, and whoever selects
 * text or walks through a table stays where they are.
 * @param {Element} parent
 * @param {...(Node | string)} children
 */
export const fill = (parent, ...children) => become(parent, element('div', null, ...children))

/** @param {Element} there @param {Element} wanted Loses what is taken over. */
const become = (there, wanted) => {
  const children = [...wanted.childNodes]
  for (const [i, child] of children.entries()) {
    const old = there.childNodes[i]
    if (!old) there.append(child)
    else if (old.isEqualNode(child)) continue
    else if (old instanceof Text && child instanceof Text) old.data = child.data
    else if (old instanceof Element && child instanceof Element && sameBut(old, child)) become(old, child)
    else old.replaceWith(child)
  }
  while (there.childNodes.length > children.length) there.lastChild?.remove()
}

/** For what they hold. @param {Element} one @param {Element} other */
const sameBut = (one, other) => one.cloneNode(false).isEqualNode(other.cloneNode(false))
