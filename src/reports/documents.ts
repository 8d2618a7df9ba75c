/**
 * Which report documents are restricted: the document's path does not tell, its report's type does. Learned from the answers
 * of getReport and getReports (Reports API 2021-06-30) that pass through, and from what became of a call. Memory is bounded.
 */
import { createExpiringMap } from '../expiring-map.ts'
import type { Credential } from '../rdt/credential.ts'
import type { DocumentStanding } from '../rdt/need.ts'

export type DocumentsOptions = {
  /** Report types whose documents need an RDT, at the moment. */
  readonly restrictedTypes: () => ReadonlySet<string>
  /** Most documents remembered. */
  readonly maxEntries: number
  readonly now: () => number
}
/** Whose document: what a call has shown holds for its credential alone. */
export type Asker = { readonly origin: string; readonly credential: Pick<Credential, 'id'> }

const REPORTS = '/reports/2021-06-30/reports'
/** Where report documents live. */
export const DOCUMENTS = '/reports/2021-06-30/documents/'

/** Somebody's word for the report's type; or what Amazon's answer to a call or a mint has proved. */
type Known = { readonly reportType: string } | { readonly restricted: boolean }

export const createDocuments = ({ restrictedTypes, maxEntries, now }: DocumentsOptions) => {
  const known = createExpiringMap<Known>({ maxEntries, now })
  const toldKey = (origin: string, id: string): string => JSON.stringify([origin, id])
  const ownKey = ({ origin, credential }: Asker, id: string): string => JSON.stringify([origin, id, credential.id])

  const standingOf = (one: Known | undefined): DocumentStanding => {
    if (!one) return 'unknown'
    const restricted = 'restricted' in one ? one.restricted : restrictedTypes().has(one.reportType)
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
        known.set(toldKey(origin, reportDocumentId), { reportType })
      }
    },

    /** Takes up what became of a call for the document. */
    found: (asker: Asker, path: string, standing: Exclude<DocumentStanding, 'unknown'>): void => {
      known.set(ownKey(asker, idOf(path)), { restricted: standing === 'restricted' })
    },

    /** What is known of the document at `path`; undefined where it is no document. The caller's word for its type is taken and kept. */
    standing: (asker: Asker, path: string, statedType?: string): DocumentStanding | undefined => {
      if (!path.startsWith(DOCUMENTS)) return undefined
      const id = idOf(path)
      const own = known.get(ownKey(asker, id))
      if (statedType === undefined || (own && 'restricted' in own))
        return standingOf(own ?? known.get(toldKey(asker.origin, id)))
      const stated = { reportType: statedType }
      known.set(ownKey(asker, id), stated)
      return standingOf(stated)
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

type Named = { readonly reportType?: unknown; readonly reportDocumentId?: unknown }

const reportsIn = (answer: string): readonly Named[] => {
  try {
    const body = JSON.parse(answer)
    return Array.isArray(body.reports) ? body.reports.map(Object) : [body]
  } catch {
    return []
  }
}
