/** Pure: reads the body of a caller's own createRestrictedDataToken. What is not exactly of Amazon's model is not read. */
import { parseJson } from '../sp-api/json.ts'
import { APPLICATION_ID, DATA_ELEMENTS, MOST_PATH, MOST_RESOURCES } from '../sp-api/operations.ts'
import type { Need, RestrictedResource } from './need.ts'

/**
 * `targetApplication`: the delegatee where the body names none. Undefined for a body that Amazon may read in another way than
 * we do, or refuse: unknown keys, a resource or a data element twice, a data element that the model does not have; and for one that
 * names a path longer than any of Amazon's. Takes no longer than parsing it, whatever it holds.
 */
export const readMintBody = (body: Buffer, targetApplication?: string): Need | undefined => {
  const mint: unknown = parseJson(body.toString('utf8'))
  if (!hasOnly(mint, 'restrictedResources', 'targetApplication')) return undefined
  const { restrictedResources, targetApplication: named = targetApplication } = mint
  if (named !== undefined && !(typeof named === 'string' && APPLICATION_ID.test(named))) return undefined
  if (!Array.isArray(restrictedResources)) return undefined
  const { length } = restrictedResources
  if (length === 0 || length > MOST_RESOURCES || !restrictedResources.every(isResource)) return undefined
  const distinct = new Set(restrictedResources.map(({ method, path }) => JSON.stringify([method, path])))
  return distinct.size < length ? undefined : { resources: restrictedResources, targetApplication: named, exact: true }
}

const isResource = (value: unknown): value is RestrictedResource => {
  if (!hasOnly(value, 'method', 'path', 'dataElements')) return false
  const { method, path, dataElements } = value
  if (typeof method !== 'string' || typeof path !== 'string') return false
  if (method.length + path.length > MOST_PATH) return false
  return dataElements === undefined || (Array.isArray(dataElements) && areElements(dataElements))
}

const areElements = (values: readonly unknown[]): boolean =>
  values.length <= DATA_ELEMENTS.length &&
  new Set(values).size === values.length &&
  values.every((value) => DATA_ELEMENTS.some((element) => element === value))

/** A text or a list, taken for an object, would be one of as many keys as it is long. */
const hasOnly = <K extends string>(
  value: unknown,
  ...keys: readonly K[]
): value is Readonly<Partial<Record<K, unknown>>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.keys(value).every((key) => keys.some((known) => known === key))
