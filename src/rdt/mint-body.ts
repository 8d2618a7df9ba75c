/** Pure: reads the body of a caller's own createRestrictedDataToken. What is not exactly of Amazon's model is not read. */
import { parseJson } from '../sp-api/json.ts'
import { APPLICATION_ID, DATA_ELEMENTS, MOST_RESOURCES } from '../sp-api/operations.ts'
import type { Need, RestrictedResource } from './need.ts'

/**
 * `targetApplication`: the delegatee where the body names none. Undefined for a body that Amazon may read in another way than
 * we do, or refuse: unknown keys, a resource twice, a data element that the model does not have.
 */
export const readMintBody = (body: Buffer, targetApplication?: string): Need | undefined => {
  const {
    restrictedResources,
    targetApplication: named = targetApplication,
    ...unknown
  } = Object(parseJson(body.toString('utf8')))
  if (Object.keys(unknown).length > 0 || !Array.isArray(restrictedResources)) return undefined
  if (named !== undefined && !(typeof named === 'string' && APPLICATION_ID.test(named))) return undefined
  const distinct = new Set(restrictedResources.map((one) => JSON.stringify([one?.method, one?.path])))
  const { length } = restrictedResources
  if (length === 0 || length > MOST_RESOURCES || distinct.size < length) return undefined
  return restrictedResources.every(isResource)
    ? { resources: restrictedResources, targetApplication: named, exact: true }
    : undefined
}

const isResource = (value: unknown): value is RestrictedResource => {
  const { method, path, dataElements, ...unknown } = Object(value)
  if (Object.keys(unknown).length > 0 || typeof method !== 'string' || typeof path !== 'string') return false
  return dataElements === undefined || (Array.isArray(dataElements) && dataElements.every(isElement))
}

const isElement = (value: unknown): boolean => DATA_ELEMENTS.some((element) => element === value)
