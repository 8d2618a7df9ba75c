/**
 * Which report documents are restricted: the document's path does not tell, its report's type does. Learned from the answers
 * of getReport and getReports (Reports API 2021-06-30) that pass through, and from what became of a call. Memory is bounded, and what
 * callers say never takes the room of what Amazon has said: whoever has a header to send can say a lot.
 */
import { createExpiringMap } from '../expiring-map.ts'
import type { Credential } from '../rdt/credential.ts'
import type { DocumentStanding } from '../rdt/need.ts'

export type DocumentsOptions = {
  /** Report types whose documents need an RDT, at the moment. */
  readonly restrictedTypes: () => ReadonlySet<string>
  /** Most documents remembered by each: by lists, by what became of calls, by callers' words. */
  readonly maxEntries: number
  readonly now: () => number
}
/** Whose document: what a call has shown holds for its credential alone. */
export type Asker = { readonly origin: string; readonly credential: Pick<Credential, 'id'> }

const REPORTS = '/reports/2021-06-30/reports'
/** Where report documents live. */
export const DOCUMENTS = '/reports/2021-06-30/documents/'

/** Characters of an id that is remembered. Amazon's have less than a hundred. */
const MOST_ID = 512

type Named = { readonly reportType: string }
type Proved = { readonly restricted: boolean }

export const createDocuments = ({ restrictedTypes, maxEntries, now }: DocumentsOptions) => {
  const listed = createExpiringMap<Named>({ maxEntries, now })
  const proved = createExpiringMap<Proved>({ maxEntries, now })
  const stated = createExpiringMap<Named>({ maxEntries, now })
  const listedKey = (origin: string, id: string): string => JSON.stringify([origin, id])
  const ownKey = ({ origin, credential }: Asker, id: string): string => JSON.stringify([origin, id, credential.id])

  const standingOf = (known: Named | Proved | undefined): DocumentStanding => {
    if (!known) return 'unknown'
    const restricted = 'restricted' in known ? known.restricted : restrictedTypes().has(known.reportType)
    return restricted ? 'restricted' : 'unrestricted'
  }

  return {
    /** Whether the answer to such a call names reports and their documents. */
    tells: (method: string, path: string): boolean =>
      method === 'GET' && path.startsWith(REPORTS) && /^(\/[^/]+)?$/.test(path.slice(REPORTS.length)),

    /** Takes up an answer of getReport or getReports. What is neither is passed over. */
    learn: (origin: string, answer: string): void => {
      for (const { reportType, reportDocumentId } of reportsIn(answer)) {
        if (typeof reportType !== 'string' || typeof reportDocumentId !== 'string') continue
        listed.set(listedKey(origin, reportDocumentId), { reportType })
      }
    },

    /** Takes up what became of a call for the document. */
    found: (asker: Asker, path: string, standing: Exclude<DocumentStanding, 'unknown'>): void => {
      const id = idOf(path)
      if (id.length <= MOST_ID) proved.set(ownKey(asker, id), { restricted: standing === 'restricted' })
    },

    /** What is known of the document at `path`; undefined where it is no document. The caller's word for its type is taken and kept. */
    standing: (asker: Asker, path: string, reportType?: string): DocumentStanding | undefined => {
      if (!path.startsWith(DOCUMENTS)) return undefined
      const id = idOf(path)
      const own = ownKey(asker, id)
      const known = proved.get(own)
      if (known) return standingOf(known)
      if (reportType === undefined) return standingOf(stated.get(own) ?? listed.get(listedKey(asker.origin, id)))
      if (id.length <= MOST_ID) stated.set(own, { reportType })
      return standingOf({ reportType })
    },
  }
}
export type Documents = ReturnType<typeof createDocuments>

const idOf = (path: string): string => {
  const segment = path.slice(DOCUMENTS.length)
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const reportsIn = (answer: string): readonly { reportType?: unknown; reportDocumentId?: unknown }[] => {
  try {
    const body = JSON.parse(answer)
    return Array.isArray(body.reports) ? body.reports.map(Object) : [body]
  } catch {
    return []
  }
}
