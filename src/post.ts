/**
 * One POST to Amazon, bounded in time and size. Never throws, never repeats (fetch does, once, after a 421: that says that nothing
 * was done), follows no redirect (it would hand what is sent to another host), and lets nothing that was sent into a message.
 */
import { systemCode } from './sp-api/errors.ts'

export type Posted =
  /** `text`: the body; empty where it is too large. */
  | { readonly kind: 'answer'; readonly status: number; readonly headers: Headers; readonly text: string }
  /** `cause`: a system code. */
  | { readonly kind: 'network'; readonly timedOut: boolean; readonly cause: string }

export type PosterOptions = {
  readonly fetch: typeof fetch
  /** Bound of one attempt in milliseconds, body included. */
  readonly timeoutMs: number
  readonly userAgent: string
}

export const createPoster = (options: PosterOptions) => {
  const underWay = new Set<AbortController>()
  let closed = false
  return {
    /** Resolves whatever happens. */
    post: async (url: string, headers: Readonly<Record<string, string>>, body: string): Promise<Posted> => {
      if (closed) return { kind: 'network', timedOut: false, cause: 'CLOSED' }
      const attempt = new AbortController()
      const timer = setTimeout(() => attempt.abort(OVERDUE), options.timeoutMs)
      underWay.add(attempt)
      try {
        const response = await options.fetch(url, {
          method: 'POST',
          headers: { accept: 'application/json', 'user-agent': options.userAgent, ...headers },
          body,
          redirect: 'manual',
          signal: attempt.signal,
        })
        return { kind: 'answer', status: response.status, headers: response.headers, text: await boundedText(response) }
      } catch (error) {
        return { kind: 'network', timedOut: isTimeout(error), cause: causeOf(error) }
      } finally {
        clearTimeout(timer)
        underWay.delete(attempt)
      }
    },
    /** Ends what is under way, and sends nothing more: nobody waits for it. */
    close: (): void => {
      closed = true
      for (const attempt of underWay) attempt.abort()
    },
  }
}
export type Poster = ReturnType<typeof createPoster>

const OVERDUE = new DOMException('no answer in time', 'TimeoutError')

const MAX_ANSWER_BYTES = 262_144 // an RDT grows with its resources; its size is undocumented

const boundedText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_ANSWER_BYTES) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError'

const causeOf = (error: unknown): string => (isTimeout(error) ? 'ETIMEDOUT' : systemCode(Object(error).cause))
