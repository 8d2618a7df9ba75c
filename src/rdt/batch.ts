/** Pure: which resources share a mint, and how a refused mint is taken apart to find the guilty. */
import { asksFor, elementsText, keyOf, type Need } from './need.ts'
import { type Refused, reachOf, refusedElements } from './refusal.ts'

type Wish = { readonly need: Need }

/** What Amazon's roles judge alike: an operation with its data elements, for one target application. */
export const familyOf = ({ operation, resources, targetApplication }: Need): string =>
  JSON.stringify([operation, elementsText(resources[0]?.dataElements), targetApplication ?? null])

/**
 * The wishes that go with the first one into one mint, `max` at most: for the same target application, all of the same
 * operation with the same data elements (where a template and one of its paths stand in one RDT, their elements add up and a
 * caller would see more than it asked for), no exact one, and none of unsure outcome among sure ones.
 */
export const pickBatch = <W extends Wish>(wishes: readonly W[], max: number): readonly W[] => {
  const [first] = wishes
  if (!first || first.need.exact) return wishes.slice(0, 1)
  const elements = new Map<string, string | null>()
  const picked: W[] = []
  for (const wish of wishes) {
    if (picked.length === max) break
    const { need } = wish
    if (need.exact || need.targetApplication !== first.need.targetApplication || need.unsure !== first.need.unsure)
      continue
    const operation = need.operation ?? ''
    const text = elementsText(need.resources[0]?.dataElements)
    if (elements.has(operation) && elements.get(operation) !== text) continue
    elements.set(operation, text)
    picked.push(wish)
  }
  return picked
}

/**
 * Two parts of a refused batch, the second the more suspect; undefined where the refusal concerns them all.
 * Elements that Amazon names point at the guilty; otherwise the batch is halved.
 */
export const divide = <W extends Wish>(
  wishes: readonly W[],
  refusal: Refused,
): [readonly W[], readonly W[]] | undefined => {
  const reach = reachOf(refusal)
  if (reach === 'credential') return undefined
  const alike = [
    ...Map.groupBy(wishes, ({ need }) => (reach === 'operation' ? familyOf(need) : keyOf('', '', need))).values(),
  ]
  if (alike.length < 2) return undefined
  const named = refusedElements(refusal)
  const suspect = (group: readonly W[]) => group.some(({ need }) => asksFor(need, named))
  const suspects = alike.filter(suspect)
  if (suspects.length > 0 && suspects.length < alike.length) {
    return [alike.filter((group) => !suspect(group)).flat(), suspects.flat()]
  }
  const middle = alike.length >> 1
  return [alike.slice(0, middle).flat(), alike.slice(middle).flat()]
}
