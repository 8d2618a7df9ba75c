/** What a process loads, as it is resolved. */
import { readFileSync } from 'node:fs'

/** Node's own flags for a process that writes the address of each module it loads to `file`. */
export const tracing = (file: string): string[] => {
  const hook = `import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
registerHooks({
  load: (url, context, next) => {
    appendFileSync(${JSON.stringify(file)}, url + '\\n')
    return next(url, context)
  },
})`
  return ['--import', `data:text/javascript,${encodeURIComponent(hook)}`]
}

/** Addresses: of files, and of Node's own modules. */
export const loaded = (file: string): readonly string[] => readFileSync(file, 'utf8').split('\n').filter(Boolean)
