/** The pods in what was rendered, whatever makes them. */
import type { Rendered } from './chart.ts'

export type Pod = { readonly of: string; readonly metadata: Rendered; readonly spec: Rendered }

export const podsOf = (objects: readonly Rendered[]): readonly Pod[] =>
  objects.flatMap((object) => {
    const pod = object.kind === 'Pod' ? object : (object.spec?.jobTemplate ?? object).spec?.template
    return pod ? [{ of: `${object.kind} ${object.metadata.name}`, metadata: pod.metadata, spec: pod.spec }] : []
  })

export const containersOf = ({ spec }: Pod): readonly Rendered[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
]

/** The one container of ours. */
export const sidecarOf = (pod: Pod): Rendered => {
  const [found, ...more] = containersOf(pod).filter(({ args }) => args?.[0] === 'serve')
  if (!found || more.length > 0) throw new Error(`${pod.of} has ${found ? 'several sidecars' : 'no sidecar'}`)
  return found
}

/** Environment by name. */
export const envOf = ({ env = [] }: Rendered): Record<string, string> =>
  Object.fromEntries(env.map(({ name, value }: { name: string; value: string }) => [name, value]))

/** What does not fit together, which no schema sees. */
export const looseEnds = (objects: readonly Rendered[]): readonly string[] => [
  ...podsOf(objects).flatMap((pod) => containersOf(pod).flatMap((one) => looseEndsOf(pod, one))),
  ...objects.flatMap((object) => selectionsOf(object).flatMap((selected) => unselected(objects, object, selected))),
]

const looseEndsOf = ({ of, spec }: Pod, container: Rendered): readonly string[] => {
  const volumes = (spec.volumes ?? []).map(({ name }: Rendered) => name)
  const ports = (container.ports ?? []).map(({ name }: Rendered) => name)
  const mounts = (container.volumeMounts ?? []).map(({ name }: Rendered) => name)
  const probes = ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap((name) => container[name] ?? [])
  const env = (container.env ?? []).map(({ name }: Rendered) => name)
  return [
    ...mounts.filter((name: string) => !volumes.includes(name)).map((name: string) => `no volume ${name}`),
    ...probes.filter(({ httpGet }) => !ports.includes(httpGet.port)).map(({ httpGet }) => `no port ${httpGet.port}`),
    ...[volumes, ports, env].flatMap(twice).map((name) => `${name} is there twice`),
    ...ports.filter((name: string) => name.length > 15).map((name: string) => `${name} is too long for a port`),
    ...volumes
      .filter((name: string) => !/^[a-z0-9-]{1,63}$/.test(name))
      .map((name: string) => `${name} names no volume`),
  ].map((problem) => `${of}: ${problem}`)
}

const twice = (names: readonly string[]): readonly string[] => names.filter((name, i) => names.indexOf(name) !== i)

type Selection = { readonly labels: Record<string, string>; readonly ports: readonly string[] }

const selectionsOf = ({ kind, spec }: Rendered): readonly Selection[] => {
  if (kind === 'Service')
    return [{ labels: spec.selector, ports: spec.ports.map(({ targetPort }: Rendered) => targetPort) }]
  if (kind === 'PodMonitor')
    return [{ labels: spec.selector.matchLabels, ports: spec.podMetricsEndpoints.map(({ port }: Rendered) => port) }]
  return ['Deployment', 'PodDisruptionBudget'].includes(kind) ? [{ labels: spec.selector.matchLabels, ports: [] }] : []
}

const unselected = (
  objects: readonly Rendered[],
  object: Rendered,
  { labels, ports }: Selection,
): readonly string[] => {
  const pods = podsOf(objects).filter(({ metadata }) =>
    Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value),
  )
  const of = `${object.kind} ${object.metadata.name}`
  if (pods.length === 0) return [`${of}: selects no pod`]
  const names = pods.flatMap(containersOf).flatMap((one) => (one.ports ?? []).map(({ name }: Rendered) => name))
  return ports.filter((port) => !names.includes(port)).map((port) => `${of}: no port ${port}`)
}
