// Elements. What comes from the log only ever becomes text: nothing here reads HTML.

/**
 * @param {string} tag
 * @param {Record<string, unknown>} properties attributes; `on…` are listeners; false, null and undefined leave one out
 * @param {...(Node | string | number | null | false | undefined | Array)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  append(element, children)
  return element
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== false && child !== undefined) element.append(child instanceof Node ? child : String(child))
  }
}

/** Put new children in the place of all that an element has. */
export function fill(element, ...children) {
  element.replaceChildren()
  append(element, children)
  return element
}

/** Tell a screen reader what changed, where the change itself is too much to be read out. */
export function announce(words) {
  document.getElementById('announced').textContent = words
}

/** An SVG element: as h, in its namespace. */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  append(element, children)
  return element
}
