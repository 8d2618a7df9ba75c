/** What an API server would say of an object, offline: the schemas of Kubernetes and of the Prometheus Operator, unknown fields included. */
import type { Rendered } from './chart.ts'

/** Empty where the object is good. */
export const problemsOf = async (object: Rendered): Promise<readonly string[]> => {
  const model = await modelOf(object)
  if (!model) return [`unknown kind: ${object?.apiVersion} ${object?.kind}`]
  const { seen, unseen } = recorded(object)
  try {
    model.prototype.validate.call(seen)
  } catch (error) {
    return [String(error)]
  }
  return unseen().map((place) => `unknown field: ${place}`)
}

type Model = { readonly prototype: { validate(): void } }

const modelOf = async ({ apiVersion, kind }: Rendered): Promise<Model | undefined> => {
  const library = /^monitoring\.coreos\.com\//.test(apiVersion)
    ? '@kubernetes-models/prometheus-operator'
    : 'kubernetes-models'
  try {
    return (await import(`${library}/${apiVersion}`))[kind]
  } catch {
    return undefined
  }
}

/**
 * The schemas let fields through that they do not know, an API server does not. A validator reads every field it knows:
 * those that it never read are unknown.
 */
const recorded = (object: object) => {
  const read = new Map<object, { readonly place: string; readonly keys: Set<PropertyKey> }>()
  const record = (target: object, place: string): object => {
    const keys = new Set<PropertyKey>()
    read.set(target, { place, keys })
    const wrapped = new Map<PropertyKey, object>()
    return new Proxy(target, {
      get: (_, key) => {
        keys.add(key)
        const value = Reflect.get(target, key)
        if (typeof value !== 'object' || value === null) return value
        if (!wrapped.has(key)) wrapped.set(key, record(value, `${place}.${String(key)}`))
        return wrapped.get(key)
      },
    })
  }
  const seen = record(object, '')
  const unseen = (): readonly string[] =>
    [...read].flatMap(([target, { place, keys }]) =>
      Object.keys(target)
        .filter((key) => !keys.has(key))
        .map((key) => `${place}.${key}`),
    )
  return { seen, unseen }
}
