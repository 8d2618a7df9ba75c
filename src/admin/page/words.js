/** Numbers as people read them. */

/** @param {number} value */
export const count = (value) => value.toLocaleString('en')

/** @param {number | null} part Of 1; null: of nothing. */
export const share = (part) => {
  if (part === null) return '–'
  const percent = part * 100
  if (percent > 0 && percent < 0.1) return '< 0.1 %'
  if (percent > 99 && percent < 100) return `${Math.floor(percent * 100) / 100} %` // 100 % is all of them
  return `${Math.round(percent * 10) / 10} %`
}

/** @param {number} seconds */
export const duration = (seconds) => {
  for (const [name, length] of UNITS) {
    const whole = Math.floor(seconds / length)
    if (whole > 0) return `${whole} ${name}${whole === 1 ? '' : 's'}`
  }
  return 'a moment'
}
/** @type {readonly (readonly [string, number])[]} */
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]

/** @param {number} seconds */
export const ago = (seconds) => (seconds < 5 ? 'just now' : `${duration(seconds)} ago`)

/**
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1)
