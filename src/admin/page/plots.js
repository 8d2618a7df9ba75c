/** The last hour as plots, by uPlot, each with its sum in words. */
import { byId, fill } from './dom.js'
import { count, counted } from './words.js'

/** @typedef {import('../status.ts').Status['lastHour']} Hour */
/** @typedef {import('uplot')} UPlot */

/** A script of its own, loaded before. @type {typeof import('uplot')} */
const uPlot = Reflect.get(globalThis, 'uPlot')
const HEIGHT = 180

export const createPlots = () => {
  /** @type {Hour | undefined} */
  let shown
  /** @type {{ mints: UPlot, queue: UPlot } | undefined} */
  let plots

  const draw = () => {
    plots?.mints.destroy()
    plots?.queue.destroy()
    plots = undefined
    if (shown) show(shown)
  }

  /** @param {Hour} hour */
  const show = (hour) => {
    shown = hour
    const x = hour.mints.map((_, i) => i - hour.mints.length + 1)
    const { mints, busiest, plan, mostWaiting, longestWaitSeconds } = hour
    plots ??= { mints: mintsPlot(byId('plot-mints')), queue: queuePlot(byId('plot-queue')) }
    const before = plan.find((value) => value !== null) ?? null // the plan was there before the sidecar was
    update(plots.mints, [x, mints, busiest, plan.map((value) => value ?? before)])
    update(plots.queue, [x, mostWaiting, longestWaitSeconds])
    fill(
      byId('mints-said'),
      `Now ${count(last(mints))}, most ${count(most(mints))}. Of one seller ${count(most(busiest))} at most, where its plan is ${count(last(plan))}.`,
    )
    fill(
      byId('queue-said'),
      `At most ${counted(most(mostWaiting), 'resource')} at once, the longest for ${counted(most(longestWaitSeconds), 'second')}.`,
    )
  }

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  new ResizeObserver(() => {
    plots?.mints.setSize(sizeOf(byId('plot-mints')))
    plots?.queue.setSize(sizeOf(byId('plot-queue')))
  }).observe(byId('plot-mints'))
  return { show }
}

/** @param {HTMLElement} place */
const mintsPlot = (place) =>
  plot(place, [
    { label: 'All', ...bars('--line-1', 0.9, '--fill-1') },
    { label: 'Busiest seller', ...bars('--line-1', 0.5) },
    { label: 'Its plan', stroke: colour('--line-3'), width: 2, dash: [6, 4], points: { show: false } },
  ])

/** @param {HTMLElement} place */
const queuePlot = (place) =>
  plot(place, [
    { label: 'Most at once', ...bars('--line-1', 0.9, '--fill-1') },
    { label: 'Longest wait, seconds', scale: 'seconds', ...bars('--line-2', 0.5) },
  ])

/**
 * @param {string} line Name of the colour, as is `inside`.
 * @param {number} width Of a minute.
 */
const bars = (line, width, inside = line) => {
  const paths = uPlot.paths.bars?.({ size: [width] })
  return { stroke: colour(line), fill: colour(inside), width: 1, ...(paths && { paths }), points: { show: false } }
}

/**
 * @param {HTMLElement} place
 * @param {import('uplot').Series[]} series
 */
const plot = (place, series) => {
  const axis = {
    stroke: colour('--axis'),
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  }
  /** @type {import('uplot').Axis} */
  const upright = { ...axis, size: 48, incrs: STEPS, values: (_, at) => at.map(short) }
  return new uPlot(
    {
      ...sizeOf(place),
      series: [{ label: 'Minutes ago', value: (_, at) => (at === null ? '–' : String(-at)) }, ...series],
      scales: {
        x: { time: false, range: [-59.5, 0.5] },
        y: { range: fromZero },
        seconds: { range: fromZero },
      },
      axes: [
        {
          ...axis,
          values: (_, at) => at.map((minute) => (minute === 0 ? 'now' : `${minute} min`)),
          incrs: [10, 20, 30],
        },
        upright,
        {
          ...upright,
          scale: 'seconds',
          show: series.some(({ scale }) => scale === 'seconds'),
          side: 1,
          grid: { show: false },
          values: (_, at) => at.map((value) => `${short(value)} s`),
        },
      ],
      legend: { markers: { dash: (at, i) => (at.series[i]?.dash ? 'dashed' : 'solid') } },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
    },
    undefined,
    place,
  )
}

/** @param {number} value */
const short = (value) => value.toLocaleString('en', { notation: 'compact' })

/** @type {import('uplot').Range.Function} */
const fromZero = (_, __, high) => [0, Math.max(5, (high ?? 0) * 1.1)]
const STEPS = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()

/**
 * @param {UPlot} plot
 * @param {import('uplot').AlignedData} data
 */
const update = (plot, data) => {
  plot.setData(data)
  // Where nobody points at a minute, this one. After what setData has put off.
  queueMicrotask(() => (plot.cursor.left ?? -1) < 0 && plot.setLegend({ idx: data[0].length - 1 }))
}

/** @param {HTMLElement} place */
const sizeOf = (place) => ({ width: Math.max(200, place.clientWidth), height: HEIGHT })

/** @param {string} name */
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim()

/** @param {readonly (number | null)[]} values */
const last = (values) => values.at(-1) ?? 0
/** @param {readonly (number | null)[]} values */
const most = (values) => Math.max(...values.map((value) => value ?? 0))
